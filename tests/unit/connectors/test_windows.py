"""Rolling limits, proved against every moment at which the vendor may have counted a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.connectors.base import Limit
from crmsync.connectors.windows import Call, Windows, bucket_seconds, with_overrides, within
from crmsync.errors import ConfigError
from crmsync.model import Quota

HOLD = 30.0


def most_in_any_window(arrivals: list[float], seconds: float) -> int:
    """Count as the vendor does: the most arrivals within one rolling window."""
    return max(
        (sum(start <= at < start + seconds for at in arrivals) for start in arrivals), default=0
    )


calls = st.lists(
    st.tuples(
        st.floats(0, 3),  # seconds since the call before
        st.floats(0, 5),  # how long the call takes
        st.floats(0, 1),  # when within it the vendor counts it
        st.sampled_from(["call", "search"]),
    ),
    max_size=60,
)


@given(calls)
def test_no_window_is_passed_whenever_the_vendor_counts(made):
    """No rolling window of any limit holds more than its amount, at any arrival within a call."""
    limits = [Limit("calls", 7, 10), Limit("searches", 2, 1, scope="search")]
    windows = Windows(limits)
    now = 1_700_000_000.0
    under_way: list[tuple[float, str, tuple[int, ...]]] = []
    arrivals: dict[str, list[float]] = {"call": [], "search": []}
    for gap, lasts, moment, scope in made:
        now += gap
        for entry in sorted(e for e in under_way if e[0] <= now):
            windows.finish(Call(entry[1]), entry[0], entry[2])
            under_way.remove(entry)
        admission = windows.admit(Call(scope), now, HOLD)
        if admission.wait_seconds == 0:
            under_way.append((now + lasts, scope, admission.buckets))
            arrivals[scope].append(now + lasts * moment)
    assert most_in_any_window(arrivals["call"] + arrivals["search"], 10) <= 7
    assert most_in_any_window(arrivals["search"], 1) <= 2


@given(calls)
def test_a_call_that_never_ends_frees_itself(made):
    """After a window beyond the deadline of every call, all slots are free again."""
    windows = Windows([Limit("calls", 7, 10)])
    now = 0.0
    for gap, *_ in made:
        now += gap
        windows.admit(Call("call"), now, HOLD)
    after = now + HOLD + 10 + bucket_seconds(windows.limits[0])
    assert all(windows.admit(Call("call"), after, HOLD).wait_seconds == 0 for _ in range(7))


@pytest.mark.parametrize("latency", [0.0, 0.05, 1.0])
def test_a_saturating_client_reaches_the_possible_rate(latency):
    """Under 50 per 10 s, 500 calls take at most 1.15 times the 90 s that any client needs."""
    windows = Windows([Limit("calls", 50, 10)])
    now, done = 0.0, 0
    under_way: list[tuple[float, tuple[int, ...]]] = []
    while done < 500:
        for end, buckets in [entry for entry in under_way if entry[0] <= now]:
            windows.finish(Call("call"), end, buckets)
            under_way.remove((end, buckets))
        admission = windows.admit(Call("call"), now, HOLD)
        if admission.wait_seconds == 0:
            done += 1
            under_way.append((now + latency, admission.buckets))
            continue
        now = min([now + admission.wait_seconds, *(end for end, _ in under_way)])
    assert now <= 90 * 1.15


def test_a_call_that_never_ends_is_held_until_nobody_can_have_counted_it():
    """It may have been counted at its very deadline, so it holds its slot a window longer."""
    windows = Windows([Limit("calls", 1, 10)])
    windows.admit(Call("call"), 0.05, HOLD)
    assert windows.admit(Call("call"), HOLD + 10.04, HOLD).wait_seconds > 0
    assert windows.admit(Call("call"), HOLD + 10.2, HOLD).wait_seconds == 0


def test_a_slot_is_never_freed_early():
    """Within a bucket the later moment counts: not a millisecond less than the window."""
    windows = Windows([Limit("calls", 1, 10)])
    admission = windows.admit(Call("call"), 0.0, HOLD)
    windows.finish(Call("call"), 0.05, admission.buckets)
    assert windows.admit(Call("call"), 10.049, HOLD).wait_seconds > 0
    assert windows.admit(Call("call"), 10.11, HOLD).wait_seconds == 0


def test_all_windows_or_none():
    """A call refused by one window leaves the others as they were."""
    windows = Windows([Limit("calls", 2, 10), Limit("searches", 1, 1, scope="search")])
    assert windows.admit(Call("search"), 0.0, HOLD).wait_seconds == 0
    assert windows.admit(Call("search"), 0.0, HOLD).wait_seconds > 0
    assert windows.admit(Call("call"), 0.0, HOLD).wait_seconds == 0


def test_a_limit_on_calls_under_way_frees_at_the_end():
    """Window 0 counts a call only until it ends."""
    windows = Windows([Limit("concurrent", 1, 0)])
    first = windows.admit(Call("call"), 0.0, HOLD)
    assert windows.admit(Call("call"), 1.0, HOLD).wait_seconds > 0
    windows.finish(Call("call"), 2.0, first.buckets)
    assert windows.admit(Call("call"), 2.0, HOLD).wait_seconds == 0


def test_what_a_call_costs_counts():
    """A call of 3 tokens takes three slots, and one dearer than the limit is refused outright."""
    windows = Windows([Limit("tokens", 5, 10, unit="token")])
    assert windows.admit(Call(costs={"token": 3}), 0.0, HOLD).wait_seconds == 0
    assert windows.admit(Call(costs={"token": 3}), 0.0, HOLD).wait_seconds > 0
    assert windows.admit(Call(costs={"token": 2}), 0.0, HOLD).wait_seconds == 0
    with pytest.raises(ConfigError, match="tokens"):
        windows.admit(Call(costs={"token": 6}), 0.0, HOLD)


def test_a_call_that_states_no_cost_costs_one_of_each_unit():
    """A limit in tokens counts it as one; a limit on calls takes no notice of tokens."""
    windows = Windows([Limit("tokens", 3, 10, unit="token"), Limit("calls", 2, 10)])
    assert windows.admit(Call(), 0.0, HOLD).wait_seconds == 0
    assert windows.admit(Call(costs={"token": 2}), 0.0, HOLD).wait_seconds == 0
    assert windows.admit(Call(), 0.0, HOLD).wait_seconds > 0


def test_background_work_leaves_the_reserve_to_others():
    """With a fifth kept back, a backfill fills four fifths; real-time calls get the rest."""
    windows = Windows([Limit("calls", 10, 10, reserve=0.2)])
    backfill = [windows.admit(Call(background=True), 0.0, HOLD) for _ in range(10)]
    assert [a.wait_seconds == 0 for a in backfill] == [True] * 8 + [False] * 2
    live = [windows.admit(Call(), 0.0, HOLD) for _ in range(3)]
    assert [a.wait_seconds == 0 for a in live] == [True, True, False]


def test_a_reserve_never_shuts_background_work_out():
    """Where the reserve would leave it nothing, one call of its own size still fits."""
    windows = Windows([Limit("calls", 1, 10, reserve=0.5)])
    assert windows.admit(Call(background=True), 0.0, HOLD).wait_seconds == 0


def test_others_have_their_share_of_each_day():
    """The share is of the day's allowance alone; the reserve is of all but calls at once."""
    limits = [Limit("burst", 10, 2), Limit("daily", 1000, 86_400), Limit("concurrent_calls", 5, 0)]
    ours = within(Quota(daily_share=0.8, realtime_reserve=0.2), limits)
    assert [(limit.amount, limit.reserve) for limit in ours] == [(10, 0.2), (800, 0.2), (5, 0.0)]


def test_an_unknown_limit_is_refused_with_a_suggestion():
    """A misspelt key of `limits:` names the nearest one."""
    with pytest.raises(ConfigError, match="did you mean 'calls_per_10s'"):
        with_overrides([Limit("calls_per_10s", 100, 10)], {"calls_per_10": 190})
    with pytest.raises(ConfigError, match="at least 1"):
        with_overrides([Limit("calls_per_10s", 100, 10)], {"calls_per_10s": 0})


def test_overrides_replace_amounts():
    """An account's own amount stands in for the default; the others stay."""
    limits = with_overrides([Limit("a", 100, 10), Limit("b", 3, 1)], {"a": 190})
    assert [limit.amount for limit in limits] == [190, 3]


@pytest.mark.parametrize("defaults", [[Limit("a", 100, 10)], [Limit("concurrent_calls", 9, 0)]])
def test_any_connection_may_limit_its_calls_under_way(defaults):
    """`limits: {concurrent_calls: 2}` holds the third call back until one of two has ended."""
    windows = Windows(with_overrides(defaults, {"concurrent_calls": 2}))
    first, second = (windows.admit(Call("call"), 0.0, HOLD) for _ in range(2))
    assert (first.wait_seconds, second.wait_seconds) == (0, 0)
    assert 0 < windows.admit(Call("search"), 1.0, HOLD).wait_seconds < 0.1
    windows.finish(Call("call"), 2.03, first.buckets)
    assert windows.admit(Call("search"), 2.03, HOLD).wait_seconds == 0
    assert windows.admit(Call("call"), 2.03, HOLD).wait_seconds > 0


def test_no_calls_at_once_are_refused():
    """A connection that may make no call is a mistake of a person."""
    with pytest.raises(ConfigError, match="at least 1"):
        with_overrides([], {"concurrent_calls": 0})
