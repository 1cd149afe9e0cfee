"""Records to read: once each, however often they were told of, and by one worker."""

from __future__ import annotations

from datetime import timedelta

from crmsync.model import CrmId, Hint
from crmsync.store import hints
from crmsync.store.hints import REPEATED_WITHIN
from tests.unit.store.queue import NOW, seconds

LEASE = timedelta(seconds=120)


def hint(crm_id, key, successor=None, kind="contacts"):
    """One event of a delivery."""
    return Hint(kind, CrmId(crm_id), NOW, key, successor)


def told(store, *events, at=0.0):
    """Take a delivery, to be read a second later; return how many of its events are news."""
    return store.database.transact(
        lambda c: hints.take(c, "crm", events, seconds(at + 1), seconds(at))
    )


def claim(store, at=1.0, kind="contacts", limit=100):
    """Take what is to be read."""
    return store.database.transact(
        lambda c: hints.claim(c, "crm", kind, seconds(at), until=seconds(at) + LEASE, limit=limit)
    )


def ids(read):
    """Their ids."""
    return sorted(one.crm_id for one in read)


def done(store, read, at=5.0):
    """They were read."""
    store.database.transact(lambda c: hints.done(c, "crm", read, seconds(at)))


def ask(store, *crm_ids, at):
    """Have records read at a moment."""
    records = {("contacts", CrmId(one)) for one in crm_ids}
    store.database.transact(lambda c: hints.ask(c, "crm", records, seconds(at)))


def next_due(store):
    """When there is something to read, in seconds."""
    with store.database.read() as connection:
        moment = hints.next_due(connection, "crm", ["contacts"])
    return moment and (moment - NOW).total_seconds()


def test_a_storm_is_one_read(store):
    """A hundred events of one record, in one delivery or in many."""
    assert told(store, *(hint("1", f"e{n}") for n in range(50))) == 50
    assert told(store, *(hint("1", f"f{n}") for n in range(50))) == 50
    assert ids(claim(store)) == ["1"]


def test_a_delivery_that_is_repeated_is_no_news(store):
    """For two days; within one delivery as well."""
    assert told(store, hint("1", "e1"), hint("1", "e1")) == 1
    done(store, claim(store))
    assert told(store, hint("1", "e1"), at=10) == 0
    assert claim(store, at=100) == []
    late = REPEATED_WITHIN.total_seconds() + 20
    assert told(store, hint("1", "e1"), at=late) == 1


def test_what_is_claimed_is_nobody_elses(store):
    """Until the claim is over: then it is due again, unless it was read."""
    told(store, hint("1", "e1"), hint("2", "e2"))
    first = claim(store, limit=1)
    second = claim(store)
    assert sorted(ids(first) + ids(second)) == ["1", "2"]
    assert claim(store, at=60) == []
    done(store, first)
    assert ids(claim(store, at=122)) == ids(second)


def test_what_is_told_of_while_it_is_read_is_read_again(store):
    """The reading may be older than the change; it need not wait for the claim's end."""
    told(store, hint("1", "e1"))
    read = claim(store)
    told(store, hint("1", "e2"), at=5)
    done(store, read)
    assert ids(claim(store, at=6)) == ["1"]


def test_what_somebody_else_read_since_is_read_once_more(store):
    """A worker that slept through its claim read an older value, and takes it last."""
    told(store, hint("1", "e1"), hint("2", "e2"))
    slept = claim(store)
    done(store, claim(store, at=122))
    assert next_due(store) is None
    done(store, slept, at=130)
    assert ids(claim(store, at=130)) == ["1", "2"]


def test_what_was_told_of_anew_since_is_not_forgotten(store):
    """Somebody else has read it, and then it was told of for the first time again."""
    told(store, hint("1", "e1"))
    slept = claim(store)
    done(store, claim(store, at=122))
    told(store, hint("1", "e2"), at=125)
    done(store, slept, at=130)
    assert ids(claim(store, at=130)) == ["1"]


def test_not_before_its_time(store):
    """And the sooner of two moments holds."""
    ask(store, "1", at=300)
    assert claim(store, at=299) == []
    ask(store, "1", at=100)
    ask(store, "1", at=200)
    assert next_due(store) == 100
    assert ids(claim(store, at=100)) == ["1"]


def test_the_longest_waiting_first(store):
    """Where there are more than are read at once."""
    ask(store, "1", at=30)
    ask(store, "2", at=10)
    ask(store, "3", at=20)
    assert ids(claim(store, at=100, limit=2)) == ["2", "3"]


def test_types_and_connections_are_their_own(store):
    """A deal is no contact of the same id."""
    told(store, hint("1", "e1"), hint("1", "e2", kind="deals"))
    assert ids(claim(store)) == ["1"]
    assert ids(claim(store, kind="deals")) == ["1"]
    with store.database.read() as connection:
        assert hints.next_due(connection, "other", ["contacts"]) is None
        assert hints.next_due(connection, "crm", ["companies"]) is None


def test_what_a_record_was_merged_into_is_kept(store):
    """By a webhook or by whoever asks; a later event that says nothing of it does not undo it."""
    told(store, hint("1", "e1", successor=CrmId("9")), hint("2", "e2"))
    told(store, hint("1", "e3"))
    ask(store, "3", at=0)
    merged = {("contacts", CrmId("3")): CrmId("8")}
    store.database.transact(lambda c: hints.name_successors(c, "crm", merged))
    assert {one.crm_id: one.successor for one in claim(store)} == {"1": "9", "2": None, "3": "8"}
