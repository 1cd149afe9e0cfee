"""Which links a reading of everything came upon, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmsync.model import LinkId
from crmsync.store import sightings
from crmsync.store.links import LinkState
from tests.unit.store.queue import NOW, mark, put, row

LATER = NOW + timedelta(seconds=60)


def unseen(store, after=0, limit=10):
    """Return the records that were not seen since the tests' present, by link."""
    with store.database.read() as connection:
        found = sightings.unseen(
            connection, "crm", "contacts", NOW, after=LinkId(after), limit=limit
        )
    return [crm_id for _, crm_id in found]


def test_what_was_seen_since_is_not_missed(store):
    """And what was seen before is."""
    mark(store, "ann", "bo")
    for who in ("ann", "bo"):
        put(store, who, crm_id=who)
    ids = [row(store, who).id for who in ("ann", "bo")]
    store.database.transact(lambda c: sightings.stamp(c, ids[:1], LATER))
    store.database.transact(lambda c: sightings.stamp(c, ids[1:], NOW - timedelta(seconds=1)))
    assert unseen(store) == ["bo"]


def test_links_are_looked_through_in_parts(store):
    """Each part goes on behind the last."""
    mark(store, "ann", "bo", "cy")
    for who in ("ann", "bo", "cy"):
        put(store, who, crm_id=who)
    assert unseen(store, limit=2) == ["ann", "bo"]
    assert unseen(store, after=row(store, "bo").id) == ["cy"]


@pytest.mark.parametrize(
    ("how", "is_missed"),
    [
        ({"crm_id": None}, False),
        ({"written_at": LATER}, False),
        ({"written_at": NOW - timedelta(days=1)}, True),
        ({"state": LinkState.DEAD}, True),
        ({"state": LinkState.CONFLICT}, True),
        ({"state": LinkState.SUPPRESSED}, False),
        ({"state": LinkState.CONVERTED}, False),
    ],
)
def test_whose_record_is_looked_for(store, how, is_missed):
    """Who has one that matters, and was not just written."""
    mark(store, "ann")
    put(store, "ann", **{"crm_id": "1", **how})
    assert bool(unseen(store)) is is_missed
