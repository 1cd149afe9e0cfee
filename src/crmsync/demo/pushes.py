"""Pushing to all CRMs at the same time, and what each push came to.

Calls are counted where they arrive: in the ledgers of the simulated CRMs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from crmsync.cli.progress import Bar, bars, done_of, words_of
from crmsync.cli.screen import Screen
from crmsync.demo.crm import Backstage, DemoCrm
from crmsync.demo.crms import CRMS
from crmsync.errors import CrmsyncError
from crmsync.model import Profile, ProfileKind
from crmsync.sandbox import Control
from crmsync.store import known_records, links, profiles, runs
from crmsync.store.known_records import KnownRecord
from crmsync.store.runs import LogEntry
from crmsync.sync.command import Pushed, make_due, push_now
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date

SOON_SECONDS = 4.0
"""What is due later than this is left to a later push, so that the story goes on."""
MANY = 5_000
"""More people than the demo has."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one push to one CRM came to."""

    name: str
    """Of the step."""
    pushed: Pushed
    calls: Counter[str]
    """Those that the CRM received: `write`, `read`, `sign-in`."""
    in_step: int
    """Records that were as they should be in the end."""

    @property
    def counts(self) -> Counter[str]:
        """Return what was done with how many records: `created`, `updated`, `failed`."""
        return self.pushed.tally.counts

    @property
    def unchanged(self) -> int:
        """Return how many records were as they should be without a write."""
        return self.in_step - self.counts["created"] - self.counts["updated"]


class Stage:
    """One CRM of the demo, and the pushes to it so far."""

    def __init__(self, crm: DemoCrm, works: Works, control: Control) -> None:
        """Find the CRM's mapping."""
        self.crm = crm
        self.control = control
        self.rows: list[Row] = []
        self._works = works
        self._counted = 0
        """The `seq` of the last call that was counted."""
        [self._mapping] = [m for m in works.configuration.mappings if m.connection == crm.name]

    def backstage(self) -> Backstage:
        """Return the CRM as seen from behind the scenes."""
        connector = self._works.open_sync(self._mapping).connector
        known = [person for person in people(self._works) if person.email]
        return Backstage(self.control, connector, known)

    def make_due(self) -> int:
        """Make all that differs due; return how many records that is."""
        return make_due(self._works, self._mapping)

    def push(self, shown: Bar, stop: threading.Event) -> Pushed:
        """Push what is due now or soon; `stop` ends it after the calls under way."""
        enough = threading.Event()

        def wait(seconds: float, why: str) -> None:
            if seconds > SOON_SECONDS:
                enough.set()
                return
            shown.waits(seconds, why)
            stop.wait(seconds)

        pushed = push_now(
            self._works,
            self._mapping,
            wait=wait,
            go_on=lambda: not enough.is_set() and not stop.is_set(),
            progress=lambda tally: shown.to(done_of(tally), words_of(tally)),
        )
        if pushed.tally.rest is not None:
            raise CrmsyncError(f"{self.crm.label}: the push stopped: {pushed.tally.rest.message}")
        return pushed

    def note(self, name: str, pushed: Pushed, in_step: int) -> Row:
        """Keep what a push came to."""
        row = Row(name, pushed, self.count_calls(), in_step)
        self.rows.append(row)
        return row

    def entries(self, row: Row) -> list[LogEntry]:
        """Return what the sync log says of a push, newest first."""
        store = self._works.store
        with store.database.read() as connection:
            return list(runs.find_entries(connection, store.vault, run_id=row.pushed.run))

    def wakes_at(self) -> datetime | None:
        """Return when something uncertain is to be looked at, if anything is."""
        with self._works.store.database.read() as connection:
            return links.next_wake(connection, self.crm.name, [self.crm.object_type])

    def held(self) -> int:
        """Return how many records the CRM holds."""
        return int(self.control.about()["objects"][self.crm.object_type])

    def skip_calls(self) -> None:
        """Leave out of the counts what the CRM has received so far."""
        self.count_calls()

    def count_calls(self) -> Counter[str]:
        """Count what the CRM has received since this was last asked."""
        calls = self.control.ledger(since=self._counted)
        self._counted = max([self._counted, *(call["seq"] for call in calls)])
        return Counter(self.crm.kind_of(call) for call in calls)


def push_all(screen: Screen, works: Works, stages: Sequence[Stage], name: str) -> dict[str, Row]:
    """Push to these CRMs at once; return what each push came to, by CRM."""
    bring_up_to_date(works)
    totals = {stage.crm.name: stage.make_due() for stage in stages}
    stop = threading.Event()
    with (
        bars(screen, totals, unit="records") as shown,
        ThreadPoolExecutor(len(stages)) as threads,
    ):
        begun = [
            (stage, threads.submit(stage.push, shown[stage.crm.name], stop)) for stage in stages
        ]
        try:
            done = [(stage, push.result()) for stage, push in begun]
        finally:
            stop.set()
    known = known_by_crm(works)
    return {
        stage.crm.name: stage.note(name, pushed, in_step(known[stage.crm.name]))
        for stage, pushed in done
    }


def people(works: Works) -> list[Profile]:
    """Return everybody who is known, visitors too."""
    with works.store.database.read() as connection:
        return profiles.page(connection, ProfileKind.PERSON, limit=MANY)


def in_step(records: Sequence[KnownRecord]) -> int:
    """Return how many records are as they should be."""
    return sum(record.state == "clean" for record in records)


def known_by_crm(works: Works) -> dict[str, list[KnownRecord]]:
    """Return what is known of each CRM's records."""
    ids = [person.id for person in people(works)]
    by_crm: dict[str, list[KnownRecord]] = {}
    with works.store.database.read() as connection:
        known = known_records.known_records(connection, works.store.vault, ids)
    for records in known.values():
        for record in records:
            by_crm.setdefault(record.connection, []).append(record)
    return by_crm


def everywhere_in_step(works: Works) -> list[Profile]:
    """Return whom every CRM holds as they should be, in an order that stays the same."""
    everywhere = Counter(
        record.profile_id
        for records in known_by_crm(works).values()
        for record in records
        if record.state == "clean"
    )
    found = [one for one in people(works) if everywhere[one.id] == len(CRMS) and one.user_id]
    return sorted(found, key=lambda one: str(one.user_id))
