"""Who counts the calls: this process, Redis, and what happens between the two."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import redis

from crmsync.connectors.base import Limit
from crmsync.connectors.shared_throttle import SharedThrottle
from crmsync.connectors.throttle import MemoryThrottle, RedisThrottle
from crmsync.connectors.windows import Call
from crmsync.errors import ConfigError, RateLimited

LIMITS = [Limit("calls", 3, 10), Limit("searches", 1, 1, scope="search")]


class FakeTime:
    """A clock that sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def ask(throttle, scope="call", *, patience=100.0, tokens=1, background=False):
    """Acquire with the usual hold."""
    call = Call(scope, {"token": tokens}, background)
    return throttle.acquire(call, hold_seconds=30, patience_seconds=patience)


def test_the_fourth_of_three_waits_out_the_window():
    """A call beyond the amount sleeps until a window after the first one ended."""
    time = FakeTime()
    throttle = MemoryThrottle(LIMITS, clock=time.clock, sleep=time.sleep)
    for _ in range(3):
        throttle.release(ask(throttle))
    ask(throttle)
    assert 10 <= sum(time.slept) <= 10.2


def test_impatience_is_rate_limited_and_takes_nothing():
    """Without the time to wait the call is refused with the wait, and holds no slot."""
    time = FakeTime()
    throttle = MemoryThrottle(LIMITS, clock=time.clock, sleep=time.sleep)
    for _ in range(3):
        throttle.release(ask(throttle))
    with pytest.raises(RateLimited) as caught:
        ask(throttle, patience=5)
    assert 9.9 <= caught.value.retry_after_seconds <= 10.2
    assert time.slept == []


def test_a_search_counts_as_a_call_too():
    """A scope with a pool of its own is counted there and among all calls."""
    time = FakeTime()
    throttle = MemoryThrottle(LIMITS, clock=time.clock, sleep=time.sleep)
    throttle.release(ask(throttle, "search"))
    for _ in range(2):
        throttle.release(ask(throttle))
    with pytest.raises(RateLimited):
        ask(throttle, patience=5)


def test_threads_share_the_budget():
    """Many threads at once get exactly the amount."""
    throttle = MemoryThrottle([Limit("calls", 20, 3600)])
    got, refused = [], []

    def work():
        for _ in range(10):
            try:
                got.append(ask(throttle, patience=0))
            except RateLimited:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(got), len(refused)) == (20, 60)


# --- Redis --------------------------------------------------------------------------------


@pytest.fixture
def client(redis_database):
    """An empty Redis."""
    with redis.Redis.from_url(redis_database) as client:
        yield client


def test_processes_share_one_budget_in_redis(client):
    """Two throttles on one Redis give out the amount between them, not each."""
    limits = [Limit("calls", 5, 3600)]
    one, two = (RedisThrottle(client, "crm", limits, MemoryThrottle(limits)) for _ in range(2))
    for throttle in (one, two, one, two, one):
        throttle.release(ask(throttle, patience=0))
    for throttle in (one, two):
        with pytest.raises(RateLimited) as caught:
            ask(throttle, patience=0)
        assert 3590 < caught.value.retry_after_seconds <= 3600


def test_connections_do_not_share(client):
    """Another connection's name is another budget."""
    limits = [Limit("calls", 1, 3600)]
    for name in ("one", "two"):
        ask(RedisThrottle(client, name, limits, MemoryThrottle(limits)), patience=0)


def test_redis_counts_as_memory_does(client):
    """Scopes, costs, reserves and limits on calls under way mean the same as in memory."""
    limits = [
        Limit("tokens", 5, 3600, unit="token", reserve=0.4),
        Limit("searches", 1, 60, scope="search"),
    ]
    limits.append(Limit("concurrent", 1, 0))
    redis_throttle = RedisThrottle(client, "crm", limits, MemoryThrottle(limits))
    for throttle in (redis_throttle, MemoryThrottle(limits)):
        first = ask(throttle, patience=0)
        with pytest.raises(RateLimited):
            ask(throttle, patience=0)  # one at a time
        throttle.release(first)
        throttle.release(ask(throttle, "search", patience=0))
        with pytest.raises(RateLimited):
            ask(throttle, "search", patience=0)
        with pytest.raises(ConfigError):
            ask(throttle, tokens=6)
        with pytest.raises(RateLimited):
            ask(throttle, tokens=2, background=True, patience=0)  # 2 of the 3 it may use are gone
        throttle.release(ask(throttle, tokens=2, patience=0))


def test_a_call_that_costs_nothing_does_not_lose_redis(client):
    """A call may cost none of a unit: it is given back like any other, and the next one counted."""
    limits = [Limit("tokens", 5, 3600, unit="token")]
    throttle = RedisThrottle(client, "crm", limits, MemoryThrottle(limits))
    throttle.release(ask(throttle, tokens=0, patience=0))
    assert ask(throttle, tokens=0, patience=0).giver is throttle


def test_a_slot_is_freed_a_window_after_the_call(client):
    """In Redis's own time, the call after a full window is admitted once the first one's ended."""
    limits = [Limit("calls", 1, 0.2)]
    throttle = RedisThrottle(client, "crm", limits, MemoryThrottle(limits))
    for _ in range(3):
        throttle.release(ask(throttle, patience=5))
    assert client.hlen("crmsync:throttle:{crm}:calls") == 1


class Gone:
    """A client whose every command fails while `away`."""

    def __init__(self, client):
        self._client = client
        self.away = False

    def register_script(self, text):
        script = self._client.register_script(text)

        def call(**how):
            if self.away:
                raise redis.ConnectionError
            return script(**how)

        return call


def test_without_redis_the_fallback_counts_after_a_silence(client):
    """Redis lost: one whole window passes, then the share counts; the way back is as careful."""
    time = FakeTime()
    gone: Any = Gone(client)
    limits = [Limit("calls", 100, 10), Limit("daily", 1000, 86_400)]
    share = MemoryThrottle([Limit("calls", 2, 10)], clock=time.clock, sleep=time.sleep)
    throttle = RedisThrottle(gone, "crm", limits, share, clock=time.clock, sleep=time.sleep)
    throttle.release(ask(throttle))
    assert time.slept == []

    gone.away = True
    throttle.release(ask(throttle))
    assert sum(time.slept) == pytest.approx(10)
    throttle.release(ask(throttle))
    with pytest.raises(RateLimited):
        ask(throttle, patience=5)

    gone.away = False
    time.now += 60
    with pytest.raises(RateLimited) as caught:
        ask(throttle, patience=5)
    assert 9 < caught.value.retry_after_seconds <= 10


def test_a_flushed_redis_is_noticed(client):
    """Counts that vanished are as good as unknown: everybody keeps a window's silence."""
    limits = [Limit("calls", 100, 10)]
    throttle = RedisThrottle(client, "crm", limits, MemoryThrottle(limits))
    throttle.release(ask(throttle, patience=0))
    client.flushdb()
    with pytest.raises(RateLimited):
        ask(throttle, patience=0)
    other = RedisThrottle(client, "crm", limits, MemoryThrottle(limits))
    with pytest.raises(RateLimited):
        ask(other, patience=0)


def test_a_silence_too_long_for_the_caller_is_rate_limited():
    """Without Redis and without the patience for the silence, nothing is sent."""
    time = FakeTime()
    gone: Any = Gone(redis.Redis())
    gone.away = True
    share = MemoryThrottle(LIMITS, clock=time.clock, sleep=time.sleep)
    throttle = RedisThrottle(gone, "crm", LIMITS, share, clock=time.clock, sleep=time.sleep)
    with pytest.raises(RateLimited) as caught:
        ask(throttle, patience=5)
    assert caught.value.retry_after_seconds == pytest.approx(10)


class OneLedger:
    """What all processes share, in memory."""

    def __init__(self, time):
        self._time = time
        self.state: Mapping[str, Any] = {}

    def change(self, work):
        self.state, answer = work(self.state, self._time.now)
        return answer


def processes(time, *, share=True):
    """Two processes whose Redis is there until it is taken from both."""
    limits = [Limit("calls", 100, 10)]
    ledger = OneLedger(time)
    made = []
    for _ in range(2):
        client: Any = Gone(AlwaysThere())
        counted = SharedThrottle(ledger if share else OneLedger(time), limits,
                                 clock=time.clock, sleep=time.sleep)  # fmt: skip
        throttle = RedisThrottle(client, "crm", limits, counted, clock=time.clock, sleep=time.sleep)
        made.append((client, throttle))
    return made


class AlwaysThere:
    """A client of a Redis that gives leave to everybody."""

    def register_script(self, _text):
        return lambda **_: [0, b"epoch", 1]


@pytest.mark.parametrize("share", [True, False])
def test_one_silence_serves_all_processes(share):
    """Who misses Redis later waits no second window; without a shared ledger he would."""
    time = FakeTime()
    (first, one), (second, two) = processes(time, share=share)
    first.away = second.away = True
    ask(one)
    assert sum(time.slept) == pytest.approx(10)
    ask(two)
    assert sum(time.slept) == pytest.approx(11 if share else 20, abs=1)


def test_nobody_is_silent_for_less_than_a_window_after_his_own_call():
    """One who was served by Redis after the other had lost it knows of that call alone."""
    time = FakeTime()
    (first, one), (second, two) = processes(time)
    ask(two)
    first.away = True
    ask(one)
    ask(two)
    time.now += 4
    second.away = True
    before = time.now
    ask(two)
    assert time.now - before == pytest.approx(6)


def test_a_silence_of_long_ago_does_not_serve_the_next_loss():
    """Whoever is served by Redis ends it, also where those who began it are gone."""
    time = FakeTime()
    (first, one), (second, two) = processes(time)
    first.away = True
    ask(one)
    time.now += 3600
    ask(two)
    time.now += 60
    second.away = True
    before = time.now
    ask(two)
    assert time.now - before == pytest.approx(10, abs=1)
