"""What one slice of a push would do to records that hold something: counted before it is sent.

Pure. What is urgent and what is a backfill are counted apart: each stands for what is due behind it
of its own kind, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from crmsync.mapping.compiled import GuardLimit, Harm
from crmsync.model import LinkId, RunTrigger
from crmsync.planning.changes import Change, cleared, overwritten
from crmsync.store.links import PRIORITIES
from crmsync.sync.records import Draft

LOST: Mapping[Harm, Callable[[Mapping[str, Change]], list[str]]] = {
    Harm.CLEARED: cleared,
    Harm.CHANGED: overwritten,
}
"""Which fields each harm is done to."""


@dataclass(frozen=True, slots=True)
class Harmed:
    """What one kind of a slice's records would suffer in one way."""

    priority: int
    """As links have it: what is urgent, or a backfill."""
    seen: int
    """Records that hold something: linked, or found and about to be."""
    found: int
    """Of these, how many had no link when they were claimed."""
    homeless: int
    """Of how many without a link."""
    lost: Mapping[LinkId, Sequence[str]]
    """The fields of each record that is harmed."""

    @property
    def rate(self) -> float:
        """The share of the records that is harmed."""
        return len(self.lost) / max(1, self.seen)

    def expected(self, unlinked: int) -> float:
        """Return how many of so many without a link turn out to have a record, as often as here."""
        return unlinked * self.found / max(1, self.homeless)

    def without(self, allowed: Collection[str]) -> Harmed:
        """Leave out the fields that were let through."""
        lost = {
            link: left
            for link, names in self.lost.items()
            if (left := [name for name in names if name not in allowed])
        }
        return replace(self, lost=lost)


def harmed(
    limit: GuardLimit, drafts: Sequence[Draft], todo: Collection[LinkId]
) -> Iterator[Harmed]:
    """Yield what drafts would do, where something is to be sent of them, kind by kind."""
    for priority in PRIORITIES:
        judged = [
            d
            for d in drafts
            if d.claim.priority == priority
            and (not limit.backfill_only or d.claim.trigger is RunTrigger.BACKFILL)
        ]
        if judged:
            yield _count(LOST[limit.harm], judged, todo, priority)


def _count(
    lost_of: Callable[[Mapping[str, Change]], list[str]],
    drafts: Sequence[Draft],
    todo: Collection[LinkId],
    priority: int,
) -> Harmed:
    holding = [d for d in drafts if d.crm_id is not None]
    homeless = [d for d in drafts if d.claim.crm_id is None]
    lost = {
        d.claim.link_id: names
        for d in holding
        if d.claim.link_id in todo and (names := lost_of(d.changes))
    }
    found = sum(d.crm_id is not None for d in homeless)
    return Harmed(priority, len(holding), found, len(homeless), lost)
