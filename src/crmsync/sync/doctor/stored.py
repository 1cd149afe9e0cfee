"""How a connection stands by what is stored: what it rests for, what waits, when what last went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from crmsync.mapping.compiled import SyncMapping
from crmsync.store import state, vitals, watches
from crmsync.store.vitals import Backlog
from crmsync.sync.context import Works
from crmsync.sync.doctor.finding import Finding, Subject, lasting
from crmsync.sync.subjects import next_pull
from crmsync.sync.webhooks import told_of

LATE_SECONDS = 60.0
"""Work that has waited longer since it was due is worth a word."""
STUCK_SECONDS = 900.0
PASSING = frozenset({"busy", "unreachable", "backfill"})
"""Causes of a rest that ends by itself."""
LOOK_LATE = timedelta(hours=1)


def check_stored(works: Works, name: str) -> list[Finding]:
    """Look at what the database knows of a connection; calls nobody."""
    subject = Subject(name)
    mappings = [one for one in works.configuration.mappings if one.connection == name]
    due = next_pull(works, name)
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        rest = _rest(connection, subject, mappings, now)
        waiting = vitals.backlogs(connection, now).get(name, Backlog())
        return [
            rest,
            _backlog(subject, waiting, now, rests=rest.level != "ok"),
            _set_aside(subject, waiting),
            _pushed(connection, subject, now),
            *_pulled(connection, subject, now, due),
            *_webhooks(connection, works, subject, now),
        ]


def _rest(
    connection: Connection, subject: Subject, mappings: Sequence[SyncMapping], now: datetime
) -> Finding:
    pause = state.find_pause(connection, subject.name, now)
    if pause is not None:
        seen = f"rests for {lasting((pause.until - now).total_seconds())} more: {pause.message}"
        if pause.cause in PASSING:
            return subject.warning("rest", seen, "nothing: it goes on by itself")
        advice = f"mend it, then `crmsync connect {subject.name}`; nothing is lost meanwhile"
        return subject.fault("rest", seen, advice)
    known = state.list_syncs(connection)
    for mapping in mappings:
        sync = known.get(mapping.sync)
        if sync and sync.rests_until is not None and sync.rests_until > now:
            seen = f"{mapping.sync} does not fit the CRM: {sync.rest_message}"
            return subject.fault("rest", seen, "`crmsync check --live` says where, in the file")
    return subject.ok("rest", "nothing keeps it from being called")


def _backlog(subject: Subject, waiting: Backlog, now: datetime, *, rests: bool) -> Finding:
    if waiting.oldest_at is None:
        return subject.ok("backlog", "nothing waits")
    age = (now - waiting.oldest_at).total_seconds()
    seen = f"{waiting.due:,} to be sent, due for {lasting(age)} at most"
    if age < LATE_SECONDS:
        return subject.ok("backlog", seen)
    if rests:
        return subject.warning("backlog", seen, "it is sent when the rest is over")
    if age < STUCK_SECONDS:
        return subject.warning("backlog", seen, "look again: it should be getting less")
    advice = "is a worker running? Its log says what it does; `crmsync runs` how far it came"
    return subject.fault("backlog", seen, advice)


def _set_aside(subject: Subject, waiting: Backlog) -> Finding:
    if not waiting.aside:
        return subject.ok("set aside", "no record waits for a person")
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(waiting.aside.items()))
    return subject.warning("set aside", counts, "`crmsync failures` groups them by cause")


def _pushed(connection: Connection, subject: Subject, now: datetime) -> Finding:
    latest = vitals.last_push(connection, subject.name)
    if latest is None:
        return subject.ok("last push", "nothing was sent yet")
    return subject.ok("last push", f"{lasting((now - latest).total_seconds())} ago")


def _pulled(
    connection: Connection, subject: Subject, now: datetime, due: datetime | None
) -> list[Finding]:
    """Return when it was last read, where it ever is."""
    if due is None:
        return []
    read_at = vitals.last_reading(connection, subject.name)
    last = f"last read {lasting((now - read_at).total_seconds())} ago" if read_at else "never read"
    late = (now - due).total_seconds()
    if late < STUCK_SECONDS:
        return [subject.ok("last pull", last)]
    seen = f"{last}; it should have been {lasting(late)} ago"
    return [subject.fault("last pull", seen, "is a worker running, and does the connection rest?")]


def _webhooks(
    connection: Connection, works: Works, subject: Subject, now: datetime
) -> list[Finding]:
    known = works.configuration.connections[subject.name]
    if known.webhooks is None or not told_of(works, subject.name):
        return []
    set_up, told_at = (
        watches.look_at(connection, subject.name),
        watches.last_told(connection, subject.name),
    )
    news = f"last news {lasting((now - told_at).total_seconds())} ago" if told_at else "no news yet"
    again = f"`crmsync webhooks {subject.name}`"
    if set_up is None and told_at is None:
        return [subject.warning("webhooks", "nobody set them up", f"{again} does, or says how")]
    if set_up is not None and set_up < now - LOOK_LATE:
        return [subject.warning("webhooks", f"{news}; nobody renews them", f"run {again}")]
    return [subject.ok("webhooks", news)]
