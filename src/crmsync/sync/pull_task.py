"""Reading one subject of a connection: what was told of, what changed, all of it now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.connectors.throttle import in_background
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import CrmId, ObjectSchema, Record
from crmsync.store import cursors, hints, link_records, schemas, state
from crmsync.store.cursors import DEALS, Reading, Subject
from crmsync.sync.context import Sync, Works
from crmsync.sync.deal_taking import take_deals, tell_people
from crmsync.sync.delivery import Rest
from crmsync.sync.duplicates import doubled, strangers
from crmsync.sync.pulled import Progress, Pulled
from crmsync.sync.readers import deal_schema, informed, open_readers
from crmsync.sync.reading import Reader
from crmsync.sync.subjects import told_as
from crmsync.sync.sweeping import ask_for_unseen
from crmsync.sync.taking import How, take
from crmsync.sync.told import read_deals, read_records

HINTS_AT_ONCE = 1_000
"""Records that were told of, read in one go."""

log = structlog.get_logger()


@dataclass(slots=True)
class Task:
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
        """Read what was told of, then what changed since the cursor, then all that is to be swept.

        A sweep of hours is read in parts, and what changed goes before each of them.
        """
        self._read_told_of(pulled, progress)
        polled = False
        for _ in ("what changed", "all of it"):
            reading = self._begin(due_only=due_only, anew=anew, just_polled=polled)
            if reading is None:
                pulled.busy |= not due_only and (anew or bool(self.subject.every))
                return
            whole = False
            try:
                with in_background(when=reading.is_sweep):
                    whole = self._read_all(reading, pulled, go_on, progress)
            finally:
                self._end(reading, whole=whole)
            if whole and reading.is_sweep:
                pulled.is_swept = True
                while go_on() and self._read_told_of(pulled, progress):
                    pass
            if not whole or not go_on():
                return
            due_only, anew, polled = True, False, not reading.is_sweep

    def let_rest(self, rest: Rest) -> None:
        """Keep the workers from reading what does not fit the CRM; what is pushed may fit it."""
        database, name = self.sync.store.database, self.subject.connection
        subject = told_as(self.subject)
        log.warning("reading_rests", connection=name, object=subject, why=rest.message)

        def work(connection: Connection) -> None:
            now = database.now(connection)
            schemas.forget_schema(connection, name, self.subject.name)
            cursors.rest(connection, self.subject, now, now + timedelta(seconds=rest.seconds))

        database.transact(work)

    # --- what is read ------------------------------------------------------------------------

    def _begin(self, *, due_only: bool, anew: bool, just_polled: bool) -> Reading | None:
        """Lease what is to be read next; None where that is nothing, or somebody else reads it."""
        database, subject = self.sync.store.database, self.subject
        if not (subject.is_read or anew):
            return None
        held_until = None
        if due_only:
            with database.read() as connection:
                now = database.now(connection)
                held_until = state.backfill_hold(connection, subject.connection, now)
                due = cursors.next_reading(connection, subject, sweep_from=held_until)
            if due is not None and due > now:
                return None
        return database.transact(
            lambda c: cursors.begin_reading(
                c,
                subject,
                database.now(c),
                self._lease,
                anew=anew,
                due_only=due_only,
                just_polled=just_polled,
                sweep_from=held_until,
            )
        )

    def _end(self, reading: Reading, *, whole: bool) -> None:
        database = self.sync.store.database
        database.transact(lambda c: cursors.end_reading(c, reading, database.now(c), whole=whole))

    def _read_all(
        self, reading: Reading, pulled: Pulled, go_on: Callable[[], bool], progress: Progress
    ) -> bool:
        """Read page after page; return whether all there was has been read, and is seen to."""
        if self.subject.name == DEALS:
            return self._read_deals(reading, pulled, go_on, progress)
        if not self._read_records(reading, pulled, go_on, progress):
            return False
        if reading.sweep_began_at is None or not self.sync.mapping.reconcile:
            return True
        unseen = ask_for_unseen(self.sync, reading, reading.sweep_began_at)
        pulled.sweep["unseen"] += unseen or 0
        return unseen is not None

    def _read_deals(
        self, reading: Reading, pulled: Pulled, go_on: Callable[[], bool], progress: Progress
    ) -> bool:
        schema, readers = self._readers(anew=reading.is_sweep)
        for page in self.sync.connector.deals(reading.cursor, sorted(self.subject.fields)):
            pulled.records += len(page.deals)
            fields = (deal.fields for deal in page.deals)
            readers = informed(self.sync, self.subject, readers, schema, fields)
            counts = take_deals(
                readers,
                page.deals,
                schema,
                self._step(reading, page.cursor),
                all_of_them=reading.is_sweep,
            )
            pulled.busy |= counts is None
            pulled.counts += counts or Counter()
            progress(pulled)
            if counts is None or not go_on():
                return False
        return True

    def _read_records(
        self, reading: Reading, pulled: Pulled, go_on: Callable[[], bool], progress: Progress
    ) -> bool:
        schema, readers = self._readers(anew=reading.is_sweep)
        fields, began = sorted(self.subject.fields), self._now()
        how = How.SWEPT if reading.is_sweep and self.sync.mapping.reconcile else How.LISTED
        for page in self.sync.connector.changes(self.subject.name, reading.cursor, fields):
            pulled.records += len(page.records)
            shown = (record.fields for record in page.records)
            readers = informed(self.sync, self.subject, readers, schema, shown)
            step = self._step(reading, page.cursor)
            books = take(readers[0], page.records, began, step, how=how)
            pulled.count(books)
            progress(pulled)
            if books is None or not go_on():
                return False
            began = self._now()
        return True

    def _step(self, reading: Reading, cursor: str) -> Callable[[Connection], bool]:
        """Return what saves how far was read, in the transaction that takes it."""
        database = self.sync.store.database
        return lambda c: cursors.read_up_to(c, reading, cursor, database.now(c) + self._lease)

    # --- what was told of ----------------------------------------------------------------------

    def _read_told_of(self, pulled: Pulled, progress: Progress) -> bool:
        """Read records that were told of, fresh; return whether there were any."""
        told = self.sync.store.database.transact(self._claim_told)
        if told:
            pulled.records += len(told)
            if self.subject.name == DEALS:
                self._read_told_deals(told, pulled)
            else:
                self._read_told_records(told, pulled)
            progress(pulled)
        return bool(told)

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

    def _read_told_deals(self, told: Sequence[hints.ToRead], pulled: Pulled) -> None:
        schema, readers = self._readers()
        found = read_deals(self.sync.connector, told, sorted(self.subject.fields))
        fields = (deal.fields for deal in found)
        readers = informed(self.sync, self.subject, readers, schema, fields)
        pulled.counts += take_deals(readers, found, schema, self._forget(told)) or Counter()

    def _read_told_records(self, told: Sequence[hints.ToRead], pulled: Pulled) -> None:
        database, began = self.sync.store.database, self._now()
        schema, readers = self._readers()
        records = self._read(told)
        records += self._read(self._linked_to(records))
        fields = (record.fields for record in records)
        readers = informed(self.sync, self.subject, readers, schema, fields)
        if self.sync.mapping.deals is not None:  # first: what was told is forgotten with the rest
            ids, of_deals = [one.crm_id for one in told], deal_schema(self.sync)
            pulled.counts += database.transact(lambda c: tell_people(c, readers[0], ids, of_deals))
        pulled.count(take(readers[0], records, began, self._forget(told), how=How.BY_ID))

    def _read(self, told: Sequence[hints.ToRead]) -> list[Record]:
        fields = sorted(self.subject.fields)
        return read_records(self.sync.connector, self.subject.name, told, fields)

    def _linked_to(self, records: Sequence[Record]) -> list[hints.ToRead]:
        """Return the records that some of these may be duplicates of, and that are not among them.

        Whether they are is judged of the two as they are now.
        """
        name, object_type = self.subject.connection, self.subject.name
        ids: set[CrmId] = {i for r in records for i in (r.crm_id, *r.former_ids)}
        with self.sync.store.database.read() as connection:
            owned = link_records.owners(connection, name, object_type, ids)
            found = doubled(connection, self.sync.mapping, strangers(records, owned))
        wanted = sorted({one.linked for one in found} - ids)
        return [hints.ToRead(object_type, one, told=0) for one in wanted]

    def _forget(self, told: Sequence[hints.ToRead]) -> Callable[[Connection], bool]:
        """Return what forgets the hints, in the transaction that takes what was read for them."""
        database = self.sync.store.database

        def step(connection: Connection) -> bool:
            hints.done(connection, self.subject.connection, told, database.now(connection))
            return True

        return step

    # --- what it is judged by -------------------------------------------------------------------

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.sync.timing.lease_seconds)

    def _now(self) -> datetime:
        with self.sync.store.database.read() as connection:
            return self.sync.store.database.now(connection)

    def _readers(self, *, anew: bool = False) -> tuple[ObjectSchema, list[Reader]]:
        return open_readers(self.works, self.sync, self.subject, self.mappings, anew=anew)
