"""Bringing a database's tables up to date, and telling whether they are.

A release that is older than the tables goes on working with them, for as long as `schema_support`
says so: migrations expand first and contract a release later (docs/operations.md).
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

from crmsync.errors import ConfigError
from crmsync.store.database import Database
from crmsync.store.tables import schema_support

MIGRATIONS = Path(__file__).parent / "migrations"
ALEMBIC = Lock()
"""Alembic keeps its context in a module: one migration at a time in a process."""
LOCK = 0x63726D73
"""Of PostgreSQL's advisory locks: one process migrates, the others wait and find it done."""


class Standing(Enum):
    """How a database's tables stand to this release."""

    CURRENT = "up to date"
    BEHIND = "older than this crmsync needs"
    AHEAD = "newer than this crmsync, and fit for it"
    BEYOND = "newer than this crmsync can work with"


def migrate(database: Database) -> str | None:
    """Bring the tables up to date; return the version now, or None where nothing had to be done.

    Raises `ConfigError` where they are of a release that this one cannot work with.
    """
    if _usable(database):
        return None

    def work(connection: Connection) -> str | None:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return _version(connection)

    with ALEMBIC:
        return database.transact(work)


def standing(database: Database) -> Standing:
    """Return how the tables stand to what this release needs."""
    scripts = ScriptDirectory.from_config(_config())
    known = {script.revision for script in scripts.walk_revisions()}
    with database.read() as connection:
        version = _version(connection)
        if version == scripts.get_current_head():
            return Standing.CURRENT
        if version is None or version in known:
            return Standing.BEHIND
        oldest = connection.execute(select(schema_support.c.revision)).scalars().all()
    return Standing.AHEAD if known.issuperset(oldest) else Standing.BEYOND


def demand_current(database: Database) -> None:
    """Raise `ConfigError` where `crmsync migrate` has not been run, or a newer one has."""
    if not _usable(database):
        raise ConfigError("the database is not up to date: run `crmsync migrate` first")


def version(database: Database) -> str | None:
    """Return the revision of the tables; None where there are none."""
    with database.read() as connection:
        return _version(connection)


def _usable(database: Database) -> bool:
    """Whether this release can work with the tables; ConfigError where it never will."""
    found = standing(database)
    if found is Standing.BEYOND:
        raise ConfigError(
            "the database's tables are of a newer crmsync than this one: run that version here, too"
        )
    return found is not Standing.BEHIND


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
