"""Links of profiles that became one."""

from __future__ import annotations

import pytest

from crmsync.model import ProfileId
from crmsync.store import link_merges
from crmsync.store.links import LinkState
from tests.unit.store.queue import (
    NOW,
    claim,
    mark,
    names,
    put,
    row,
    seconds,
    settle_all,
)


def merge(store, loser: str, winner: str) -> None:
    """Let one profile become the other."""
    store.database.transact(
        lambda c: link_merges.follow_merges(c, {ProfileId(loser): ProfileId(winner)}, NOW)
    )


def test_a_merged_profile_brings_its_record(store):
    """The winner takes over the loser's record where it has none of its own."""
    mark(store, "loser")
    settle_all(store, claim(store))
    mark(store, "winner")
    merge(store, "loser", "winner")
    assert row(store, "winner").crm_id == "crm-loser"


def test_a_merge_of_two_records_waits_for_a_person(store):
    """Where both have a record, the winner keeps its own and the other one is in conflict."""
    mark(store, "loser", "winner")
    settle_all(store, claim(store))
    merge(store, "loser", "winner")
    assert row(store, "winner").crm_id == "crm-winner"
    mark(store, "winner")
    assert names(claim(store)) == ["winner"]


def test_a_merge_drops_a_link_without_a_record(store):
    """A loser that was never sent leaves nothing behind."""
    mark(store, "loser", "winner")
    merge(store, "loser", "winner")
    assert names(claim(store)) == ["winner"]


def test_a_merge_does_not_drop_a_link_in_flight(store):
    """A loser that may just be getting its record is kept, so that the record is not forgotten."""
    mark(store, "winner")
    settle_all(store, claim(store))
    mark(store, "loser")
    lease = claim(store)
    merge(store, "loser", "winner")
    assert settle_all(store, lease) == 0


def test_marking_the_winner_keeps_what_the_loser_owed(store):
    """After a merge the surviving link still carries changes that were not sent."""
    mark(store, "loser")
    merge(store, "loser", "winner")
    assert names(claim(store)) == ["winner"]


@pytest.mark.parametrize(
    ("state", "after", "claimed"),
    [
        (LinkState.SUPPRESSED, "suppressed", []),
        (LinkState.CONFLICT, "conflict", []),
        (LinkState.DEAD, "active", ["winner"]),
    ],
)
def test_a_merge_wakes_only_what_may_be_written(store, state, after, claimed):
    """A dead link may succeed under its winner; what is out of service stays so."""
    mark(store, "loser")
    put(store, "loser", state=state, wake_at=None, due_at=None, crm_id="7")
    merge(store, "loser", "winner")
    assert row(store, "winner").state == after
    assert names(claim(store, seconds(999))) == claimed
