"""Rolling rate limits as a vendor sees them. Pure: the time is always an argument.

We do not know when within a call the vendor counted it, only that it was between our asking for
leave and the end of the call. So a slot is held from the asking until `window_seconds` after the
call ended: then at any moment of the vendor's, every call in its window holds a slot of ours, and
no rolling window can hold more than the limit. A slot whose call never ends (its process died)
frees itself a window after the call's deadline.

Slots are counted in buckets of a hundredth of the window by the moment they become free, rounded
up: a handful of numbers per limit, whatever the amount, that any store can keep.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from crmsync.connectors.base import Limit
from crmsync.errors import ConfigError
from crmsync.model import Quota

BUCKETS_PER_WINDOW = 100
DAY_SECONDS = 86_400.0
CONCURRENT = "concurrent_calls"
UNDER_WAY_BUCKET_SECONDS = 0.1
"""For limits on calls under way (window 0), whose slots have a deadline but no window."""
UNDER_WAY_POLL_SECONDS = 0.02
"""How soon to ask again for such a slot: nobody can say when a call will end."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as the limits count it."""

    scope: str = "call"
    """Its pool, besides being a call."""
    costs: Mapping[str, int] = field(default_factory=dict)
    """What it costs by unit, where that is not one of each."""
    background: bool = False
    """Whether it leaves to others what is kept for real-time work."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to call, or how long to wait before asking again."""

    wait_seconds: float
    buckets: tuple[int, ...] = ()
    """When admitted: where each window counted the call until it ends."""


def bucket_seconds(limit: Limit) -> float:
    """Return the width of one bucket."""
    return limit.window_seconds / BUCKETS_PER_WINDOW or UNDER_WAY_BUCKET_SECONDS


def bucket_at(limit: Limit, moment: float) -> int:
    """Return the first bucket that ends at or after a moment."""
    return math.ceil(moment / bucket_seconds(limit))


def counting(limits: Sequence[Limit], call: Call) -> tuple[int, ...]:
    """Return the places of the limits that count this call."""
    return tuple(i for i, limit in enumerate(limits) if limit.scope in {"call", call.scope})


def weight_of(limit: Limit, call: Call) -> int:
    """Return how much of a limit a call takes."""
    return 1 if limit.unit == "call" else call.costs.get(limit.unit, 1)


def room_in(limit: Limit, call: Call) -> int:
    """Return how much of a limit may be taken when this call is: enough for itself at least."""
    if not call.background:
        return limit.amount
    return max(weight_of(limit, call), math.floor(limit.amount * (1 - limit.reserve)))


def refuse_oversized(limits: Sequence[Limit], places: Sequence[int], call: Call) -> None:
    """Raise ConfigError for a call that weighs more than a whole limit: it could never be sent."""
    for place in places:
        weight = weight_of(limits[place], call)
        if weight > limits[place].amount:
            name = limits[place].name
            raise ConfigError(f"one call costs {weight}, more than limit '{name}' allows")


def within(quota: Quota, limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Return the account's limits as they are for us: others have their share of each day."""
    return tuple(
        replace(
            limit,
            amount=max(1, math.floor(limit.amount * quota.daily_share))
            if limit.window_seconds >= DAY_SECONDS
            else limit.amount,
            reserve=quota.realtime_reserve if limit.window_seconds else 0.0,
        )
        for limit in limits
    )


def with_overrides(defaults: Sequence[Limit], amounts: Mapping[str, int]) -> tuple[Limit, ...]:
    """Return the limits with the account's own amounts; raises ConfigError for an unknown name."""
    if CONCURRENT in amounts and CONCURRENT not in {limit.name for limit in defaults}:
        # No vendor's limit, but anybody may want fewer calls at once.
        defaults = [*defaults, Limit(CONCURRENT, amounts[CONCURRENT], 0)]
    names = [limit.name for limit in defaults]
    for name, amount in amounts.items():
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f" (did you mean '{near[0]}'?)" if near else f": use {', '.join(names)}"
            raise ConfigError(f"unknown limit '{name}'{hint}")
        if amount < 1:
            raise ConfigError(f"limit '{name}' must be at least 1, not {amount}")
    return tuple(replace(limit, amount=amounts.get(limit.name, limit.amount)) for limit in defaults)


class Windows:
    """The state of all of a connection's limits. Not thread-safe: its owner locks."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        """Begin with every slot free."""
        self.limits = tuple(limits)
        self._taken: list[Counter[int]] = [Counter() for _ in self.limits]

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return the state for a store that processes share: by limit, bucket to slots taken."""
        return {
            limit.name: {str(bucket): slots for bucket, slots in taken.items()}
            for limit, taken in zip(self.limits, self._taken, strict=True)
        }

    def take_json(self, state: Mapping[str, Mapping[str, int]]) -> None:
        """Take over a state that `to_json` gave; a limit it does not know starts free."""
        self._taken = [
            Counter({int(bucket): slots for bucket, slots in state.get(limit.name, {}).items()})
            for limit in self.limits
        ]

    def fill(self, now: float, longest_seconds: float) -> None:
        """Take every slot for one window from now, where nobody knows what was just sent."""
        for limit, taken in zip(self.limits, self._taken, strict=True):
            if 0 < limit.window_seconds <= longest_seconds:
                taken.clear()
                taken[bucket_at(limit, now + limit.window_seconds)] = limit.amount

    def admit(self, call: Call, now: float, hold_seconds: float) -> Admission:
        """Take what the call weighs in every window that counts it, or nothing in any.

        `hold_seconds`: within which the call surely ends. Raises ConfigError for a call that
        weighs more than a whole limit.
        """
        places = counting(self.limits, call)
        refuse_oversized(self.limits, places, call)
        wait = max((self._wait(place, now, call) for place in places), default=0.0)
        if wait > 0:
            return Admission(wait)
        buckets = []
        for place in places:
            limit = self.limits[place]
            bucket = bucket_at(limit, now + hold_seconds + limit.window_seconds)
            self._taken[place][bucket] += weight_of(limit, call)
            buckets.append(bucket)
        return Admission(0.0, tuple(buckets))

    def finish(self, call: Call, now: float, buckets: Sequence[int]) -> None:
        """Note that an admitted call has ended: it counts for one more window from now."""
        for place, bucket in zip(counting(self.limits, call), buckets, strict=True):
            taken, limit = self._taken[place], self.limits[place]
            weight = weight_of(limit, call)
            if taken[bucket] <= weight:
                del taken[bucket]
            else:
                taken[bucket] -= weight
            if limit.window_seconds:
                taken[bucket_at(limit, now + limit.window_seconds)] += weight

    def _wait(self, place: int, now: float, call: Call) -> float:
        """Return the seconds until this window could take the call; 0 when it can now."""
        limit, taken = self.limits[place], self._taken[place]
        width = bucket_seconds(limit)
        for bucket in [bucket for bucket in taken if bucket * width <= now]:
            del taken[bucket]
        excess = taken.total() + weight_of(limit, call) - room_in(limit, call)
        if excess <= 0:
            return 0.0
        for bucket in sorted(taken):
            excess -= taken[bucket]
            if excess <= 0:
                # A call under way may end now and be free a window later: never sleep past that.
                return min(bucket * width - now, limit.window_seconds or UNDER_WAY_POLL_SECONDS)
        return limit.window_seconds  # pragma: no cover (the buckets add up to the total)
