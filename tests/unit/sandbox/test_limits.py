"""Windows that roll and days that end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crmsync.sandbox.limits import DailyCount, RollingWindow, time_zone


def test_a_call_leaves_the_window_after_its_length():
    """A call counts for exactly the length of the window."""
    window = RollingWindow(10)
    window.add(0.0)
    window.add(4.0)
    assert [window.used(now) for now in (4.0, 9.9, 10.0, 14.0)] == [2, 2, 1, 0]


def test_the_day_ends_at_midnight_of_its_time_zone():
    """Five hours west, the day ends five hours later than in UTC."""
    count = DailyCount(timezone(timedelta(hours=-5)))
    before = datetime(2026, 3, 1, 4, 59, tzinfo=UTC).timestamp()
    count.used(before)
    count.add(3)
    assert count.used(before + 59) == 3
    assert count.used(before + 60) == 0


def test_an_unknown_time_zone_is_an_error():
    """The text names it."""
    with pytest.raises(ValueError, match="Mars/Olympus"):
        time_zone("Mars/Olympus")
