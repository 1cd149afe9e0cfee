"""A connection's owners and stages: kept in the store, read anew when an unknown id turns up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from crmsync.errors import ConnectionHalted
from crmsync.model import Directory
from crmsync.planning.names import Names
from crmsync.store import directories
from crmsync.sync.context import Sync

MISSING_SCOPE = "missing_scope"
"""The cause of a halt because our app was not granted enough."""
FRESH_FOR = timedelta(days=1)
"""How long a directory is relied on: a renamed stage is noticed within it."""
ASK_AGAIN_AFTER = timedelta(minutes=1)
"""Not sooner for an id that is unknown: it may be one that the CRM does not tell of, which must not
cost a list for each record. It is short because who joined just now is soon given something."""

T = TypeVar("T")

log = structlog.get_logger()


def names_of(sync: Sync, wanted: Iterable[Directory], *, anew: bool = False) -> Names:
    """Return what a connection's directories say, asking the CRM for those wanted that are old.

    `anew`: an id turned up that they do not hold, or everything is read again.
    """
    database, name = sync.store.database, sync.mapping.connection
    age = ASK_AGAIN_AFTER if anew else FRESH_FOR
    with database.read() as connection:
        oldest = database.now(connection) - age
        stale = {
            directory
            for directory in set(wanted)
            if (read_at := directories.read_at(connection, name, directory)) is None
            or read_at < oldest
        }
    if Directory.OWNERS in stale:
        owners = _allowed(sync, Directory.OWNERS, sync.connector.owners)
        database.transact(lambda c: directories.save_owners(c, name, owners, database.now(c)))
    if Directory.STAGES in stale:
        stages = _allowed(sync, Directory.STAGES, sync.connector.stages)
        database.transact(lambda c: directories.save_stages(c, name, stages, database.now(c)))
    with database.read() as connection:
        return known_names(connection, name)


def _allowed(sync: Sync, directory: Directory, ask: Callable[[], list[T]]) -> list[T]:
    """Return what the CRM says; nothing where we may not see it: no reason to stop the rest."""
    try:
        return ask()
    except ConnectionHalted as halt:
        if halt.cause != MISSING_SCOPE:
            raise
        log.warning(
            "directory_unreadable",
            connection=sync.mapping.connection,
            directory=directory,
            do=halt.hint,
        )
        return []


def known_names(connection: Connection, name: str) -> Names:
    """Return what is kept of a connection's directories."""
    return Names.of(
        directories.load_owners(connection, name), directories.load_stages(connection, name)
    )
