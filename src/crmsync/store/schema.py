"""Bringing a database's tables up to date, and telling whether they are."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from crmsync.errors import ConfigError
from crmsync.store.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
ALEMBIC = Lock()
"""Alembic keeps its context in a module: one migration at a time in a process."""
LOCK = 0x63726D73
"""Of PostgreSQL's advisory locks: one process migrates, the others wait and find it done."""


def migrate(database: Database) -> str | None:
    """Bring the tables up to date; return the version now, or None where nothing had to be done."""
    if is_current(database):
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


def is_current(database: Database) -> bool:
    """Whether the tables are those this version of crmsync needs."""
    with database.read() as connection:
        return _version(connection) == ScriptDirectory.from_config(_config()).get_current_head()


def demand_current(database: Database) -> None:
    """Raise `ConfigError` where `crmsync migrate` has not been run."""
    if not is_current(database):
        raise ConfigError("the database is not up to date: run `crmsync migrate` first")


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
