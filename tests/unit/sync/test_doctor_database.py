"""What the doctor says of the database and the keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.schema import Standing
from crmsync.store.vault import Vault
from crmsync.sync.context import Store
from crmsync.sync.doctor import database as module
from crmsync.sync.doctor.database import Host, check_database, is_usable
from crmsync.sync.doctor.keys import check_keys
from tests.workbench import KEYED, identify, ingest

ROOMY_DISK = Host(free_bytes=lambda _: 50_000_000_000, mounts=lambda: "x / ext4 rw 0 0")
OTHER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture
def database(database_url):
    """A migrated database."""
    made = Database(database_url)
    schema.migrate(made)
    yield made
    made.dispose()


def levels(database, host=ROOMY_DISK):
    """Return what is found, by check."""
    return {one.check: str(one.level) for one in check_database(database, host)}


def test_a_database_in_order(database):
    """SQLite on a local disk with room, with the tables that this release needs."""
    assert levels(database) == dict.fromkeys(("database", "tables", "file system", "disk"), "ok")


@pytest.mark.integration
def test_a_server_in_order_and_one_whose_clock_is_elsewhere(pg_database):
    """PostgreSQL has a clock of its own, and no disk that this machine sees."""
    database = Database(pg_database)
    schema.migrate(database)
    assert levels(database) == dict.fromkeys(("database", "tables", "database clock"), "ok")
    ahead = Host(now=lambda: datetime.now(UTC) - timedelta(minutes=10))
    late = next(one for one in check_database(database, ahead) if one.check == "database clock")
    assert late.level == "warning"
    assert "10 minutes ahead of this machine's" in late.seen
    database.dispose()


@pytest.mark.integration
def test_a_postgresql_that_is_too_old_is_told(pg_database, monkeypatch):
    """It may work; it is not what crmsync is tested with."""
    monkeypatch.setattr(module, "OLDEST_POSTGRESQL", 99)
    database = Database(pg_database)
    assert levels(database)["database"] == "warning"
    database.dispose()


def test_a_database_that_is_away_is_all_that_is_told():
    """Without the password, and with what to do."""
    database = Database("postgresql://ann:secret@127.0.0.1:1/none")
    [away] = check_database(database)
    assert (away.check, away.level) == ("database", "fault")
    assert "secret" not in away.seen
    assert "CRMSYNC_DATABASE_URL" in away.advice
    assert not is_usable([away])
    database.dispose()


@pytest.mark.parametrize(
    ("standing", "level"),
    [(Standing.BEHIND, "fault"), (Standing.AHEAD, "warning"), (Standing.BEYOND, "fault")],
)
def test_tables_of_another_release_are_told(database, monkeypatch, standing, level):
    """Older, newer and fit for it, newer and not: each with what to do."""
    monkeypatch.setattr(schema, "standing", lambda _: standing)
    found = check_database(database, ROOMY_DISK)
    [tables] = [one for one in found if one.check == "tables"]
    assert tables.level == level
    assert tables.advice
    assert is_usable(found) is (level != "fault")


@pytest.mark.parametrize(
    ("free", "level"), [(2_000_000_000, "ok"), (500_000_000, "warning"), (50_000_000, "fault")]
)
def test_a_disk_that_gets_full_is_told(database, free, level):
    """Before nothing can be taken in any more."""
    host = Host(free_bytes=lambda _: free, mounts=ROOMY_DISK.mounts)
    assert levels(database, host)["disk"] == level


def test_a_network_file_system_is_told(database):
    """The innermost one counts, also where its name holds a blank."""
    folder = Path(str(database.url.database)).parent
    place = str(folder).replace(" ", "\\040")
    nfs = f"x / ext4 rw 0 0\nserver:/x {place} nfs4 rw 0 0\n"
    host = Host(free_bytes=ROOMY_DISK.free_bytes, mounts=lambda: nfs)
    assert levels(database, host)["file system"] == "fault"


def test_keys_that_open_what_is_stored_and_keys_that_do_not(works_with, crm):
    """A key that was added in front changes nothing; one that was taken away is missed."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    database = works.store.database
    ours = works.store.vault
    assert check_keys(Store(database, ours)).level == "ok"
    lost = check_keys(Store(database, Vault([OTHER_KEY])))
    assert lost.level == "fault"
    assert "events" in lost.seen
