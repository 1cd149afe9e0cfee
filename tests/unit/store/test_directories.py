"""Users and stages as they were last read."""

from __future__ import annotations

from crmsync.model import Directory, Owner, Stage
from crmsync.store import directories
from tests.unit.store.queue import NOW, seconds

ADA = Owner("18", "ada@acme.example", "Ada")
BOB = Owner("19", "", "Bob", is_active=False)
LATER = Stage("s2", "Closed", "p1", "Sales", 2)
FIRST = Stage("s1", "Open", "p1", "Sales", 1)
SAME_ID = Stage("s1", "Open", "p2", "Renewals", 1)


def kept(store, name="crm"):
    """What is known of a connection."""
    with store.database.read() as connection:
        return (
            directories.load_owners(connection, name),
            directories.load_stages(connection, name),
        )


def read_at(store, directory, name="crm"):
    """When it was read."""
    with store.database.read() as connection:
        return directories.read_at(connection, name, directory)


def save(store, owners, stages, at=0.0, name="crm"):
    """Keep what was read."""

    def work(connection):
        directories.save_owners(connection, name, owners, seconds(at))
        directories.save_stages(connection, name, stages, seconds(at))

    store.database.transact(work)


def test_nothing_was_read(store):
    """Nobody is known, and never was."""
    assert kept(store) == ([], [])
    assert read_at(store, Directory.OWNERS) is None


def test_they_are_kept_as_they_are_now(store):
    """In the order in which deals go through them; a stage of two pipelines is in both."""
    save(store, [BOB, ADA], [LATER, SAME_ID, FIRST])
    assert kept(store) == ([ADA, BOB], [FIRST, LATER, SAME_ID])
    save(store, [ADA], [FIRST], at=60)
    assert kept(store) == ([ADA], [FIRST])
    assert read_at(store, Directory.OWNERS) == read_at(store, Directory.STAGES) == seconds(60)


def test_one_that_is_listed_twice_is_one(store):
    """Pages of a list may overlap: the last one holds."""
    renamed = Stage("s1", "Opened", "p1", "Sales", 1)
    save(store, [ADA, Owner("18", "ada@new.example", "Ada")], [FIRST, renamed])
    assert kept(store) == ([Owner("18", "ada@new.example", "Ada")], [renamed])


def test_connections_are_their_own(store):
    """Two CRMs have users of the same id."""
    save(store, [ADA], [FIRST])
    save(store, [Owner("18", "eve@other.example", "Eve")], [], name="other")
    assert kept(store) == ([ADA], [FIRST])
    assert read_at(store, Directory.STAGES, "other") == NOW


def test_empty_is_known_too(store):
    """A CRM without deals has no stages: that it was asked is remembered."""
    save(store, [], [])
    assert kept(store) == ([], [])
    assert read_at(store, Directory.STAGES) == NOW
