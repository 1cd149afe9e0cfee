"""The least time that a number of calls can take."""

from __future__ import annotations

import pytest

from bench.limits import LATENCY_SECONDS, possible_seconds


@pytest.mark.parametrize(
    ("calls", "waits_seconds"), [(1, 0), (50, 0), (51, 10), (100, 10), (101, 20), (105, 20)]
)
def test_a_full_window_must_pass_before_the_next_fifty(calls: int, waits_seconds: int) -> None:
    """Fifty calls go at once; each further fifty wait for one more window of ten seconds."""
    assert possible_seconds(calls) == waits_seconds + LATENCY_SECONDS
