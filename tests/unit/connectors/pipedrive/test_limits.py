"""What a company grants, and how the two 429s are told apart."""

from __future__ import annotations

import pytest

from crmsync.connectors.base import Connection
from crmsync.connectors.pipedrive.limits import Refusals, limits_of
from crmsync.errors import ConfigError


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("auth", "burst"), [({"token": "x"}, 20), ({"oauth": {}}, 80)])
def test_the_defaults_are_those_of_the_lowest_plan(auth, burst):
    """20 or 80 calls and 10 searches in 2 s, 30,000 tokens a day."""
    limits = {limit.name: limit for limit in limits_of(Connection("p", "pipedrive", auth))}
    amounts = {name: (one.amount, one.window_seconds) for name, one in limits.items()}
    assert amounts == {
        "calls_per_2s": (burst, 2),
        "search_per_2s": (10, 2),
        "daily_tokens": (30_000, 86_400),
    }
    assert limits["search_per_2s"].scope == "search"
    assert limits["daily_tokens"].unit == "token"


def test_a_plan_is_set_in_the_file():
    """A larger plan is written down; a limit that Pipedrive does not have is named."""
    connection = Connection("p", "pipedrive", {"token": "x"}, limits={"daily_tokens": 210_000})
    assert next(o.amount for o in limits_of(connection) if o.name == "daily_tokens") == 210_000
    with pytest.raises(ConfigError, match="daily_calls"):
        limits_of(Connection("p", "pipedrive", {"token": "x"}, limits={"daily_calls": 1}))


def test_a_burst_is_waited_out_twice_as_long_each_time_and_then_it_is_the_day():
    """2, 4, 8, 16, 32 s; what is refused after that is no burst: an hour."""
    clock = Clock()
    refusals, waits = Refusals(clock), []
    for _ in range(7):
        waits.append(refusals.wait_seconds({}))
        clock.now += waits[-1]
    assert waits == [2, 4, 8, 16, 32, 3600, 3600]
    refusals.end()
    assert refusals.wait_seconds({}) == 2


def test_calls_under_way_together_are_refused_once():
    """Ten 429s at the same moment are one step, not five minutes of waiting."""
    refusals = Refusals(Clock())
    assert [refusals.wait_seconds({}) for _ in range(10)] == [2] * 10


def test_the_undocumented_header_is_believed():
    """`x-daily-ratelimit-token-remaining: 0` says at once which of the two it is."""
    assert Refusals(Clock()).wait_seconds({"x-daily-ratelimit-token-remaining": "0"}) == 3600
    assert Refusals(Clock()).wait_seconds({"x-daily-ratelimit-token-remaining": "7"}) == 2


def test_a_retry_after_header_is_obeyed():
    """Pipedrive documents none; a gateway may send one."""
    assert Refusals(Clock()).wait_seconds({"Retry-After": "7"}) == 7
