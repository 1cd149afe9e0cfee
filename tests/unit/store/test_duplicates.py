"""Records that are nobody's and have somebody's key, on both databases."""

from __future__ import annotations

from datetime import timedelta

from crmsync.model import CrmId, ProfileId
from crmsync.store import duplicates, failing
from crmsync.store.duplicates import Doubled
from crmsync.store.tables import profiles
from tests.unit.store.queue import NOW, mark, put, row

PLACE = "crm", "contacts"
LATER = NOW + timedelta(days=1)


def doubled(store, crm_id, who="ann", linked="1"):
    """Return that a record has a person's key."""
    link = row(store, who)
    return Doubled(CrmId(crm_id), link.id, ProfileId(who), CrmId(linked), "email")


def keep(store, *found, now=NOW):
    """Keep what was found; return which of it is new."""
    return store.database.transact(lambda c: duplicates.keep(c, *PLACE, found, now))


def test_what_is_found_again_is_not_new(store):
    """But confirmed; of another link it is new."""
    mark(store, "ann", "bo")
    assert keep(store, doubled(store, "7"), doubled(store, "8")) == {"7", "8"}
    assert keep(store, doubled(store, "7"), now=LATER) == set()
    with store.database.read() as connection:
        assert duplicates.unconfirmed(connection, *PLACE, LATER, 10) == ["8"]
        assert duplicates.count(connection, *PLACE) == 2
    assert keep(store, doubled(store, "7", "bo", "2"), now=LATER) == {"7"}


def test_what_is_to_be_merged_was_read_lately(store):
    """One of each link, and only while the link is free and where it was."""
    mark(store, "ann", "bo")
    put(store, "ann", crm_id="1")
    put(store, "bo", crm_id="2")
    keep(store, doubled(store, "7"), doubled(store, "8"), doubled(store, "9", "bo", "2"))

    def pairs(since=NOW):
        with store.database.read() as connection:
            found = duplicates.to_merge(connection, *PLACE, since, 10)
        return {(one.winner, one.loser_link) for one in found}, len(found)

    assert pairs() == ({("1", None), ("2", None)}, 2)
    assert pairs(LATER) == (set(), 0)
    put(store, "ann", crm_id="5")
    assert pairs() == ({("2", None)}, 1)
    store.database.transact(lambda c: duplicates.refused(c, *PLACE, CrmId("9"), "NO"))
    assert pairs() == (set(), 0)


def test_a_merged_profile_is_named_by_its_old_id(store):
    """It is its winner."""
    person = {"kind": "person", "version": 1, "traits": {}, "trait_sources": {}, "stats": {}}
    rows = [{**person, "id": "old", "merged_into": "new"}, {**person, "id": "new"}]

    def work(connection):
        for one in rows:
            connection.execute(profiles.insert().values(**one))
        return duplicates.named_by_id(connection, {"old", "new", "nobody"})

    assert store.database.transact(work) == {"old": "new", "new": "new"}


def test_they_are_listed_as_long_as_they_are_there(store):
    """By the key that both have, with one example."""
    mark(store, "ann")
    keep(store, doubled(store, "7"), doubled(store, "8"))
    with store.database.read() as connection:
        [group] = failing.doubled(connection, store.vault)
    assert (group.code, group.field, group.count) == (failing.DUPLICATE, "email", 2)
    assert group.example == "ann"
    store.database.transact(lambda c: duplicates.forget(c, *PLACE, [CrmId("7"), CrmId("8")]))
    with store.database.read() as connection:
        assert failing.doubled(connection, store.vault) == []
