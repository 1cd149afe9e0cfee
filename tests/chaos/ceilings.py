"""The limits of the four CRMs as data: small ones, how much of each was used, and work for it.

Counted by the CRM itself: in its ledger, by its own clock, over every window, wherever it begins.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from crmsync.model import Quota
from crmsync.sandbox import Control
from tests.chaos.counting import SLICE
from tests.crms import HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm

ROOM = 100
"""How many times as much an account grants that is not to refuse anything."""


@dataclass(frozen=True, kw_only=True)
class Ceiling(ABC):
    """One limit of one CRM, and work that presses against it."""

    crm: Crm
    name: str
    """In `limits:`."""
    granted: int
    """What the account grants."""
    account: Mapping[str, int]
    """The settings of the simulated account that say the same."""
    beside: Mapping[str, int] = field(default_factory=dict)
    """Other limits, out of the way."""
    match: Mapping[str, str]
    were_there: bool = False
    """Whether everybody has a record already, and is to be updated."""
    calls: int
    """That the work takes."""
    latency_seconds: float = 0.0
    """Of the CRM's answers."""

    @property
    def people(self) -> int:
        """How many have to change for so many calls."""
        per_call = SLICE if self.crm is not PIPEDRIVE else 1
        return self.calls * per_call

    @property
    def ours(self) -> int:
        """How much of it is ours to use."""
        return self.granted

    @property
    def limits(self) -> dict[str, int]:
        """What `limits:` says."""
        return {self.name: self.granted, **self.beside}

    @property
    def roomy(self) -> dict[str, int]:
        """Settings of an account that refuses nothing, and counts all the same."""
        return {name: ROOM * amount for name, amount in self.account.items()}

    @abstractmethod
    def most(self, control: Control) -> int:
        """Return the most that was used of it at any time."""

    @abstractmethod
    def share(self, control: Control) -> float:
        """Return how much of it was used once all workers were at work: 1 is all."""


@dataclass(frozen=True, kw_only=True)
class PerWindow(Ceiling):
    """So many calls in any so many seconds."""

    window_seconds: float
    path: str = "*"
    """Of the calls that it counts."""

    def most(self, control: Control) -> int:
        """See Ceiling."""
        return control.peak(self.window_seconds, path=self.path)

    def share(self, control: Control) -> float:
        """See Ceiling; in the best window but the first: what a slow machine loses is no matter."""
        arrived = control.ledger(bodies=False, path=self.path)
        firsts = sorted(entry["received_at"] for entry in arrived)[self.granted :: self.granted]
        lengths = [later - first for first, later in pairwise(firsts)]
        return self.window_seconds / min(lengths)


@dataclass(frozen=True, kw_only=True)
class AtOnce(Ceiling):
    """So many calls under way at once."""

    def most(self, control: Control) -> int:
        """See Ceiling."""
        return max(many for _, many in _under_way(control))

    def share(self, control: Control) -> float:
        """See Ceiling; from the moment when it was full to the last call's arrival."""
        steps = _under_way(control)
        full = next(place for place, (_, many) in enumerate(steps) if many == self.granted)
        last = max(entry["received_at"] for entry in control.ledger(bodies=False))
        steps = [(at, many) for at, many in steps[full:] if at <= last]
        used = sum(many * (later - at) for (at, many), (later, _) in pairwise(steps))
        return used / (self.granted * (last - steps[0][0]))


@dataclass(frozen=True, kw_only=True)
class PerDay(Ceiling):
    """So much in a day, of which others of the account have their share."""

    spent: Callable[[Control], int] = lambda control: control.calls()

    @property
    def ours(self) -> int:
        """See Ceiling."""
        return math.floor(self.granted * Quota().daily_share)

    def most(self, control: Control) -> int:
        """See Ceiling."""
        return self.spent(control)

    def share(self, control: Control) -> float:
        """See Ceiling."""
        return self.spent(control) / self.ours


def _under_way(control: Control) -> Sequence[tuple[float, int]]:
    """Return from when on how many calls were under way; one that ends makes room at once."""
    entries = control.ledger(bodies=False)
    begun = [(entry["received_at"], 1) for entry in entries]
    over = [(entry["received_at"] + entry["duration_seconds"], -1) for entry in entries]
    steps, many = [], 0
    for at, change in sorted(begun + over):
        many += change
        steps.append((at, many))
    return steps


def _tokens_spent(control: Control) -> int:
    budget = control.settings()["daily_tokens"]
    return int(budget - control.act("tokens_left"))


CEILINGS: Sequence[Ceiling] = (
    PerWindow(
        crm=PIPEDRIVE, name="calls_per_2s", granted=40, window_seconds=2.0,
        account={"calls_per_2s": 40, "daily_tokens": 10_000_000},
        beside={"search_per_2s": 10_000, "daily_tokens": 10_000_000},
        match=PIPEDRIVE.by_key, were_there=True, calls=200,
    ),
    PerWindow(
        crm=HUBSPOT, name="calls_per_10s", granted=40, window_seconds=10.0,
        account={"calls_per_10s": 40}, match=HUBSPOT.by_key, calls=90,
    ),
    PerWindow(
        crm=HUBSPOT, name="search_per_second", granted=5, window_seconds=1.0, path="*/search",
        account={"search_per_second": 5, "calls_per_10s": 10_000},
        beside={"calls_per_10s": 10_000}, match=HUBSPOT.loose, calls=60,
    ),
    AtOnce(
        crm=SALESFORCE, name="concurrent_calls", granted=3, account={"long_calls": 3},
        match=SALESFORCE.by_key, calls=27, latency_seconds=2.0,
    ),
    AtOnce(
        crm=ZOHO, name="concurrent_calls", granted=3, account={"concurrency": 3},
        match=ZOHO.by_key, calls=27, latency_seconds=2.0,
    ),
    PerDay(
        crm=HUBSPOT, name="daily_calls", granted=100,
        account={"daily_calls": 100, "calls_per_10s": 10_000}, beside={"calls_per_10s": 10_000},
        match=HUBSPOT.by_key, calls=120,
    ),
    PerDay(
        crm=SALESFORCE, name="daily_calls", granted=100, account={"daily_calls": 100},
        match=SALESFORCE.by_key, calls=120,
    ),
    PerDay(
        crm=ZOHO, name="daily_credits", granted=100, account={"credits_per_day": 100},
        match=ZOHO.by_key, calls=120, spent=lambda control: int(control.act("credits_used")),
    ),
    PerDay(
        crm=PIPEDRIVE, name="daily_tokens", granted=1_000,
        account={"daily_tokens": 1_000, "calls_per_2s": 10_000, "searches_per_2s": 10_000},
        beside={"calls_per_2s": 10_000, "search_per_2s": 10_000}, match=PIPEDRIVE.by_key,
        calls=200, spent=_tokens_spent,
    ),
)  # fmt: skip
