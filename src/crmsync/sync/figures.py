"""The figures that alarms go by: what waits, what was done, what rests, who is at work.

From the database, so that one process tells of all of them. Labels are names of connections,
states, causes and outcomes: few, and nobody's data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from crmsync.store import processes, state, vitals
from crmsync.sync.context import Works

DUE, OLDEST = "crmsync_due_links", "crmsync_oldest_due_seconds"
ASIDE, REST = "crmsync_links_aside", "crmsync_rest_seconds"
RESULTS, SILENT = "crmsync_results", "crmsync_process_silent_seconds"


class Figure(NamedTuple):
    """One value of one metric."""

    metric: str
    labels: tuple[str, ...]
    value: float


def figures(works: Works) -> list[Figure]:
    """Return every figure as it is now; raises StoreUnavailable."""
    with works.store.database.read() as connection:
        return list(_figures(works, connection))


def _figures(works: Works, connection: Connection) -> Iterator[Figure]:
    now = works.store.database.now(connection)
    backlogs = vitals.backlogs(connection, now)
    for name in works.configuration.connections:
        waiting = backlogs.get(name, vitals.Backlog())
        age = (now - waiting.oldest_at).total_seconds() if waiting.oldest_at else 0.0
        yield Figure(DUE, (name,), waiting.due)
        yield Figure(OLDEST, (name,), age)
        for kind in vitals.WAITING_FOR_A_PERSON:
            yield Figure(ASIDE, (name, kind), waiting.aside.get(kind, 0))
    for pause in state.list_pauses(connection, now):
        left = (pause.until - now).total_seconds()
        yield Figure(REST, (pause.connection, pause.cause), left)
    for name, outcome, count in vitals.totals(connection):
        yield Figure(RESULTS, (name, outcome), count)
    latest = {one.role: one.seen_at for one in reversed(processes.listed(connection))}
    for role, seen_at in latest.items():
        yield Figure(SILENT, (role,), (now - seen_at).total_seconds())
