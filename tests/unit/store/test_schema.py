"""Migrations and tables are one."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from crmsync.errors import ConfigError, StoreUnavailable
from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.tables import metadata


@pytest.fixture
def database(database_url):
    """An empty database, not migrated."""
    made = Database(database_url)
    yield made
    made.dispose()


def test_migrations_make_exactly_the_tables(store):
    """A migrated database has the tables, columns and indexes that the code works with."""
    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_does_nothing(database):
    """The first call brings the tables up to date, the second one finds them so."""
    with pytest.raises(ConfigError, match="crmsync migrate"):
        schema.demand_current(database)
    assert schema.migrate(database) is not None
    assert schema.migrate(database) is None
    schema.demand_current(database)


def test_two_processes_may_migrate_at_once(database_url):
    """Of several that start together, one migrates and the others wait for it."""
    begin = threading.Barrier(3)

    def start(_: int) -> bool:
        database = Database(database_url)
        begin.wait()
        schema.migrate(database)
        current = schema.standing(database) is schema.Standing.CURRENT
        database.dispose()
        return current

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(start, range(3))) == [True] * 3


def test_many_may_open_a_new_file_at_once(tmp_path):
    """Whoever opens a SQLite file that somebody else is just making waits instead of failing."""
    together = threading.Barrier(6)

    def start(file: int) -> int:
        database = Database(f"sqlite:///{tmp_path / f'{file}.db'}")
        together.wait()
        with database.read() as connection:
            answer = connection.exec_driver_sql("SELECT 1").scalar_one()
        database.dispose()
        return answer

    with ThreadPoolExecutor(6) as pool:
        for file in range(40):
            assert list(pool.map(start, [file] * 6)) == [1] * 6


@pytest.mark.parametrize("url", ["mysql://host/db", "no url", "oracle+x://h/d"])
def test_another_database_is_refused(url):
    """A URL of another database, or none at all, is a mistake of a person."""
    with pytest.raises(ConfigError, match="CRMSYNC_DATABASE_URL"):
        Database(url)


def test_a_failing_transaction_leaves_nothing(store):
    """An error in the middle of a transaction undoes what it did before."""

    def work(connection) -> None:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        raise LookupError

    with pytest.raises(LookupError):
        store.database.transact(work)
    assert schema.standing(store.database) is schema.Standing.CURRENT


def test_a_database_that_cannot_be_reached_is_said_so_without_its_password():
    """The message names no password, and the error is one that callers know."""
    database = Database("postgresql://ann:secret@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable) as error, database.read():
        pass
    assert "secret" not in str(error.value)
    database.dispose()


def test_a_database_file_is_its_owners_alone(tmp_path):
    """Nobody else may read the file, what SQLite puts beside it, or the folder made for them."""
    folder = tmp_path / ".crmsync"
    database = Database(f"sqlite:///{folder / 'crmsync.db'}")
    schema.migrate(database)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert "crmsync.db" in modes
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    database.dispose()
