"""Runs, their schedule ticks and their log entries: what was done, when, why, with what result.

A run is one tick of a schedule, one command, or for real-time and event triggers one hour of a
sync.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, func, select, update

from crmsync.model import ProfileId, RunId, RunTrigger
from crmsync.store import bulk
from crmsync.store.tables import runs, schedule_ticks, sync_log
from crmsync.store.vault import Vault

COUNTS = ("created", "updated", "unchanged", "retried", "failed")
HOUR_WINDOWS = {
    RunTrigger.REALTIME,
    RunTrigger.EVENT,
    RunTrigger.HOURLY,
    RunTrigger.BACKFILL,
    RunTrigger.PULL,
}


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a sync and what it came to."""

    id: RunId
    sync: str
    connection: str
    object_type: str
    trigger: str
    started_at: datetime
    last_at: datetime
    finished_at: datetime | None
    created: int
    updated: int
    unchanged: int
    retried: int
    failed: int
    calls: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One operation's result within a run."""

    run: RunId
    sync: str
    connection: str
    object: str
    profile_id: ProfileId
    crm_id: str | None
    action: str
    outcome: str
    fields: dict[str, list[Any]]
    error: dict[str, str | None] | None
    excerpt: str
    attempt: int
    at: datetime


def window_start(trigger: RunTrigger, due: datetime) -> datetime:
    """Return the start of the run that work due at a moment belongs to."""
    if trigger in HOUR_WINDOWS:
        return due.replace(minute=0, second=0, microsecond=0)
    if trigger is RunTrigger.DAILY:
        return due.replace(hour=0, minute=0, second=0, microsecond=0)
    return due.replace(second=0, microsecond=0)  # the finest that a cron expression can say


def open_run(  # noqa: PLR0913, PLR0917 - a run is named by all of these
    connection: Connection,
    sync: str,
    name: str,
    object_type: str,
    trigger: RunTrigger,
    start: datetime,
    now: datetime,
) -> RunId:
    """Return the run of a sync's window, opening it where nobody has yet."""
    row = {
        "sync": sync,
        "connection": name,
        "object_type": object_type,
        "trigger": trigger,
        "window_start": start,
        "started_at": now,
        "last_at": now,
        **dict.fromkeys(COUNTS, 0),
        "calls": 0,
    }
    bulk.insert(connection, runs, [row], or_ignore=True)
    found = connection.execute(
        select(runs.c.id).where(
            runs.c.sync == sync, runs.c.trigger == trigger, runs.c.window_start == start
        )
    ).scalar_one()
    return RunId(found)


def add(
    connection: Connection, run_id: RunId, counts: Mapping[str, int], *, calls: int, now: datetime
) -> None:
    """Add results and API calls to a run."""
    sums = {name: runs.c[name] + number for name, number in counts.items()}
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(**sums, calls=runs.c.calls + calls, last_at=now)
    )


def finish(connection: Connection, run_id: RunId, now: datetime) -> None:
    """Say that a run has done all it was opened for."""
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.finished_at.is_(None))
        .values(finished_at=now)
    )


def take_tick(connection: Connection, sync: str, trigger: str, tick_at: datetime) -> bool:
    """Return whether this process is the one to run a tick; any number may ask."""
    tick = {"sync": sync, "trigger": trigger, "tick_at": tick_at}
    return bulk.insert(connection, schedule_ticks, [tick], or_ignore=True) == 1


def last_tick(connection: Connection, sync: str, trigger: str) -> datetime | None:
    """Return the latest tick that was taken."""
    moment: datetime | None = connection.execute(
        select(func.max(schedule_ticks.c.tick_at)).where(
            schedule_ticks.c.sync == sync, schedule_ticks.c.trigger == trigger
        )
    ).scalar()
    return moment


def list_runs(connection: Connection, limit: int, sync: str | None = None) -> list[Run]:
    """Return the latest runs, newest first."""
    query = select(*(runs.c[name] for name in Run.__slots__)).order_by(runs.c.id.desc())
    if sync is not None:
        query = query.where(runs.c.sync == sync)
    return [Run(*row) for row in connection.execute(query.limit(limit))]


def exists(connection: Connection, run_id: RunId) -> bool:
    """Return whether there is such a run."""
    found = connection.execute(select(runs.c.id).where(runs.c.id == run_id)).scalar()
    return found is not None


def get_run(connection: Connection, run_id: RunId) -> Run:
    """Return one run; `NoResultFound` for an id that never was."""
    query = select(*(runs.c[name] for name in Run.__slots__)).where(runs.c.id == run_id)
    return Run(*connection.execute(query).one())


def log_entries(
    connection: Connection, vault: Vault, *conditions: ColumnElement[bool], limit: int | None = None
) -> Iterator[LogEntry]:
    """Yield log entries that meet the conditions, newest first."""
    query = (
        select(sync_log, runs.c.sync, runs.c.connection, runs.c.object_type)
        .join(runs, runs.c.id == sync_log.c.run_id)
        .where(*conditions)
        .order_by(sync_log.c.id.desc())
        .limit(limit)
    )
    for row in connection.execution_options(yield_per=500).execute(query):
        yield _entry(vault, row)


def find_entries(  # noqa: PLR0913 - each is one question a person may ask
    connection: Connection,
    vault: Vault,
    *,
    failed: bool = False,
    profile_id: ProfileId | None = None,
    run_id: RunId | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Iterator[LogEntry]:
    """Yield the log entries that are asked for, newest first; everything left out matches all."""
    conditions: list[ColumnElement[bool]] = []
    if failed:
        conditions.append(sync_log.c.error_class.is_not(None))
    if profile_id is not None:
        conditions.append(sync_log.c.profile_id == profile_id)
    if run_id is not None:
        conditions.append(sync_log.c.run_id == run_id)
    if since is not None:
        conditions.append(sync_log.c.at >= since)
    return log_entries(connection, vault, *conditions, limit=limit)


def _entry(vault: Vault, row: Any) -> LogEntry:
    content = orjson.loads(vault.open(row.sealed, f"sync_log:{row.link_id}"))
    error = None
    if row.error_class is not None:
        error = {
            "class": row.error_class,
            "code": row.error_code,
            "field": row.error_field,
            "message": content.get("message"),
            "hint": content.get("hint"),
        }
    return LogEntry(
        run=row.run_id,
        sync=row.sync,
        connection=row.connection,
        object=row.object_type,
        profile_id=row.profile_id,
        crm_id=row.crm_id,
        action=row.action,
        outcome=row.outcome,
        fields=content["fields"],
        error=error,
        excerpt=content.get("excerpt", ""),
        attempt=row.attempt,
        at=row.at,
    )
