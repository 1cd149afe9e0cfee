"""What people and alarms look at: what waits, what was set aside, when anything last went."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from crmsync.model import RunTrigger
from crmsync.store.links import LinkState
from crmsync.store.runs import COUNTS
from crmsync.store.tables import cursors, links, runs

WAITING_FOR_A_PERSON = (LinkState.DEAD, LinkState.CONFLICT)


@dataclass(slots=True)
class Backlog:
    """The links of one connection that wait."""

    due: int = 0
    """Those that somebody should be looking at: due, to be verified, or left by a dead worker."""
    oldest_at: datetime | None = None
    """Since when the first of them is."""
    aside: dict[str, int] = field(default_factory=dict)
    """State: how many wait for a person, where any do."""


def backlogs(connection: Connection, now: datetime) -> dict[str, Backlog]:
    """Return the backlog of each connection that has one, by name."""
    found: dict[str, Backlog] = {}
    due = connection.execute(
        select(links.c.connection, func.count(), func.min(links.c.wake_at))
        .where(links.c.wake_at <= now, links.c.state == LinkState.ACTIVE)
        .group_by(links.c.connection)
    )
    for name, count, oldest in due:
        found[name] = Backlog(count, oldest)
    aside = connection.execute(
        select(links.c.connection, links.c.state, func.count())
        .where(links.c.state.in_(WAITING_FOR_A_PERSON))
        .group_by(links.c.connection, links.c.state)
    )
    for name, state, count in aside:
        found.setdefault(name, Backlog()).aside[state] = count
    return found


def last_push(connection: Connection, name: str) -> datetime | None:
    """Return when something of a connection was last sent, or found to be as it should be."""
    moment: datetime | None = connection.execute(
        select(func.max(runs.c.last_at)).where(
            runs.c.connection == name, runs.c.trigger != RunTrigger.PULL
        )
    ).scalar()
    return moment


def last_reading(connection: Connection, name: str) -> datetime | None:
    """Return when a connection was last read to the end of what had changed."""
    moment: datetime | None = connection.execute(
        select(func.max(cursors.c.read_at)).where(cursors.c.connection == name)
    ).scalar()
    return moment


def totals(connection: Connection) -> list[tuple[str, str, int]]:
    """Return what all runs that are kept came to: (connection, outcome or `calls`, how many)."""
    names = (*COUNTS, "calls")
    sums = connection.execute(
        select(runs.c.connection, *(func.sum(runs.c[name]) for name in names)).group_by(
            runs.c.connection
        )
    )
    return [
        (connection_name, name, int(count))
        for connection_name, *counts in sums
        for name, count in zip(names, counts, strict=True)
    ]
