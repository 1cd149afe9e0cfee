"""Records that were there before us become people's own, and nothing is written to the CRM."""

from __future__ import annotations

from collections import Counter

from crmsync.errors import BatchRejected, Unavailable
from crmsync.store.adopted_links import Standing
from crmsync.store.tables import hints, links
from crmsync.sync import adopt as adopting
from crmsync.sync import looking
from crmsync.sync.adopt import MISSING, OUTSIDE, REFUSED, SHARED, adopt
from crmsync.sync.push import push
from tests.unit.sync.people import held, make_due, mapping, seed, writes
from tests.workbench import ADOPTING, count_rows, crowd, identify, ingest, link_rows, the_sync

TWO_WAY = "email: email, firstname: first_name, lastname: {from: last_name, conflict: newest}"
KEYS = "crmsync_id: profile_id, email: email"


def adopted(works, *, write=True, **keys):
    """Adopt for the contacts' mapping."""
    return adopt(works, works.mappings["contacts"], write=write, **keys)


def test_a_report_alone_writes_nothing_anywhere(works_with, crm):
    """Who is found by which key, and who is not; no link gets a record."""
    works = works_with(ADOPTING)
    ingest(works, crowd(3, "Lee"))
    seed(crm, email="ann0@acme.example")
    seed(crm, email="ann1@acme.example")
    found = adopted(works, write=False)
    assert found.found == Counter(email=2)
    assert found.counts == {MISSING: 1}
    assert (found.seen, found.adopted, writes(crm)) == (3, 0, 0)
    assert [crm_id for (crm_id,) in link_rows(works.store, "crm_id")] == [None] * 3


def test_the_next_push_sends_only_what_differs(works_with, crm):
    """An adopted record is updated by its id; no second one is made for anybody."""
    works = works_with(ADOPTING)
    ingest(works, crowd(2, "Lee"))
    record = seed(crm, email="ann0@acme.example", firstname="Ann0", phone="1")
    assert adopted(works).adopted == 1
    assert writes(crm) == 0
    make_due(works)
    push(the_sync(works))
    assert len(held(crm)) == 2
    assert crm.records["contacts"][record].fields["lastname"] == "Lee"
    assert crm.records["contacts"][record].fields["phone"] == "1"


def test_a_second_time_finds_everybody_linked(works_with, crm):
    """So an interrupted adoption goes on where it was; and nobody is read again."""
    works = works_with(ADOPTING)
    ingest(works, crowd(2, "Lee"))
    seed(crm, email="ann0@acme.example")
    seed(crm, email="ann1@acme.example")
    adopted(works)
    reads = crm.calls["read"]
    again = adopted(works)
    assert again.counts == {Standing.LINKED: 2}
    assert (again.adopted, crm.calls["read"]) == (0, reads)


def test_what_was_read_is_the_snapshot_and_is_asked_for_again(works_with, crm):
    """Where the mapping reads back, a two-way field is judged before it is written."""
    works = works_with(mapping(TWO_WAY, KEYS))
    ingest(works, crowd(1, "Lee"))
    record = seed(crm, email="ann0@acme.example", lastname="Lind")
    adopted(works)
    assert count_rows(works.store, hints, hints.c.crm_id == record) == 1


def test_a_record_that_two_people_share_is_neithers(works_with, crm):
    """A person decides; both are named."""
    works = works_with(mapping("firstname: first_name", "phone: phone"))
    ingest(works, [identify("u1", phone="1"), identify("u2", phone="1"), identify("u3", phone="2")])
    seed(crm, phone="1")
    seed(crm, phone="2")
    found = adopted(works)
    assert found.counts == {SHARED: 2}
    assert (found.adopted, len(found.examples[SHARED])) == (1, 2)


def test_a_record_of_another_profile_is_left_to_it(works_with, crm):
    """Its owner was linked before."""
    works = works_with(mapping("firstname: first_name", "phone: phone"))
    ingest(works, [identify("u1", phone="1")])
    seed(crm, phone="1")
    adopted(works)
    ingest(works, [identify("u2", phone="1")])
    assert adopted(works).counts == {Standing.LINKED: 1, SHARED: 1}


def test_what_a_worker_has_taken_up_is_left_to_it(works_with, crm):
    """A leased link may be about to get a record."""
    works = works_with(ADOPTING)
    ingest(works, crowd(2, "Lee"))
    seed(crm, email="ann0@acme.example")
    seed(crm, email="ann1@acme.example")
    lease(works, 0)
    assert adopted(works).counts == {Standing.BUSY: 1}
    assert [bool(crm_id) for (crm_id,) in link_rows(works.store, "crm_id")] == [False, True]


def test_a_lease_taken_while_reading_wins(works_with, crm, monkeypatch):
    """The read is over when the worker's claim is seen, in the transaction that would write."""
    works = works_with(ADOPTING)
    ingest(works, crowd(1, "Lee"))
    seed(crm, email="ann0@acme.example")
    read = looking.read_each

    def read_and_lose(*arguments):
        found = list(read(*arguments))
        lease(works, 0)
        return found

    monkeypatch.setattr(adopting, "read_each", read_and_lose)
    found = adopted(works)
    assert (found.adopted, found.counts) == (0, {Standing.BUSY: 1})
    assert link_rows(works.store, "crm_id") == [(None,)]


def lease(works, number):
    """Lease one link, as a worker does."""
    (link,) = link_rows(works.store, "id")[number]
    with works.store.database.engine.begin() as connection:
        connection.execute(links.update().where(links.c.id == link).values(lease_token="x" * 32))


def test_who_is_not_the_syncs_own_is_passed_over(works_with, crm):
    """By `only`; an anonymous visitor is not even counted."""
    works = works_with(mapping("email: email", KEYS, only="plan = 'pro'"))
    ingest(works, [identify("u1", email="a@acme.example", plan="free")])
    seed(crm, email="a@acme.example")
    assert adopted(works).counts == {OUTSIDE: 1}


def test_a_key_that_the_crm_refuses_is_one_persons(works_with, crm, monkeypatch):
    """The others of the same call are found all the same."""
    works = works_with(ADOPTING)
    ingest(works, crowd(4, "Lee"))
    for n in range(4):
        seed(crm, email=f"ann{n}@acme.example")
    connector = the_sync(works).connector
    read = connector.read

    def picky(object_type, keys, fields):
        if any(key.value == "ann2@acme.example" for key in keys):
            raise BatchRejected("bad key", code="BAD_KEY", hint="correct it")
        return read(object_type, keys, fields)

    monkeypatch.setattr(connector, "read", picky)
    found = adopted(works)
    assert (found.adopted, found.counts) == (3, {REFUSED: 1})


def test_a_crm_that_is_away_ends_it_and_keeps_what_is_done(works_with, crm, monkeypatch):
    """The pages before are linked; the connection rests."""
    monkeypatch.setattr(adopting, "PAGE", 1)
    works = works_with(ADOPTING)
    ingest(works, crowd(2, "Lee"))
    seed(crm, email="ann0@acme.example")
    seed(crm, email="ann1@acme.example")
    found = adopted(works, progress=lambda _: crm.fail_next(Unavailable("away")))
    assert found.rest is not None
    assert (found.seen, found.adopted) == (1, 1)
