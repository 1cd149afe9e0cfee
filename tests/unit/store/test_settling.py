"""What settling and giving back leave behind, and whose word counts."""

from __future__ import annotations

import pytest

from crmsync.model import CrmId
from crmsync.store import leases, settlements
from crmsync.store.links import LinkState
from tests.unit.store.queue import (
    LEASE,
    NOW,
    SETTLE,
    acked,
    claim,
    mark,
    row,
    seconds,
    settle,
    settle_all,
)


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
    store.database.transact(lambda c: leases.record_create_intents(c, lost, ids, NOW))
    store.database.transact(lambda c: leases.renew(c, lost, seconds(150)))
    second = claim(store, seconds(151))
    assert second.claims[0].last_intent_at == seconds(150)
    store.database.transact(lambda c: settlements.give_back(c, second, seconds(451)))
    third = claim(store, seconds(160))
    assert third.claims[0].last_intent_at == seconds(150)


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
