"""Which workers and schedulers are at work: each says so with every round it makes.

Nothing hangs on it but what people are told: work is leased by links, not by processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from crmsync.store import bulk
from crmsync.store.tables import processes

FORGOTTEN_AFTER = timedelta(days=1)
"""One that ended without a word is told of for so long."""


@dataclass(frozen=True, slots=True)
class Process:
    """One worker or scheduler."""

    id: str
    role: str
    """`worker` or `scheduler`; a worker keeps the schedule, too."""
    host: str
    pid: int
    version: str
    """Of crmsync."""
    started_at: datetime
    seen_at: datetime
    """When it last completed a round."""
    outdated: Sequence[str] = ()
    """Its syncs whose mapping another process has a newer version of."""


def save(connection: Connection, process: Process) -> None:
    """Note that a process is at work; forget who has been silent for a day."""
    row = {**asdict(process), "outdated": list(process.outdated)}
    if not bulk.insert(connection, processes, [row], or_ignore=True):
        connection.execute(
            update(processes)
            .where(processes.c.id == process.id)
            .values(seen_at=process.seen_at, outdated=row["outdated"])
        )
    silent = processes.c.seen_at < process.seen_at - FORGOTTEN_AFTER
    connection.execute(delete(processes).where(silent))


def forget(connection: Connection, process_id: str) -> None:
    """Note that a process ended in order."""
    connection.execute(delete(processes).where(processes.c.id == process_id))


def listed(connection: Connection) -> list[Process]:
    """Return every process that is known, the one seen last first."""
    rows = connection.execute(select(processes).order_by(processes.c.seen_at.desc()))
    return [Process(*row) for row in rows]
