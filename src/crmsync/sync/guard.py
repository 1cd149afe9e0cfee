"""The circuit for people's mistakes: a run that would do too much harm stops before it writes.

A blanked column upstream or a wrong line in a mapping looks like any other change, only for
everybody at once. So each slice is judged when it was rendered and before anything of it is sent:
by what the run has done so far, what the slice would do, and what is due behind it if that is
alike. Whoever trips it holds the whole sync, until a person has decided (`store.holds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

import structlog
from sqlalchemy import Connection

from crmsync.mapping.compiled import GuardLimit, Harm, SyncMapping
from crmsync.model import LinkId, ProfileId, Value
from crmsync.store import holds
from crmsync.store.holds import Hold
from crmsync.store.state import SyncState
from crmsync.sync.context import Sync
from crmsync.sync.harm import LOST, Harmed, harmed
from crmsync.sync.records import Draft
from crmsync.sync.slices import Slice

EXAMPLES = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Example:
    """One record and what would become of one field; values are for a terminal alone."""

    profile_id: ProfileId
    field: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Held:
    """Why a run was stopped."""

    hold: Hold
    examples: Sequence[Example]


def terms_of(guard: Sequence[GuardLimit]) -> str:
    """Return what a hold was judged by, as one text: another guard judges anew."""
    return " ".join(f"{one.harm}:{one.share:g}:{one.at_least}:{one.backfill_only}" for one in guard)


def is_stopped(mapping: SyncMapping, known: SyncState) -> bool:
    """Whether the workers are to leave a sync alone until a person has decided."""
    return known.paused_at is not None or holds.is_held(known.held, terms_of(mapping.guard))


def hold_of(mapping: SyncMapping, known: SyncState | None) -> Hold | None:
    """Return why a sync is held, where it still is."""
    if known is None or not holds.is_held(known.held, terms_of(mapping.guard)):
        return None
    return holds.of(known)


class Circuit:
    """Judges the slices of one push."""

    def __init__(self, sync: Sync) -> None:
        """Begin with nothing passed."""
        self._sync = sync
        self._terms = terms_of(sync.mapping.guard)
        self._passed: Counter[Harm] = Counter()
        self.held: Held | None = None
        """Set once a slice was not let through."""

    def trips(self, slice_: Slice, drafts: Sequence[Draft], todo: Collection[LinkId]) -> bool:
        """Return whether a slice must not be sent; the sync is held then.

        `todo`: the links of the drafts that something is to be sent of.
        """
        allowed: Mapping[str, Collection[str]] | None = None
        for limit in self._sync.mapping.guard:
            kinds = list(harmed(limit, drafts, todo))
            if any(kind.rate > limit.share for kind in kinds):
                # Only now is anything asked of the database: of few slices.
                if allowed is None:
                    allowed = self._allowed()
                kinds = [kind.without(allowed.get(limit.harm, ())) for kind in kinds]
                hold = self._judge(slice_, limit, kinds, has_leave=bool(allowed))
                if hold is not None:
                    self._hold(hold, drafts)
                    return True
            self._passed[limit.harm] += sum(len(kind.lost) for kind in kinds)
        return False

    def reset(self) -> None:
        """Forget what a person let through, once that is done."""
        database, mapping = self._sync.store.database, self._sync.mapping
        if self._allowed():
            place = mapping.connection, mapping.object_type
            database.transact(lambda c: holds.come_to_rest(c, mapping.sync, *place))

    def _allowed(self) -> Mapping[str, Collection[str]]:
        with self._sync.store.database.read() as connection:
            return holds.allowed(connection, self._sync.mapping.sync)

    def _judge(
        self, slice_: Slice, limit: GuardLimit, kinds: Sequence[Harmed], *, has_leave: bool
    ) -> Hold | None:
        """Return what the run would come to, where that is too much."""
        with self._sync.store.database.read() as connection:
            done = self._done(connection, slice_, limit, has_leave=has_leave)
            projected, more = done + 0.0, 0.0
            is_estimate = False
            for kind in kinds:
                if kind.lost:
                    linked, unlinked = self._ahead(connection, slice_, kind)
                    expected = kind.expected(unlinked)
                    projected += len(kind.lost) + kind.rate * (linked + expected)
                    more += kind.found + expected
                    is_estimate |= linked + expected > 0
            if projected <= limit.at_least or not any(kind.lost for kind in kinds):
                return None
            # Counting so far tells: beyond it the share cannot be passed.
            at_most = round(projected / limit.share) + 1
            mapping = self._sync.mapping
            held = holds.linked(connection, mapping.connection, mapping.object_type, at_most)
            records = max(1, held + round(more))
            if projected <= limit.share * records:
                return None
        fields = Counter(name for kind in kinds for names in kind.lost.values() for name in names)
        return Hold(
            harm=limit.harm,
            records=min(round(projected), records),
            linked=records,
            is_estimate=is_estimate,
            share=limit.share,
            fields=fields.most_common(),
            examples=[],
            terms=self._terms,
        )

    def _ahead(self, connection: Connection, slice_: Slice, kind: Harmed) -> tuple[int, int]:
        """Return how much more is due of a kind: with a record, and without one.

        Of a slice that is small because its workers vanished, nothing follows for others.
        """
        if any(claim.crashes for claim in slice_.claims):
            return 0, 0
        now = self._sync.store.database.now(connection)
        until = now + timedelta(seconds=self._sync.timing.lease_seconds)
        return holds.ahead(connection, slice_.lease, kind.priority, now, until)

    def _done(
        self, connection: Connection, slice_: Slice, limit: GuardLimit, *, has_leave: bool
    ) -> int:
        """Return how many records were harmed before this slice.

        What a person let through is not held against the rest of the same run. A command's run
        counts everything alike: of a backfill within it, only this push knows.
        """
        passed = self._passed[limit.harm] if limit.backfill_only else 0
        if has_leave:
            return passed
        only = limit.backfill_only
        ids = set(slice_.run_ids.values())
        return max(passed, holds.done(connection, ids, limit.harm, backfill_only=only))

    def _hold(self, hold: Hold, drafts: Sequence[Draft]) -> None:
        lost, counted = LOST[Harm(hold.harm)], {name for name, _ in hold.fields}
        found = (
            Example(d.claim.profile_id, names[0], *d.changes[names[0]])
            for d in drafts
            if (names := [name for name in lost(d.changes) if name in counted])
        )
        examples = list(islice(found, EXAMPLES))
        hold = replace(hold, examples=[(one.profile_id, one.field) for one in examples])
        database, mapping = self._sync.store.database, self._sync.mapping
        sync = SyncState(mapping.sync, mapping.connection, mapping.object_type, None, None, None)
        if database.transact(lambda c: holds.hold(c, sync, hold, database.now(c))):
            log.warning("held", sync=mapping.sync, why=hold.message)
        self.held = Held(hold, examples)
