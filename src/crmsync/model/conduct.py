"""How it is done: shares of a quota, times, and what opened a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of what a CRM grants its whole account crmsync may use."""

    daily_share: float = 0.8
    """Of the account's allowance for a day; the rest is left to others."""
    realtime_reserve: float = 0.2
    """Of our share, and of every other rate limit: kept for real-time work during a backfill."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take; request deadline < lease < settle time (docs/reliability.md)."""

    request_deadline_seconds: float = 30.0
    lease_seconds: float = 120.0
    settle_seconds: float = 300.0
    sweep_seconds: float = 15.0
    """How often due work is looked for without a bell."""
    linger_seconds: float = 2.0
    """How long a real-time change waits for others, so that a burst is one write."""
    pull_seconds: float = 300.0
    """How often a CRM is asked what changed; its webhooks are faster, and may get lost."""
    reread_seconds: float = 86_400.0
    """How often everything is read from the beginning: a formula changes without its record."""

    @property
    def patience_seconds(self) -> float:
        """How long one call may wait for the rate budget."""
        slack = self.lease_seconds - self.request_deadline_seconds
        return min(self.request_deadline_seconds, slack / 6)

    @property
    def longest_call_seconds(self) -> float:
        """Within which a call surely ends: well within a lease.

        Patience counts twice, since the place where the budget is counted may be lost midway.
        """
        return self.request_deadline_seconds + 2 * self.patience_seconds

    @property
    def freshness_seconds(self) -> float:
        """How old may be what a connector answers a look-up with, from a list of its own."""
        return self.settle_seconds / 100

    @property
    def landed_seconds(self) -> float:
        """When a look-up shows whatever came of a create, counted from where it was begun."""
        return self.settle_seconds + self.freshness_seconds

    @property
    def renew_below_seconds(self) -> float:
        """Renew a lease when less than this is left: while a call may still begin under it."""
        return self.longest_call_seconds + self.lease_seconds / 4


class RunTrigger(StrEnum):
    """What opened a run."""

    REALTIME = "realtime"
    HOURLY = "hourly"
    DAILY = "daily"
    CRON = "cron"
    EVENT = "event"
    BACKFILL = "backfill"
    COMMAND = "command"
    PULL = "pull"
    """What the CRM changed was read."""
    UNDO = "undo"
    """What a run wrote was put back."""
