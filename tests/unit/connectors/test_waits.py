"""Times that a CRM names in headers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.connectors.waits import moment_of, retry_after

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 5),
        ("", 5),
        ("7", 7),
        ("0.5", 0.5),
        ("0", 5),
        ("-3", 5),
        ("1e99", 3600),
        ("86400", 3600),
        ("nan", 5),
        ("soon", 5),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 5),
        ("Mon, 23 Nov 2099 12:00:00 GMT", 3600),
        ("Mon, 23 Nov 2026 12:00:30", 30),
    ],
)
def test_retry_after_is_believed_within_reason(header, seconds):
    """Seconds or a date, never negative, never beyond an hour."""
    assert retry_after(header, 5, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Mon, 23 Nov 2026 12:00:00 GMT", NOW),
        ("Mon, 23 Nov 2026 14:00:00 +0200", NOW),
        ("Mon, 23 Nov 2026 12:00:00", NOW),
        ("", None),
        (None, None),
        ("noon", None),
    ],
)
def test_a_date_is_a_moment_or_nothing(header, moment):
    """In UTC where it does not say; never an error, whatever a proxy puts there."""
    assert moment_of(header) == moment
