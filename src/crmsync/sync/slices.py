"""What one claim leased, on its way through a push."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crmsync.model import Profile, ProfileId, RunId, RunTrigger
from crmsync.store import runs
from crmsync.store.leases import CRASHES_OF_A_SUSPECT, Claim, Lease


def is_backfill(claims: Iterable[Claim]) -> bool:
    """Whether all of it can wait for real-time work."""
    return all(claim.trigger is RunTrigger.BACKFILL for claim in claims)


@dataclass(slots=True, eq=False)
class Slice:
    """What one claim leased, with all that is needed to render it."""

    lease: Lease
    profiles: Mapping[ProfileId, Profile]
    run_ids: Mapping[tuple[RunTrigger, datetime], RunId]
    began: float
    """When it was claimed, in our monotonic seconds."""
    ends_at: float
    """When the lease ends, in our monotonic seconds; moves when it is renewed."""
    unsettled: int
    """How many of its links have no outcome in the database yet."""

    @property
    def claims(self) -> Sequence[Claim]:
        """Return the leased links."""
        return self.lease.claims

    @property
    def is_suspect(self) -> bool:
        """Whether it is a single link, because it may be what ended its workers."""
        return [claim.crashes >= CRASHES_OF_A_SUSPECT for claim in self.claims] == [True]

    @staticmethod
    def window(claim: Claim) -> tuple[RunTrigger, datetime]:
        """Return the run window that a link's work belongs to."""
        return claim.trigger, runs.window_start(claim.trigger, claim.wake_at)

    def now(self) -> datetime:
        """Return the present time by the database's clock."""
        return self.lease.claimed_at + timedelta(seconds=time.monotonic() - self.began)

    def run_of(self, claim: Claim) -> RunId:
        """Return the run that a link's work belongs to."""
        return self.run_ids[self.window(claim)]
