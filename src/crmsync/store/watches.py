"""Which CRMs were asked to tell us of changes, and when to look whether they still do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from crmsync.store import bulk
from crmsync.store.tables import hook_events, watches


def look_at(connection: Connection, name: str) -> datetime | None:
    """Return when to look at a connection's webhooks; None where nobody asked for any."""
    moment: datetime | None = connection.execute(
        select(watches.c.look_at).where(watches.c.connection == name)
    ).scalar()
    return moment


def save(connection: Connection, name: str, moment: datetime) -> None:
    """Note that a connection's CRM tells us of changes, and when to look again."""
    row = {"connection": name, "look_at": moment}
    if not bulk.insert(connection, watches, [row], or_ignore=True):
        connection.execute(
            update(watches).where(watches.c.connection == name).values(look_at=moment)
        )


def claim(connection: Connection, name: str, now: datetime, until: datetime) -> bool:
    """Take it upon us to look now, and keep others from it for a while; False where one does."""
    done = connection.execute(
        update(watches)
        .where(watches.c.connection == name, watches.c.look_at <= now)
        .values(look_at=until)
    )
    return done.rowcount == 1


def forget(connection: Connection, name: str) -> None:
    """Note that a connection's CRM is not to tell us of changes any more."""
    connection.execute(delete(watches).where(watches.c.connection == name))


def last_told(connection: Connection, name: str) -> datetime | None:
    """Return when a delivery last brought news; None where none ever did."""
    moment: datetime | None = connection.execute(
        select(func.max(hook_events.c.received_at)).where(hook_events.c.connection == name)
    ).scalar()
    return moment
