"""Which links get something to send: those that read a fact that changed, or all of a new mapping.

Where a mapping is new or has changed, everybody it is about is marked, in bounded steps. Every
process calls `bring_up_to_date` when it starts; the first to see a mapping's new hash marks, and
what it leaves undone another goes on with. Backfill priority: live changes go first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.identity.facts import company_changed_with, facts
from crmsync.identity.people import is_known
from crmsync.identity.state import Touched
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.render import is_addressable, triggers_for
from crmsync.mapping.triggers import REALTIME, Trigger, next_due
from crmsync.model import Facts, Profile, ProfileId, ProfileKind, RunTrigger
from crmsync.store import links, profiles, state
from crmsync.store.links import PRIORITY_BACKFILL, Mark
from crmsync.store.state import SyncState
from crmsync.sync.context import Works

NEVER = datetime.max.replace(tzinfo=UTC)
STEP = 1_000
"""Profiles marked in one commit."""

log = structlog.get_logger()


def bring_up_to_date(works: Works, progress: Callable[[int], None] = lambda _: None) -> int:
    """Mark the links of every new or changed mapping; return how many links were marked."""
    return sum(_mark_changed(works, mapping, progress) for mapping in works.configuration.mappings)


def mark_all(works: Works, mapping: SyncMapping, progress: Callable[[int], None]) -> int:
    """Mark everybody a mapping is about, changed or not: a backfill."""
    works.store.database.transact(
        lambda connection: _begin(connection, mapping, state.lock_sync(connection, mapping.sync))
    )
    return _mark_changed(works, mapping, progress)


def is_superseded(works: Works, mapping: SyncMapping, known: SyncState) -> bool:
    """Whether another process works by a newer version of a mapping: this one must not push.

    It says so once; a process reads its files when it starts.
    """
    if mapping.hash not in works.begun or known.mapping_hash in {None, mapping.hash}:
        return False
    if mapping.sync not in works.superseded:
        works.superseded.add(mapping.sync)
        log.warning("mapping_changed_elsewhere", sync=mapping.sync, do="restart this process")
    return True


def _mark_changed(works: Works, mapping: SyncMapping, progress: Callable[[int], None]) -> int:
    database = works.store.database
    marked = 0
    while True:
        step = database.transact(lambda connection: _step(works, connection, mapping))
        if step is None:
            break
        marked += step
        progress(step)
    if marked:
        log.info("mapping_marked", sync=mapping.sync, links=marked)
        works.ring(mapping.connection)
    return marked


def _step(works: Works, connection: Connection, mapping: SyncMapping) -> int | None:
    """Mark the next thousand; None when the mapping's links are all marked.

    Each process begins once for a mapping: where two versions of the files run side by side, as in
    a rolling deploy, they do not mark everybody against each other for ever.
    """
    now = works.store.database.now(connection)
    known = state.lock_sync(connection, mapping.sync)
    is_new = known is None or known.mapping_hash != mapping.hash
    if is_new and mapping.hash in works.begun:
        return None
    works.begun.add(mapping.hash)
    if is_new:
        _begin(connection, mapping, known)
        after: ProfileId | None = ProfileId("")
    else:
        after = known.marking_after if known else None
    if after is None:
        return None
    people = profiles.page(connection, mapping.source, after=after, limit=STEP)
    marks = [
        _mark(mapping, person, now) for person in people if concerns(mapping, person, facts(person))
    ]
    links.mark(connection, marks)
    last = people[-1].id if len(people) == STEP else None
    state.marked_up_to(connection, mapping.sync, last)
    return len(marks)


def _begin(connection: Connection, mapping: SyncMapping, known: SyncState | None) -> None:
    state.start_marking(
        connection,
        SyncState(
            name=mapping.sync,
            connection=mapping.connection,
            object_type=mapping.object_type,
            mapping_hash=mapping.hash,
            marking_after=ProfileId(""),
            paused_at=known.paused_at if known else None,
            paused_why=known.paused_why if known else None,
        ),
    )


def marks_of(
    works: Works, connection: Connection, changed: Iterable[Touched], now: datetime
) -> list[Mark]:
    """Return the marks of exactly the links whose mapping reads a fact that changed.

    What a company is called is a fact of its people too: their links are marked as well.
    """
    others = _others(works, connection)
    due = _Due(works, now)
    marks: dict[tuple[str, str, ProfileId], Mark] = {}
    firms: list[Touched] = []
    for touched in changed:
        if not touched.changed:
            continue
        known = facts(touched.profile)
        for mapping in works.configuration.mappings:
            triggers = triggers_for(mapping, touched.changed)
            if mapping.sync in others:
                triggers |= {REALTIME}
            if triggers and concerns(mapping, touched.profile, known):
                one = due.mark(mapping, touched.profile.id, triggers)
                marks[one.connection, one.object_type, one.profile_id] = one
        if touched.profile.kind is ProfileKind.COMPANY:
            firms.append(touched)
    for one in _marks_of_members(works, connection, firms, due):
        marks.setdefault((one.connection, one.object_type, one.profile_id), one)
    return list(marks.values())


def _marks_of_members(
    works: Works, connection: Connection, firms: Iterable[Touched], due: _Due
) -> Iterator[Mark]:
    """Yield the marks of people whose mapping reads what their company is called."""
    for firm in firms:
        names = company_changed_with(firm.changed)
        reading = {
            mapping: triggers
            for mapping in works.configuration.mappings
            if mapping.source is ProfileKind.PERSON and (triggers := triggers_for(mapping, names))
        }
        people = profiles.members(connection, [firm.profile.id]) if reading else []
        for person in people:
            for mapping, triggers in reading.items():
                yield due.mark(mapping, person, triggers, creates=False)


class _Due:
    """When each trigger of a connection is next due, worked out once."""

    def __init__(self, works: Works, now: datetime) -> None:
        self._works = works
        self._now = now
        self._by: dict[tuple[str, Trigger], datetime | None] = {}

    def mark(
        self,
        mapping: SyncMapping,
        profile_id: ProfileId,
        triggers: Iterable[Trigger],
        *,
        creates: bool = True,
    ) -> Mark:
        """Return the mark of a link that is due by the earliest of some triggers."""
        name = mapping.connection
        first = min(triggers, key=lambda trigger: self._next(name, trigger) or NEVER)
        return Mark(
            name,
            mapping.object_type,
            profile_id,
            self._next(name, first),
            RunTrigger(first.kind),
            creates=creates,
        )

    def _next(self, name: str, trigger: Trigger) -> datetime | None:
        if (name, trigger) not in self._by:
            linger = _linger(self._works, name)
            self._by[name, trigger] = next_due(trigger, self._now, linger)
        return self._by[name, trigger]


def concerns(mapping: SyncMapping, profile: Profile, known: Facts) -> bool:
    """Whether a profile is ever sent by a mapping: somebody known, with a key to find them by.

    An anonymous visitor never becomes a CRM record, although their profile has an id.
    """
    if mapping.source is not profile.kind:
        return False
    is_somebody = profile.kind is ProfileKind.COMPANY or is_known(profile)
    return is_somebody and is_addressable(mapping, known)


def _mark(mapping: SyncMapping, person: Profile, now: datetime) -> Mark:
    return Mark(
        mapping.connection,
        mapping.object_type,
        person.id,
        now,
        RunTrigger.BACKFILL,
        PRIORITY_BACKFILL,
    )


def _others(works: Works, connection: Connection) -> set[str]:
    """Return the syncs whose mapping has another version by now: what that one reads is unknown."""
    known = state.list_syncs(connection)
    return {
        mapping.sync
        for mapping in works.configuration.mappings
        if (kept := known.get(mapping.sync)) and kept.mapping_hash not in {None, mapping.hash}
    }


def _linger(works: Works, name: str) -> timedelta:
    return timedelta(seconds=works.configuration.connections[name].timing.linger_seconds)
