"""The pull: what changed in a CRM ─► pages ─► profiles, for one connection.

Two ways in, one way on: the cursor of each object type (and of deals) is read every
`timing.pull_seconds`, and records that a webhook told of are read at once. A page and its cursor
are taken in one transaction (`taking`, `deal_taking`), so a crash repeats a page and loses none;
what is taken twice changes nothing. Called by the workers and by `crmsync pull`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, RetryLater
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import Directory, Fields, ObjectSchema
from crmsync.store import cursors, hints, state
from crmsync.store.cursors import DEALS, Reading, Subject
from crmsync.sync.context import Sync, Works
from crmsync.sync.deal_taking import take_deals, tell_people
from crmsync.sync.delivery import HALT_SECONDS, MISFIT, Rest
from crmsync.sync.naming import names_of
from crmsync.sync.reading import Reader
from crmsync.sync.resting import leave_alone, rest_for
from crmsync.sync.schemas import live_schema
from crmsync.sync.subjects import is_outdated, reads_back, subjects_of, told_as
from crmsync.sync.taking import take
from crmsync.sync.told import read_deals, read_records

HINTS_AT_ONCE = 1_000
"""Records that were told of, read in one go."""
UNUSABLE = "misconfigured"
"""The cause of a rest because a connection cannot even be opened."""
log = structlog.get_logger()


@dataclass(slots=True)
class Pulled:
    """What a pull came to so far."""

    counts: Counter[str] = field(default_factory=Counter)
    """taken, unchanged, later, drifted, frozen, deals, and the fates of `life`."""
    records: int = 0
    rest: Rest | None = None
    """Why it stopped early."""
    busy: bool = False
    """Somebody else reads the same."""


Progress = Callable[[Pulled], None]


def pull(  # noqa: PLR0913 - what to read, when to stop, whom to tell
    works: Works,
    name: str,
    *,
    only: Sequence[SyncMapping] = (),
    go_on: Callable[[], bool] = lambda: True,
    seconds: float = math.inf,
    due_only: bool = False,
    anew: bool = False,
    progress: Progress = lambda _: None,
) -> Pulled:
    """Read what changed in a connection's CRM, for about so many `seconds`.

    `only` these mappings; `due_only`: what it is time for; `anew`: everything, from the beginning.
    Its object types and its deals share the time, so that a long list keeps no other waiting.
    """
    pulled = Pulled()
    if due_only and is_outdated(works, name):
        return pulled
    try:
        tasks = list(_tasks(works, name, only))
    except ConfigError as mistake:  # the connection cannot be opened at all
        pulled.rest = Rest(HALT_SECONDS, UNUSABLE, mistake.user_message)
        leave_alone(works.store, _first_mapping(works, name), pulled.rest)
        return pulled
    for task in tasks:
        if not go_on():
            break
        stop_at = time.monotonic() + seconds / len(tasks)
        try:
            task.run(
                pulled,
                lambda: go_on() and time.monotonic() < stop_at,  # noqa: B023 - used at once
                due_only=due_only,
                anew=anew,
                progress=progress,
            )
        except (RetryLater, ConnectionHalted, BatchRejected, ConfigError) as trouble:
            pulled.rest = rest_for(trouble)
            if pulled.rest.cause != MISFIT:
                leave_alone(works.store, task.sync.mapping, pulled.rest)
                break
            task.let_rest(pulled.rest)
    return pulled


@dataclass(slots=True)
class _Task:
    """Reading one subject of a connection."""

    works: Works
    sync: Sync
    subject: Subject
    mappings: Sequence[SyncMapping]
    """Those that read deals; else the one of the object type."""

    def run(
        self,
        pulled: Pulled,
        go_on: Callable[[], bool],
        *,
        due_only: bool,
        anew: bool,
        progress: Progress,
    ) -> None:
        """Read what was told of, then what changed since the cursor."""
        database = self.sync.store.database
        with database.read() as connection:
            now = database.now(connection)
            due = cursors.next_reading(connection, self.subject)
        told = database.transact(self._claim_told)
        if told:
            self._read_told(told, pulled)
            progress(pulled)
        if not self.subject.every or (due_only and due is not None and due > now):
            return
        reading = database.transact(
            lambda c: cursors.begin_reading(
                c, self.subject, database.now(c), self._lease, anew=anew
            )
        )
        if reading is None:
            pulled.busy = True
            return
        whole = False
        try:
            whole = self._read_changes(reading, pulled, go_on, progress)
        finally:
            database.transact(
                lambda c: cursors.end_reading(c, reading, database.now(c), whole=whole)
            )

    def _claim_told(self, connection: Connection) -> list[hints.ToRead]:
        now = self.sync.store.database.now(connection)
        return hints.claim(
            connection,
            self.subject.connection,
            told_as(self.subject),
            now,
            until=now + self._lease,
            limit=HINTS_AT_ONCE,
        )

    def let_rest(self, rest: Rest) -> None:
        """Keep the workers from reading what does not fit the CRM; what is pushed may fit it."""
        database, name = self.sync.store.database, self.subject.connection
        subject = told_as(self.subject)
        log.warning("reading_rests", connection=name, object=subject, why=rest.message)

        def work(connection: Connection) -> None:
            until = database.now(connection) + timedelta(seconds=rest.seconds)
            state.forget_schema(connection, name, self.subject.name)
            cursors.rest(connection, self.subject, until)

        database.transact(work)

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.sync.timing.lease_seconds)

    def _read_changes(
        self, reading: Reading, pulled: Pulled, go_on: Callable[[], bool], progress: Progress
    ) -> bool:
        """Read page after page; return whether all there was has been read."""
        database, fields = self.sync.store.database, sorted(self.subject.fields)
        schema, readers = self._readers(anew=reading.is_sweep)

        def step(cursor: str) -> Callable[[Connection], bool]:
            return lambda c: cursors.read_up_to(c, reading, cursor, database.now(c) + self._lease)

        if self.subject.name == DEALS:
            for deals in self.sync.connector.deals(reading.cursor, fields):
                pulled.records += len(deals.deals)
                readers = self._informed(readers, schema, (deal.fields for deal in deals.deals))
                counts = take_deals(
                    readers,
                    deals.deals,
                    schema,
                    step(deals.cursor),
                    all_of_them=reading.is_sweep,
                )
                if not _counted(pulled, counts, progress) or not go_on():
                    return False
            return True
        began, object_type = self._now(), self.subject.name
        for page in self.sync.connector.changes(object_type, reading.cursor, fields):
            pulled.records += len(page.records)
            readers = self._informed(readers, schema, (r.fields for r in page.records))
            books = take(readers[0], page.records, began, step(page.cursor))
            if not _counted(pulled, books.counts if books else None, progress) or not go_on():
                return False
            began = self._now()
        return True

    def _read_told(self, told: Sequence[hints.ToRead], pulled: Pulled) -> None:
        """Read the records that a webhook told of, fresh."""
        database, connector = self.sync.store.database, self.sync.connector
        fields = sorted(self.subject.fields)
        schema, readers = self._readers()
        name = self.subject.connection

        def step(connection: Connection) -> bool:
            hints.done(connection, name, told)
            return True

        pulled.records += len(told)
        if self.subject.name == DEALS:
            found = read_deals(connector, told, fields)
            readers = self._informed(readers, schema, (deal.fields for deal in found))
            pulled.counts += take_deals(readers, found, schema, step) or Counter()
            return
        began = self._now()
        records = read_records(connector, self.subject.name, told, fields)
        readers = self._informed(readers, schema, (record.fields for record in records))
        if self.sync.mapping.deals is not None:  # first: what was told is forgotten with the rest
            ids, deal_schema = [one.crm_id for one in told], _deal_schema(self.sync)
            pulled.counts += database.transact(
                lambda c: tell_people(c, readers[0], ids, deal_schema)
            )
        books = take(readers[0], records, began, step, is_fresh=True)
        pulled.counts += books.counts if books else Counter()

    def _now(self) -> datetime:
        with self.sync.store.database.read() as connection:
            return self.sync.store.database.now(connection)

    def _informed(
        self, readers: list[Reader], schema: ObjectSchema, page: Iterable[Fields]
    ) -> list[Reader]:
        """Have the CRM's owners and stages read again where a page names one that is new."""
        names, by_field = readers[0].names, _directories(schema, self.subject)
        if all(
            names.has(directory, fields.get(name))
            for fields in page
            for name, directory in by_field.items()
        ):
            return readers
        fresh = names_of(self.sync, set(by_field.values()), anew=True)
        return [replace(reader, names=fresh) for reader in readers]

    def _readers(self, *, anew: bool = False) -> tuple[ObjectSchema, list[Reader]]:
        """Return the fields that are read, and what pages are judged by."""
        if self.subject.name == DEALS:
            schema = _deal_schema(self.sync)
            names = names_of(self.sync, _directories(schema, self.subject).values(), anew=anew)
            syncs = [self.works.open_sync(mapping) for mapping in self.mappings]
            return schema, [Reader.of(self.works, one, live_schema(one), names) for one in syncs]
        schema = live_schema(self.sync)
        names = names_of(self.sync, _directories(schema, self.subject).values(), anew=anew)
        return schema, [Reader.of(self.works, self.sync, schema, names)]


def _counted(pulled: Pulled, counts: Counter[str] | None, progress: Progress) -> bool:
    """Count a page; False where it was not ours to take."""
    if counts is None:
        pulled.busy = True
        return False
    pulled.counts += counts
    progress(pulled)
    return True


def _first_mapping(works: Works, name: str) -> SyncMapping:
    return next(m for m in works.configuration.mappings if m.connection == name)


def _tasks(works: Works, name: str, only: Sequence[SyncMapping]) -> Iterator[_Task]:
    mappings = [m for m in works.configuration.mappings if m.connection == name]
    wanted = [m for m in mappings if reads_back(m) and (not only or m in only)]
    by_type = {subject.name: subject for subject in subjects_of(works, name)}
    for mapping in wanted:
        subject = by_type[mapping.object_type]
        yield _Task(works, works.open_sync(mapping), subject, [mapping])
    with_deals = [m for m in mappings if m.deals]
    if any(m.deals for m in wanted):
        yield _Task(works, works.open_sync(with_deals[0]), by_type[DEALS], with_deals)


def _directories(schema: ObjectSchema, subject: Subject) -> dict[str, Directory]:
    """Return which of the fields that are read hold ids of what."""
    described = (schema.fields.get(name) for name in subject.fields)
    return {one.name: one.directory for one in described if one and one.directory}


def _deal_schema(sync: Sync) -> ObjectSchema:
    return live_schema(sync, deals=True)
