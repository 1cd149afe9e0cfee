"""Ticks: what each sync's schedule says, which ticks have been run, what comes next.

Work becomes due by the links' own `due_at`; a tick opens the run that its results belong to and
wakes the workers. Any number of processes may call `tick`: a row in `schedule_ticks` decides who
runs it. Ticks missed while everything was down are run once, not once each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.triggers import Trigger, TriggerKind, next_ticks
from crmsync.model import RunTrigger
from crmsync.store import links, runs, state
from crmsync.store.holds import Hold
from crmsync.store.runs import Run
from crmsync.sync.context import Works
from crmsync.sync.guard import hold_of
from crmsync.sync.subjects import next_pull, reads_back

SCHEDULED = {TriggerKind.HOURLY, TriggerKind.DAILY, TriggerKind.CRON}
LOOK_BACK = timedelta(days=2)
"""A tick missed longer ago is not made up for: its work is due in the links all the same."""
LATE = timedelta(minutes=5)
"""A tick that nobody has taken by then is late: every worker looks each sweep."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one sync's schedule holds."""

    sync: str
    triggers: tuple[str, ...]
    next_runs: tuple[datetime, ...]
    last_run: Run | None
    paused_at: datetime | None
    overdue_seconds: float
    """How long the oldest work that is due has been waiting."""
    rests_until: datetime | None
    """When the workers try again what halted the sync or its connection."""
    rest_message: str
    next_pull: datetime | None = None
    """When what changed in its CRM is read next; None where nothing is read back."""
    pull_seconds: float = 0.0
    """How often that is read."""
    pull_overdue_seconds: float = 0.0
    """How long it has been waiting."""
    paused_why: str | None = None
    """Where it was not a person who paused it."""
    held: Hold | None = None
    """What its next run would do to too many records."""


def tick(works: Works) -> int:
    """Run the ticks that are due and that nobody has taken; return how many this process ran."""
    database = works.store.database
    ran = 0
    for mapping in works.configuration.mappings:
        for trigger in _schedules(mapping):
            if database.transact(
                lambda connection, m=mapping, t=trigger: _take(  # type: ignore[misc] # bound now
                    connection, m, t, database.now(connection)
                )
            ):
                ran += 1
                works.ring(mapping.connection)
    return ran


def overdue_ticks(works: Works) -> list[tuple[str, str, float]]:
    """Return the ticks that nobody has taken: (sync, trigger, for how many seconds).

    Of a schedule that has never been kept nothing can be said.
    """
    late = []
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        for mapping in works.configuration.mappings:
            for trigger in _schedules(mapping):
                missed = _first_missed(connection, mapping, trigger, now)
                if missed is not None and now - missed > LATE:
                    late.append((mapping.sync, str(trigger), (now - missed).total_seconds()))
    return late


def outlook(works: Works, count: int = 5) -> list[Outlook]:
    """Return every sync's triggers, its next runs and its last one."""
    pulls = {
        name: next_pull(works, name)
        for name in {m.connection for m in works.configuration.mappings if reads_back(m)}
    }
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        known = state.list_syncs(connection)
        found = []
        for mapping in works.configuration.mappings:
            one = _outlook(connection, mapping, known.get(mapping.sync), now, count)
            due = pulls.get(mapping.connection) if reads_back(mapping) else None
            if due is not None:
                every = works.configuration.connections[mapping.connection].timing.pull_seconds
                late = max(0.0, (now - due).total_seconds())
                one = replace(one, next_pull=due, pull_seconds=every, pull_overdue_seconds=late)
            found.append(one)
        return found


def set_paused(works: Works, sync: str, *, paused: bool, why: str | None = None) -> None:
    """Pause a sync, or let it go on; what becomes due meanwhile waits."""
    database = works.store.database
    database.transact(
        lambda connection: state.set_paused(
            connection, sync, database.now(connection) if paused else None, why
        )
    )
    if not paused:
        works.ring(works.mappings[sync].connection)


def _schedules(mapping: SyncMapping) -> list[Trigger]:
    triggers = set(mapping.triggers).union(*(f.triggers for f in mapping.fields))
    return sorted((t for t in triggers if t.kind in SCHEDULED), key=str)


def _take(connection: Connection, mapping: SyncMapping, trigger: Trigger, now: datetime) -> bool:
    last = runs.last_tick(connection, mapping.sync, str(trigger)) or now - LOOK_BACK
    due = _latest_tick(trigger, max(last, now - LOOK_BACK), now)
    if due is None or not runs.take_tick(connection, mapping.sync, str(trigger), due):
        return False
    kind = RunTrigger(trigger.kind)
    start = runs.window_start(kind, due)
    runs.open_run(
        connection, mapping.sync, mapping.connection, mapping.object_type, kind, start, now
    )
    log.info("tick", sync=mapping.sync, trigger=str(trigger))
    return True


def _first_missed(
    connection: Connection, mapping: SyncMapping, trigger: Trigger, now: datetime
) -> datetime | None:
    """Return the first tick after the last that was taken; the latest is never long ago."""
    last = runs.last_tick(connection, mapping.sync, str(trigger))
    ticks = next_ticks(trigger, max(last, now - LOOK_BACK), 1) if last else []
    return ticks[0] if ticks else None


def _latest_tick(trigger: Trigger, after: datetime, now: datetime) -> datetime | None:
    latest = None
    while True:
        ticks = next_ticks(trigger, after, 1)
        if not ticks or ticks[0] > now:
            return latest
        latest = after = ticks[0]


def _outlook(
    connection: Connection,
    mapping: SyncMapping,
    known: state.SyncState | None,
    now: datetime,
    count: int,
) -> Outlook:
    ticks = sorted({t for s in _schedules(mapping) for t in next_ticks(s, now, count)})
    triggers = set(mapping.triggers).union(*(f.triggers for f in mapping.fields))
    latest = runs.list_runs(connection, 1, mapping.sync)
    oldest = links.next_wake(connection, mapping.connection, [mapping.object_type])
    rest = _rest(state.find_pause(connection, mapping.connection, now), known, now)
    overdue = (now - oldest).total_seconds() if oldest is not None else 0.0
    return Outlook(
        sync=mapping.sync,
        triggers=tuple(sorted(map(str, triggers))),
        next_runs=tuple(ticks[:count]),
        last_run=latest[0] if latest else None,
        paused_at=known.paused_at if known else None,
        overdue_seconds=max(0.0, overdue),
        rests_until=rest[0],
        rest_message=rest[1],
        paused_why=known.paused_why if known else None,
        held=hold_of(mapping, known),
    )


def _rest(
    pause: state.Pause | None, known: state.SyncState | None, now: datetime
) -> tuple[datetime | None, str]:
    if pause is not None:
        return pause.until, pause.message
    if known is not None and known.rests_until is not None and known.rests_until > now:
        return known.rests_until, known.rest_message or ""
    return None, ""
