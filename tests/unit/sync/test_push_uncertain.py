"""The push where an answer is lost: what may have been written is not forgotten."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from crmsync.errors import BatchRejected, OutcomeUnknown, RateLimited
from crmsync.store import leases
from crmsync.store.tables import links
from crmsync.sync import outcomes
from crmsync.sync.push import push
from tests.unit.sync.people import NAMES, held, make_due, mapping, writes
from tests.workbench import (
    KEYED,
    ROOMY,
    count_rows,
    drain,
    identify,
    ingest,
    is_at_rest,
    let_pass,
    link_rows,
    the_sync,
)


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_is_sent_again_and_verified(works_with, crm, carried_out):
    """After an unknown outcome the record is written again and read after the settle time."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    crm.fail_next(OutcomeUnknown(), carried_out=carried_out)
    assert drain(works) == {"retried": 1}
    assert link_rows(works.store, "attempts", "error_class") == [(1, "unknown")]
    make_due(works)
    drain(works)
    reads = crm.calls["read"]
    assert drain(works) == {}
    let_pass(works.store, ROOMY["settle_seconds"])
    assert drain(works) == {"unchanged": 1}
    assert crm.calls["read"] == reads + 1
    assert is_at_rest(works.store)
    assert len(held(crm)) == 1


def test_a_lost_create_is_looked_for_before_it_is_repeated(works_with, crm, monkeypatch):
    """Where the CRM has no unique field, a lost create is looked for after the settle time."""
    works = works_with(mapping(NAMES, match="our_ref: user_id"))
    ingest(works, [identify("u1", first_name="Ann")])
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    lose_answers = monkeypatch.context()
    with lose_answers as patch:
        patch.setattr(type(sync.connector), "write", losing(type(sync.connector).write))
        assert drain(works) == {"retried": 1}
    make_due(works)  # a new value comes within the settle time
    drain(works)
    assert writes(crm) == 1
    let_pass(works.store, ROOMY["settle_seconds"])
    drain(works)
    assert writes(crm) == 1
    assert len(held(crm)) == 1
    assert is_at_rest(works.store)


def losing(write):
    """Return a write that is carried out and whose answer is lost."""

    def lost(self, batch):
        write(self, batch)
        raise OutcomeUnknown

    return lost


def test_a_create_that_may_land_late_is_waited_for_from_the_end_of_the_lease(works_with):
    """A dead worker may have sent its create just before its lease ended, however long that was."""
    timing = {"request_deadline_seconds": 10, "lease_seconds": 20, "settle_seconds": 100}
    works = works_with(
        mapping(NAMES, match="our_ref: user_id"), timing={**timing, "linger_seconds": 0}
    )
    ingest(works, [identify("u1", first_name="Ann")])
    sync, database = the_sync(works), works.store.database
    now = datetime.now(UTC)
    begun, renewed_until = now - timedelta(seconds=300), now - timedelta(seconds=1)

    def dead_worker(connection) -> None:
        lease = leases.claim(
            connection, works.store.vault, "crm", "contacts",
            now=now, lease=timedelta(0), limit=1,
        )  # fmt: skip
        ids = [claim.link_id for claim in lease.claims]
        leases.record_create_intents(connection, lease, ids, begun)
        leases.renew(connection, lease, renewed_until)

    database.transact(dead_worker)
    assert push(sync).counts == {"unchanged": 1}
    ((intent, due),) = link_rows(works.store, "create_intent_at", "due_at")
    assert intent is not None
    assert due >= renewed_until + timedelta(seconds=100)


def test_a_settle_time_that_ends_during_the_look_is_not_over(works_with, crm, monkeypatch):
    """What landed after the look began was perhaps not seen: the create waits for another look."""
    works = works_with(mapping(NAMES, match="our_ref: user_id"))
    sync, database = the_sync(works), works.store.database
    push(sync, go_on=lambda: False)
    ingest(works, [identify("u1", first_name="Ann")])
    almost = timedelta(seconds=sync.timing.landed_seconds - 5)
    intent = {"create_intent_at": database.transact(database.now) - almost}
    database.transact(lambda c: c.execute(update(links).values(**intent)))
    read, passed = sync.connector.read, [0.0]

    def slow_read(*given):
        found = read(*given)
        passed[0] += 10.0
        return found

    monkeypatch.setattr(sync.connector, "read", slow_read)
    clock = time.monotonic
    monkeypatch.setattr("crmsync.sync.flight.time.monotonic", lambda: clock() + passed[0])
    assert push(sync).counts == {"unchanged": 1}
    assert writes(crm) == 0


def test_what_a_dead_worker_sent_is_verified_even_after_a_refused_retry(works_with, crm):
    """A 429 between a worker's death and the next success does not lose the look that is owed."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync, database = the_sync(works), works.store.database
    push(sync, go_on=lambda: False)
    database.transact(
        lambda connection: leases.claim(
            connection, works.store.vault, "crm", "contacts",
            now=database.now(connection), lease=timedelta(0), limit=1,
        )
    )  # fmt: skip
    crm.fail_next(RateLimited(retry_after_seconds=0.01))
    drain(works)
    make_due(works)
    assert drain(works) == {"created": 1}
    assert link_rows(works.store, "verify_at") != [(None,)]


def test_backoff_grows_and_has_a_limit():
    """Waits double from a second on, up to five minutes, and chance takes off up to a half."""
    for attempts in range(1, 30):
        longest = min(300.0, 2.0 ** (attempts - 1))
        waits = [outcomes.backoff(attempts, chance).total_seconds() for chance in (0, 1)]
        assert waits == [longest / 2, longest]


def lose_an_answer(works, crm, **traits) -> None:
    """Write a change of u1 that is carried out and whose answer is lost."""
    ingest(works, [identify("u1", **traits)])
    crm.fail_next(OutcomeUnknown(), carried_out=True)
    assert drain(works) == {"retried": 1}


def test_a_repair_that_is_refused_for_now_is_repeated(works_with, crm):
    """A 429 on the write that repairs a lost one leaves the record to be read again."""
    works = works_with(mapping(NAMES))
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    lose_an_answer(works, crm, first_name="Eve")
    ingest(works, [identify("u1", first_name="Ann")])  # as the snapshot says: nothing to send
    assert drain(works) == {"unchanged": 1}
    let_pass(works.store, ROOMY["settle_seconds"])
    refuse_next_write(the_sync(works).connector, RateLimited(retry_after_seconds=1))
    assert drain(works) == {"retried": 1}
    let_pass(works.store, 2)
    assert drain(works) == {"updated": 1}
    assert held(crm)[0]["firstname"] == "Ann"
    assert is_at_rest(works.store)


def refuse_next_write(connector, error) -> None:
    """Let reads pass, and the next write raise."""
    original = connector.write

    def refuse(_):
        connector.write = original
        raise error

    connector.write = refuse


def test_a_refusal_between_does_not_hide_what_a_lost_write_left(works_with, crm):
    """A dead link that comes back to life has its record read before it is compared."""
    works = works_with(mapping("firstname: first_name, phone: phone"))
    ingest(works, [identify("u1", first_name="Ann", phone="1")])
    drain(works)
    lose_an_answer(works, crm, first_name="Eve")
    refuse_next_write(the_sync(works).connector, BatchRejected("no", code="INVALID", hint=""))
    ingest(works, [identify("u1", phone="bad")])
    let_pass(works.store, 5)
    assert drain(works) == {"failed": 1}
    assert count_rows(works.store, links, links.c.wake_at.is_not(None)) == 0
    ingest(works, [identify("u1", first_name="Ann", phone="2")])
    drain(works)
    let_pass(works.store, ROOMY["settle_seconds"])
    drain(works)
    assert (held(crm)[0]["firstname"], held(crm)[0]["phone"]) == ("Ann", "2")
    assert is_at_rest(works.store)
