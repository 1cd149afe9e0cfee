"""The least time that a number of calls can take."""

from __future__ import annotations

import pytest

from bench.limits import LIMITED, AtOnce, Limited, Window

LATENCY_SECONDS = 0.05


@pytest.mark.parametrize(
    ("calls", "waits_seconds"), [(1, 0), (50, 0), (51, 10), (100, 10), (101, 20), (105, 20)]
)
def test_a_full_window_must_pass_before_the_next_fifty(calls: int, waits_seconds: int) -> None:
    """Fifty calls go at once; each further fifty wait for one more window of ten seconds."""
    possible = Window(50, 10).possible_seconds(calls, LATENCY_SECONDS)
    assert possible == waits_seconds + LATENCY_SECONDS


@pytest.mark.parametrize(("calls", "seconds"), [(1, 1), (5, 1), (6, 2), (100, 20)])
def test_five_at_once_take_the_latency_five_by_five(calls: int, seconds: int) -> None:
    """Where five calls may be under way, five are answered in the time of one."""
    assert AtOnce(5).possible_seconds(calls, 1.0) == seconds


@pytest.mark.parametrize("limited", LIMITED, ids=lambda limited: limited.crm.name)
def test_both_sides_know_the_limit(limited: Limited) -> None:
    """The simulated account grants what the connection's `limits` say, and no more."""
    assert min(limited.ours.values()) == limited.limit.amount
    assert limited.limit.amount in limited.theirs.values()
