"""The rate budget that all workers of a connection share: no window of the vendor is passed.

`http.Transport` asks `acquire` before each request and tells `release` when it ended. How a window
is counted is in `windows.py`; here is where the count is kept: in this process (`MemoryThrottle`)
or in Redis (`RedisThrottle`), which without Redis becomes stricter, never absent. Pauses that the
CRM asks for (429, Retry-After) are kept by the store, not here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from crmsync.connectors.base import Limit
from crmsync.connectors.windows import (
    Admission,
    Call,
    Windows,
    bucket_seconds,
    counting,
    refuse_oversized,
    room_in,
    weight_of,
)
from crmsync.errors import BackgroundSpent, RateLimited

LONGEST_SETTLING_SECONDS = 60.0
"""When the place of counting changes, windows up to this long are waited out. Longer ones, such as
a day's quota, begin anew; the vendor's own refusal is then what pauses the connection."""
LONGEST_PAUSE_SECONDS = 3_600.0
"""Of a pause we ask for ourselves: a day's quota is looked at again each hour."""
PROBE_SECONDS = 1.0
"""How often a process that lost Redis looks whether it is back."""


_BACKGROUND: ContextVar[bool] = ContextVar("background", default=False)


@contextmanager
def in_background(*, when: bool = True) -> Iterator[None]:
    """Have the calls that are made inside leave to others what is kept for real-time work."""
    before = _BACKGROUND.set(when)
    try:
        yield
    finally:
        _BACKGROUND.reset(before)


def is_background() -> bool:
    """Whether the calls of this thread are work in the background."""
    return _BACKGROUND.get()


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave for one call; given back by `release`, or free a window after its deadline."""

    call: Call
    buckets: tuple[int, ...]
    giver: object = None
    """Which throttle of a chain counted it."""


class Throttle(Protocol):
    """A connection's rate budget. Safe to use from many threads."""

    def acquire(self, call: Call, *, hold_seconds: float, patience_seconds: float) -> Grant:
        """Wait until a call may be sent, at most `patience_seconds`.

        `hold_seconds`: within which the call surely ends. Raises RateLimited, with the wait that
        is left, when the budget does not allow the call in that time.
        """
        ...

    def release(self, grant: Grant) -> None:
        """Say that the call has ended, however it ended. Never raises."""
        ...


class Fallback(Throttle, Protocol):
    """A budget that is counted elsewhere while Redis is away."""

    def begin(self) -> float:
        """Count in Redis's stead; return for how many seconds any process has already."""
        ...

    def end(self) -> None:
        """Leave it to Redis again."""
        ...


class MemoryThrottle:
    """The budget of one process, or this process's share of it."""

    def __init__(
        self,
        limits: Sequence[Limit],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin with a full budget."""
        self._windows = Windows(limits)
        self._lock = threading.Lock()
        self._clock = clock
        self._sleep = sleep

    def acquire(self, call: Call, *, hold_seconds: float, patience_seconds: float) -> Grant:
        """See Throttle."""

        def ask() -> Admission:
            with self._lock:
                return self._windows.admit(call, self._clock(), hold_seconds)

        admission = wait_for(ask, call, patience_seconds, self._clock, self._sleep)
        return Grant(call, admission.buckets)

    def release(self, grant: Grant) -> None:
        """See Throttle."""
        with self._lock:
            self._windows.finish(grant.call, self._clock(), grant.buckets)

    def begin(self) -> float:
        """See Fallback: nobody else counts here."""
        return 0.0

    def end(self) -> None:
        """See Fallback."""


def wait_for(
    ask: Callable[[], Admission],
    call: Call,
    patience_seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Admission:
    """Ask until the call is admitted, sleeping as long as each answer says.

    Raises RateLimited when patience ends.
    """
    give_up_at = clock() + patience_seconds
    while (admission := ask()).wait_seconds > 0:
        if clock() + admission.wait_seconds > give_up_at:
            spent = BackgroundSpent if call.background else RateLimited
            raise spent(
                "our own throttle: the connection's rate limit is reached",
                retry_after_seconds=min(admission.wait_seconds, LONGEST_PAUSE_SECONDS),
                was_sent=False,
            )
        sleep(admission.wait_seconds)
    return admission


# KEYS: the connection's epoch and quiet time, then one hash per window (bucket -> slots taken).
# ARGV: epoch this process knows, a fresh epoch, settling seconds, hold seconds,
#       then amount, window seconds, bucket seconds, weight for each window.
# Answers {wait in microseconds, epoch, bucket, bucket, ...}; mirrors Windows.admit.
ACQUIRE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[2]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
local quiet = tonumber(redis.call('HGET', KEYS[1], 'quiet_until') or '0')
if ARGV[1] ~= '' and ARGV[1] ~= epoch then
  quiet = math.max(quiet, now + ARGV[3])
  redis.call('HSET', KEYS[1], 'quiet_until', string.format('%.6f', quiet))
end
local wait = math.max(0, quiet - now)
local hold = tonumber(ARGV[4])
for i = 2, #KEYS do
  local at = 5 + (i - 2) * 4
  local amount, window, width = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local weight = tonumber(ARGV[at + 3])
  local flat = redis.call('HGETALL', KEYS[i])
  local taken, total = {}, 0
  for j = 1, #flat, 2 do
    local bucket, slots = tonumber(flat[j]), tonumber(flat[j + 1])
    if bucket * width <= now then
      redis.call('HDEL', KEYS[i], flat[j])
    else
      taken[#taken + 1] = {bucket, slots}
      total = total + slots
    end
  end
  local excess = total + weight - amount
  if excess > 0 then
    table.sort(taken, function(a, b) return a[1] < b[1] end)
    for _, entry in ipairs(taken) do
      excess = excess - entry[2]
      if excess <= 0 then
        local free = entry[1] * width - now
        wait = math.max(wait, math.min(free, window > 0 and window or 0.02))
        break
      end
    end
  end
end
if wait > 0 then return {math.ceil(wait * 1000000), epoch} end
local answer = {0, epoch}
for i = 2, #KEYS do
  local at = 5 + (i - 2) * 4
  local window, width = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local weight = tonumber(ARGV[at + 3])
  local bucket = string.format('%.0f', math.ceil((now + hold + window) / width))
  redis.call('HINCRBY', KEYS[i], bucket, weight)
  redis.call('EXPIRE', KEYS[i], math.ceil(hold + window + width) + 1)
  answer[#answer + 1] = tonumber(bucket)
end
return answer
"""

# KEYS: one hash per window. ARGV: bucket, window seconds, bucket seconds, weight for each.
RELEASE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
for i = 1, #KEYS do
  local at = 1 + (i - 1) * 4
  local window, width = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local weight = tonumber(ARGV[at + 3])
  if redis.call('HINCRBY', KEYS[i], ARGV[at], 0 - weight) <= 0 then  -- Redis refuses "-0"
    redis.call('HDEL', KEYS[i], ARGV[at])
  end
  if window > 0 then
    local bucket = string.format('%.0f', math.ceil((now + window) / width))
    redis.call('HINCRBY', KEYS[i], bucket, weight)
    if redis.call('TTL', KEYS[i]) < window + width + 1 then
      redis.call('EXPIRE', KEYS[i], math.ceil(window + width) + 1)
    end
  end
end
"""


class RedisThrottle:
    """The budget of every process that shares this Redis, counted by Redis's own clock.

    While Redis is away, `fallback` counts (a share, or the database) after one full window of
    silence, since nobody knows what was just sent: one for all processes, begun by the first that
    misses Redis, and for each at least a window after its own last call. Whoever comes back from a
    fallback, or finds the counts gone, asks for the same silence from all: the epoch he knows is
    not Redis's.
    """

    def __init__(  # noqa: PLR0913 (four parts, and time for tests)
        self,
        client: redis.Redis,
        name: str,
        limits: Sequence[Limit],
        fallback: Fallback,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Count connection `name` in Redis."""
        self._limits = tuple(limits)
        self._prefix = f"crmsync:throttle:{{{name}}}"
        self._acquire: Any = client.register_script(ACQUIRE)
        self._release: Any = client.register_script(RELEASE)
        self._fallback = fallback
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._epoch = ""
        """Redis's, as last seen; something else while we count elsewhere."""
        self._lost_at: float | None = None
        self._granted_at = float("-inf")
        """When Redis last gave leave."""
        self._probe_at = 0.0
        windows = [limit.window_seconds for limit in limits]
        short = [seconds for seconds in windows if seconds <= LONGEST_SETTLING_SECONDS]
        self._settling_seconds = max(short, default=0.0)

    def acquire(self, call: Call, *, hold_seconds: float, patience_seconds: float) -> Grant:
        """See Throttle."""
        places = counting(self._limits, call)
        refuse_oversized(self._limits, places, call)
        keys = [f"{self._prefix}:state", *self._keys(places)]
        costs = [
            number
            for place in places
            for number in (
                room_in(self._limits[place], call),
                self._limits[place].window_seconds,
                bucket_seconds(self._limits[place]),
                weight_of(self._limits[place], call),
            )
        ]

        def ask() -> Admission:
            known = self._epoch
            args = [known, secrets.token_hex(8), self._settling_seconds, hold_seconds]
            wait, epoch, *buckets = self._acquire(keys=keys, args=[*args, *costs])
            self._found(epoch.decode() if isinstance(epoch, bytes) else str(epoch))
            return Admission(wait / 1e6, tuple(buckets))

        if self._worth_asking():
            try:
                admission = wait_for(ask, call, patience_seconds, self._clock, self._sleep)
            except redis.RedisError:
                self._lost()
            else:
                self._granted_at = self._clock()
                return Grant(call, admission.buckets, self)
        return self._from_fallback(call, hold_seconds, patience_seconds)

    def release(self, grant: Grant) -> None:
        """See Throttle."""
        if grant.giver is not self:
            self._fallback.release(grant)
            return
        places = counting(self._limits, grant.call)
        args: list[float] = []
        for place, bucket in zip(places, grant.buckets, strict=True):
            limit = self._limits[place]
            weight = weight_of(limit, grant.call)
            args += [bucket, limit.window_seconds, bucket_seconds(limit), weight]
        try:
            self._release(keys=self._keys(places), args=args)
        except redis.RedisError:
            self._lost()

    def _from_fallback(self, call: Call, hold: float, patience: float) -> Grant:
        """Take leave elsewhere, once a full window has passed since Redis was lost."""
        lost_at = self._lost_at if self._lost_at is not None else self._clock()

        def silence() -> Admission:
            return Admission(max(0.0, lost_at + self._settling_seconds - self._clock()))

        started = self._clock()
        wait_for(silence, Call(), patience, self._clock, self._sleep)
        left = patience - (self._clock() - started)
        return self._fallback.acquire(call, hold_seconds=hold, patience_seconds=left)

    def _keys(self, places: Sequence[int]) -> list[str]:
        return [f"{self._prefix}:{self._limits[place].name}" for place in places]

    def _worth_asking(self) -> bool:
        """Say whether to try Redis: always while it answers, once a second while it does not."""
        with self._lock:
            if self._lost_at is None:
                return True
            if self._clock() < self._probe_at:
                return False
            self._probe_at = self._clock() + PROBE_SECONDS
            return True

    def _lost(self) -> None:
        with self._lock:
            self._probe_at = self._clock() + PROBE_SECONDS
            if self._lost_at is None:
                known_since = self._clock() - self._fallback.begin()
                self._lost_at = max(known_since, self._granted_at)
                self._epoch = "elsewhere"

    def _found(self, epoch: str) -> None:
        with self._lock:
            if self._lost_at is not None or not self._epoch:  # who began may have ended meanwhile
                self._fallback.end()
            self._lost_at = None
            self._epoch = epoch
