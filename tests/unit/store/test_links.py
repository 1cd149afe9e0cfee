"""The queue: what is marked, and what is claimed, by whom and when."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from crmsync.model import RunTrigger
from crmsync.store import leases, links
from crmsync.store.leases import (
    CRASHES_BEFORE_PARKING,
    CRASHES_OF_A_SUSPECT,
    LINKS_AFTER_ONE_CRASH,
)
from crmsync.store.links import PRIORITY_BACKFILL
from tests.unit.store.queue import (
    LEASE,
    NOW,
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


def test_what_was_made_due_can_be_marked_again(store):
    """The moment it was made due at is one of the database's, with a time zone."""
    mark(store, "a", due=seconds(60))
    store.database.transact(lambda c: links.make_due(c, "crm", "contacts", NOW))
    assert row(store, "a").wake_at == NOW
    mark(store, "a", due=seconds(-1))
    assert row(store, "a").wake_at == seconds(-1)


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


def test_those_whose_worker_vanished_are_claimed_apart(store):
    """They go together first, then each alone; who never did it to a worker travels with others."""
    mark(store, "a", "b")
    claim(store)
    mark(store, "new", "other", due=seconds(1))
    ends = NOW + LEASE
    assert names(claim(store, ends)) == ["new", "other"]
    both = claim(store, ends)
    assert [(one.profile_id, one.crashes) for one in both.claims] == [("a", 1), ("b", 1)]
    later = [claim(store, ends + LEASE).claims for _ in range(3)]
    assert sorted([one.crashes for one in some] for some in later) == [[1, 1], [2], [2]]


def test_a_settled_link_is_above_suspicion(store):
    """Whoever is settled once starts anew; a new value alone does not clear anybody."""
    mark(store, "a")
    claim(store)
    mark(store, "a")
    again = claim(store, NOW + LEASE)
    assert [one.crashes for one in again.claims] == [1]
    settle_all(store, again, NOW + LEASE)
    assert row(store, "a").crashes == 0


def test_who_ends_every_worker_is_known_at_last(store):
    """Five in a row, of which it was alone for three."""
    mark(store, "a")
    found = [claim(store, NOW + n * LEASE).claims[0] for n in range(CRASHES_BEFORE_PARKING + 1)]
    assert [one.is_deadly for one in found] == [False] * CRASHES_BEFORE_PARKING + [True]


def test_a_crowd_is_not_suspected(store):
    """More than one crash can make: workers end whatever they work on, and nobody is held to it."""
    mark(store, *(f"p{n:03}" for n in range(2 * LINKS_AFTER_ONE_CRASH)))
    rounds = [claim(store, NOW + n * LEASE) for n in range(2 * CRASHES_BEFORE_PARKING)]
    crashes = [one.crashes for one in rounds[-1].claims]
    assert crashes == [CRASHES_OF_A_SUSPECT + 1] * LINKS_AFTER_ONE_CRASH


def test_renewing_moves_the_end_of_a_lease(store):
    """A renewed lease holds on; a lost one cannot be renewed."""
    mark(store, "a", "b")
    lease = claim(store)
    renew = lambda until: store.database.transact(  # noqa: E731 - one call, twice
        lambda connection: leases.renew(connection, lease, until)
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


def test_next_wake_is_the_earliest_of_all(store):
    """The next look is due with the first link of any priority, and never where all are clean."""
    wake = lambda: store.database.transact(  # noqa: E731 - one call, three times
        lambda c: links.next_wake(c, "crm", ["contacts"])
    )
    assert wake() is None
    mark(store, "a", due=seconds(50), priority=PRIORITY_BACKFILL)
    mark(store, "b", due=seconds(60))
    assert wake() == seconds(50)
