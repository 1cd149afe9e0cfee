"""The queue: what is claimed, by whom, when, and what settling leaves behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from crmsync.model import CrmId, Failure, Outcome, ProfileId, RunTrigger
from crmsync.store import bulk, failed_links, link_merges, links, settlements
from crmsync.store.links import PRIORITY_BACKFILL, LinkState
from crmsync.store.tables import links as table
from tests.unit.store.queue import (
    LEASE,
    NOW,
    SETTLE,
    acked,
    claim,
    mark,
    names,
    row,
    seconds,
    settle,
    settle_all,
)


def test_a_marked_link_is_claimed_once_it_is_due(store):
    """What is due is leased; what is due later, or waits for an event, is not."""
    mark(store, "now")
    mark(store, "later", due=seconds(1))
    mark(store, "waiting", due=None)
    assert names(claim(store)) == ["now"]
    assert names(claim(store, seconds(1))) == ["later"]


def test_what_is_leased_is_nobody_elses(store):
    """A second claim does not get what the first one holds."""
    mark(store, "a", "b")
    assert sorted(names(claim(store))) == ["a", "b"]
    assert names(claim(store)) == []


def test_urgent_work_goes_first(store):
    """Live changes go before a backfill, and within each the one that waits longest."""
    mark(store, "filled", due=seconds(-100), priority=PRIORITY_BACKFILL)
    mark(store, "recent", due=seconds(-1))
    mark(store, "oldest", due=seconds(-50))
    assert names(claim(store, limit=2)) == ["oldest", "recent"]
    assert names(claim(store)) == ["filled"]


def test_two_claimers_never_share_a_link(store):
    """However many claim at once, every link has one holder and none is left out."""
    people = [f"p{n:03}" for n in range(200)]
    mark(store, *people)
    begin = threading.Barrier(4)

    def take(_: int) -> list[str]:
        begin.wait()
        taken: list[str] = []
        while some := names(claim(store, limit=17)):
            taken += some
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [name for part in pool.map(take, range(4)) for name in part]
    assert sorted(taken) == people


def test_an_expired_lease_is_taken_over(store):
    """When a lease has ended, the next claimer is told that its last worker vanished."""
    mark(store, "a")
    first = claim(store)
    assert names(claim(store, seconds(119))) == []
    (second,) = claim(store, NOW + LEASE).claims
    assert second.abandoned
    assert not first.claims[0].abandoned


def test_renewing_moves_the_end_of_a_lease(store):
    """A renewed lease holds on; a lost one cannot be renewed."""
    mark(store, "a", "b")
    lease = claim(store)
    renew = lambda until: store.database.transact(  # noqa: E731 - one call, twice
        lambda connection: links.renew(connection, lease, until)
    )
    assert renew(seconds(240)) == 2
    assert names(claim(store, seconds(239))) == []
    assert len(claim(store, seconds(240)).claims) == 2
    assert renew(seconds(999)) == 0


def test_a_burst_of_marks_is_one_claim(store):
    """Many changes of one profile are one piece of work, due when the first of them was."""
    for late in (0, 1, 2):
        mark(store, "a", due=seconds(late))
    (one,) = claim(store).claims
    assert one.desired_version == 3
    settle(store, claim(store), [])
    assert names(claim(store, seconds(5))) == []


def test_marking_again_keeps_the_earliest_due_time(store):
    """A later change does not put off what was due sooner, nor the trigger that it counts under."""
    mark(store, "a", due=seconds(5))
    mark(store, "a", due=seconds(3600), trigger=RunTrigger.HOURLY)
    assert (row(store, "a").due_at, row(store, "a").trigger) == (seconds(5), "realtime")
    mark(store, "a", due=seconds(1), trigger=RunTrigger.EVENT)
    assert (row(store, "a").due_at, row(store, "a").trigger) == (seconds(1), "event")


def test_a_live_change_lifts_a_backfill(store):
    """A link that waits in a backfill and changes meanwhile is urgent."""
    mark(store, "a", priority=PRIORITY_BACKFILL)
    mark(store, "a")
    assert row(store, "a").priority == 0


def test_settling_what_was_sent_leaves_it_clean(store):
    """An acknowledged link is woken for nothing and remembers record and snapshot."""
    mark(store, "a")
    lease = claim(store)
    (one,) = lease.claims
    assert settle(store, lease, [acked(store, one, snapshot={"firstname": "Ann"})]) == 0
    after = row(store, "a")
    assert (after.acked_version, after.crm_id, after.wake_at) == (1, "crm-a", None)
    assert after.lease_token is None
    mark(store, "a")
    (again,) = claim(store).claims
    assert again.snapshot == {"firstname": "Ann"}
    assert again.crm_id == "crm-a"


def test_what_came_during_the_lease_stays_due(store):
    """A change that comes while its link is with a worker is due after it, at its own time."""
    mark(store, "a")
    lease = claim(store)
    mark(store, "a", due=seconds(7))
    assert row(store, "a").wake_at == NOW + LEASE
    settle_all(store, lease)
    after = row(store, "a")
    assert (after.acked_version, after.desired_version) == (1, 2)
    assert (after.due_at, after.wake_at) == (seconds(7), seconds(7))


def test_a_late_worker_is_fenced_out(store):
    """A settle after the lease was taken over acknowledges nothing and asks for a look."""
    mark(store, "a")
    late = claim(store)
    newer = claim(store, NOW + LEASE)
    settle_all(store, newer, NOW + LEASE)
    assert row(store, "a").verify_at is None
    mark(store, "a", due=None)
    assert settle_all(store, late, seconds(200)) == 1
    after = row(store, "a")
    assert (after.desired_version, after.acked_version) == (2, 1)
    assert after.verify_at == after.wake_at == seconds(200) + SETTLE


def test_a_fenced_worker_does_not_disturb_the_holder(store):
    """Where another worker is at it, the late one's wish for a look waits until it has settled."""
    mark(store, "a")
    late = claim(store)
    newer = claim(store, NOW + LEASE)
    assert settle_all(store, late, seconds(130)) == 1
    assert row(store, "a").wake_at == NOW + LEASE + LEASE
    settle_all(store, newer, seconds(140))
    assert row(store, "a").wake_at == seconds(130) + SETTLE


def test_the_later_of_two_obligations_holds(store):
    """Of two moments after which a late write can be seen, only the later one shows both."""
    mark(store, "a")
    late = claim(store)
    newer = claim(store, NOW + LEASE)
    settle_all(store, late, seconds(200))
    results = [acked(store, one, verify_at=seconds(210)) for one in newer.claims]
    settle(store, newer, results, seconds(205))
    assert row(store, "a").verify_at == seconds(200) + SETTLE


def test_giving_back_undoes_the_claim(store):
    """A claim that nothing was sent for leaves no trace but the versions marked meanwhile."""
    mark(store, "a")
    lease = claim(store)
    store.database.transact(lambda c: settlements.give_back(c, lease, seconds(300)))
    after = row(store, "a")
    assert (after.lease_token, after.due_at, after.wake_at) == (None, NOW, NOW)
    (again,) = claim(store).claims
    assert not again.abandoned


def test_giving_back_keeps_what_a_dead_worker_owed(store):
    """An abandoned link that is given back is due at once, and looked at when it has settled."""
    mark(store, "a")
    claim(store)
    lease = claim(store, NOW + LEASE)
    store.database.transact(lambda c: settlements.give_back(c, lease, seconds(420)))
    after = row(store, "a")
    assert after.verify_at == seconds(420)
    assert after.wake_at == NOW + LEASE


def test_giving_back_keeps_a_look_that_was_asked_for_meanwhile(store):
    """The wish of a fenced worker survives that the newer holder gives its claim back."""
    mark(store, "a")
    late = claim(store)
    second = claim(store, NOW + LEASE)
    settle_all(store, second, NOW + LEASE)
    mark(store, "a", due=seconds(130))
    third = claim(store, seconds(130))
    settle_all(store, late, seconds(140))
    store.database.transact(lambda c: settlements.give_back(c, third, seconds(999)))
    assert row(store, "a").verify_at == seconds(140) + SETTLE


def test_giving_back_keeps_how_late_a_create_may_have_been_sent(store):
    """A vanished worker may have sent its create until its lease ended: the next one knows too."""
    mark(store, "a")
    lost = claim(store)
    ids = [one.link_id for one in lost.claims]
    store.database.transact(lambda c: links.record_create_intents(c, lost, ids, NOW))
    store.database.transact(lambda c: links.renew(c, lost, seconds(150)))
    second = claim(store, seconds(151))
    assert second.claims[0].last_intent_at == seconds(150)
    store.database.transact(lambda c: settlements.give_back(c, second, seconds(451)))
    third = claim(store, seconds(160))
    assert third.claims[0].last_intent_at == seconds(150)


def test_an_event_releases_what_waits_for_it(store):
    """What waits for an event is due when it comes; what is clean, or another's, is not."""
    mark(store, "waiting", "clean", "other", due=None)
    mark(store, "clean")
    settle_all(store, claim(store))
    where = [("crm", "contacts", ProfileId(name)) for name in ("waiting", "clean")]
    store.database.transact(lambda c: links.release(c, where, NOW))
    lease = claim(store)
    assert names(lease) == ["waiting"]
    assert lease.claims[0].trigger is RunTrigger.EVENT


def test_an_event_during_the_lease_is_not_lost(store):
    """An event that comes while its link is leased makes due what has changed since."""
    mark(store, "a")
    lease = claim(store)
    mark(store, "a", due=None)
    store.database.transact(
        lambda c: links.release(c, [("crm", "contacts", ProfileId("a"))], seconds(3))
    )
    settle_all(store, lease, seconds(4))
    assert row(store, "a").wake_at == seconds(3)


@pytest.mark.parametrize("state", [LinkState.SUPPRESSED, LinkState.CONFLICT])
def test_some_links_wait_for_a_person(store, state):
    """Suppressed and conflicting links are not made due by a change."""
    mark(store, "a")
    lease = claim(store)
    settle(store, lease, [acked(store, lease.claims[0], acked=False, state=state)])
    mark(store, "a")
    assert names(claim(store, seconds(999))) == []


def test_a_refused_record_waits_for_a_change(store):
    """A dead link is woken by nothing but a new mark, which revives it and forgets the failure."""
    mark(store, "a")
    lease = claim(store)
    refused = acked(
        store,
        lease.claims[0],
        acked=False,
        outcome=Outcome.REJECTED,
        state=LinkState.DEAD,
        error_class="rejected",
        failure=Failure("BAD", "bad", "fix it", field="phone"),
        attempts=1,
    )
    settle(store, lease, [refused])
    assert (row(store, "a").state, row(store, "a").error_code) == ("dead", "BAD")
    assert names(claim(store, seconds(9999))) == []
    mark(store, "a")
    assert (row(store, "a").state, row(store, "a").attempts) == ("active", 0)
    assert row(store, "a").error_class is None
    assert names(claim(store)) == ["a"]


def test_a_refused_record_that_was_uncertain_is_read_when_it_is_revived(store):
    """A look that is owed sleeps with its dead link and is due when that comes back."""
    mark(store, "a")
    lease = claim(store)
    (one,) = lease.claims
    refused = acked(store, one, acked=False, state=LinkState.DEAD, verify_at=seconds(300))
    settle(store, lease, [refused])
    assert (row(store, "a").verify_at, row(store, "a").wake_at) == (seconds(300), None)
    mark(store, "a", due=seconds(400))
    (again,) = claim(store, seconds(400)).claims
    assert again.verify


def put(store, name: str, **values) -> None:
    """Bring a link into a state as somebody else may leave it."""
    changed = [{"id": row(store, name).id, **values}]
    store.database.transact(lambda c: bulk.update(c, table, changed))


@pytest.mark.parametrize("state", [state for state in LinkState if state is not LinkState.ACTIVE])
def test_what_is_out_of_service_is_not_claimed(store, state):
    """Only active links are leased, whatever woke the others."""
    mark(store, "a", "b")
    put(store, "a", state=state)
    assert names(claim(store)) == ["b"]


def revive(store, name: str) -> None:
    """Replay a link."""
    store.database.transact(lambda c: failed_links.revive(c, [row(store, name).id], NOW))


def test_a_replay_leaves_a_leased_link_to_its_worker(store):
    """What somebody works on is not made due for a second one."""
    mark(store, "a")
    lease = claim(store)
    revive(store, "a")
    assert names(claim(store, seconds(1))) == []
    assert settle_all(store, lease) == 0


@pytest.mark.parametrize(
    ("state", "claimed"),
    [
        (LinkState.SUPPRESSED, []),
        (LinkState.DEAD, ["a"]),
        (LinkState.CONFLICT, ["a"]),
    ],
)
def test_a_replay_does_not_wake_what_was_erased(store, state, claimed):
    """A person may have what failed tried again, but not what is never to be written."""
    mark(store, "a")
    put(store, "a", state=state, wake_at=None, due_at=None)
    revive(store, "a")
    assert names(claim(store)) == claimed


def test_a_change_during_the_lease_outlives_a_refusal(store):
    """What was refused is not dead if its profile has changed since it was sent."""
    mark(store, "a")
    lease = claim(store)
    mark(store, "a", due=seconds(2))
    refused = acked(store, lease.claims[0], acked=False, state=LinkState.DEAD)
    settle(store, lease, [refused])
    assert (row(store, "a").state, row(store, "a").wake_at) == ("active", seconds(2))


def test_two_profiles_cannot_hold_one_record(store):
    """Of two links that come to the same record, the first has it and the other is in conflict."""
    mark(store, "a", "b")
    lease = claim(store)
    settle(store, lease, [acked(store, one, crm_id=CrmId("77")) for one in lease.claims])
    states = {row(store, name).state: row(store, name) for name in ("a", "b")}
    assert set(states) == {"active", "conflict"}
    assert states["conflict"].crm_id is None
    assert states["conflict"].error_code == "RECORD_TAKEN"


@pytest.mark.parametrize("at_once", [False, True])
def test_the_owner_of_a_record_that_another_hit_has_it_read(store, at_once):
    """The owner's record may hold the other's values, whether it had it before or got it now."""
    mark(store, "a")
    if not at_once:
        first = claim(store)
        settle(store, first, [acked(store, one, crm_id=CrmId("77")) for one in first.claims])
    mark(store, "b")
    lease = claim(store)
    settle(store, lease, [acked(store, one, crm_id=CrmId("77")) for one in lease.claims])
    owner = next(row(store, name) for name in ("a", "b") if row(store, name).state == "active")
    assert (owner.crm_id, owner.verify_at, owner.wake_at) == ("77", NOW + SETTLE, NOW + SETTLE)


def test_next_wake_is_the_earliest_of_all(store):
    """The next look is due with the first link of any priority, and never where all are clean."""
    wake = lambda: store.database.transact(  # noqa: E731 - one call, three times
        lambda c: links.next_wake(c, "crm", ["contacts"])
    )
    assert wake() is None
    mark(store, "a", due=seconds(50), priority=PRIORITY_BACKFILL)
    mark(store, "b", due=seconds(60))
    assert wake() == seconds(50)


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
