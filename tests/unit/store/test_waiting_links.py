"""Links that wait: for an event, for a person, for a change or a replay."""

from __future__ import annotations

import pytest

from crmsync.model import Failure, Outcome, ProfileId, RunTrigger
from crmsync.store import failed_links, links
from crmsync.store.links import LinkState
from tests.unit.store.queue import (
    NOW,
    acked,
    claim,
    mark,
    names,
    put,
    row,
    seconds,
    settle,
    settle_all,
)


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
