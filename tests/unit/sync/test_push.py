"""The push against a CRM in memory: what is sent, what is looked at first, what follows."""

from __future__ import annotations

import pytest

from crmsync.model import FieldSchema, FieldType, Outcome
from crmsync.store import bulk
from crmsync.store.tables import links, sync_log
from crmsync.sync.push import push
from tests.unit.sync.people import NAMES, held, mapping, seed, writes
from tests.workbench import (
    ADOPTING,
    KEYED,
    count_rows,
    drain,
    identify,
    ingest,
    is_at_rest,
    link_rows,
    mark_dirty,
    the_sync,
)


def test_people_are_created_a_hundred_in_a_call(works_with, crm):
    """250 new people cost three write calls, and the log has an entry for each."""
    works = works_with(KEYED)
    ingest(works, [identify(f"u{n}", first_name=f"Ann{n}") for n in range(250)])
    assert drain(works) == {"created": 250}
    assert (writes(crm), len(held(crm))) == (3, 250)
    assert count_rows(works.store, sync_log, sync_log.c.outcome == Outcome.SUCCEEDED) == 250


def test_only_what_differs_travels(works_with, crm):
    """Once a link exists, an update carries the changed fields and leaves the others alone."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee")])
    drain(works)
    (crm_id,) = crm.records["contacts"]
    crm.save("contacts", crm_id, {"firstname": "edited by a salesperson"})
    ingest(works, [identify("u1", last_name="Ray")])
    assert drain(works) == {"updated": 1}
    assert held(crm)[0]["firstname"] == "edited by a salesperson"
    assert held(crm)[0]["lastname"] == "Ray"


def test_nothing_is_sent_where_nothing_differs(works_with, crm):
    """A link that is marked without a changed value costs no call."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    mark_dirty(works.store, "u1")
    before = dict(crm.calls)
    assert drain(works) == {"unchanged": 1}
    assert dict(crm.calls) == before
    assert is_at_rest(works.store)


def test_a_burst_is_one_write(works_with, crm):
    """Ten changes of one person before the push are one write of the last values."""
    works = works_with(KEYED)
    for n in range(10):
        ingest(works, [identify("u1", first_name=f"Ann{n}")])
    drain(works)
    assert writes(crm) == 1
    assert held(crm)[0]["firstname"] == "Ann9"


def test_a_trait_that_is_removed_is_cleared(works_with, crm):
    """Null for a trait empties the field that it was sent to."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee")])
    drain(works)
    ingest(works, [identify("u1", last_name=None)])
    drain(works)
    assert "lastname" not in held(crm)[0]


def test_a_record_is_adopted_by_its_email(works_with, crm):
    """A record that is there already is taken over: updated and given our id, not made twice."""
    works = works_with(ADOPTING)
    crm_id = seed(crm, email="ann@acme.example", phone="1")
    ingest(works, [identify("u1", email="Ann@acme.example", first_name="Ann")])
    assert drain(works) == {"updated": 1}
    (record,) = held(crm)
    assert record["firstname"] == "Ann"
    assert record["phone"] == "1"
    assert record["crmsync_id"]
    assert link_rows(works.store, "crm_id") == [(crm_id,)]


def test_two_profiles_cannot_claim_one_record(works_with, crm):
    """The second profile that comes to a record with an owner is in conflict, with a reason."""
    works = works_with(mapping(NAMES, match="our_ref: plan"))
    ingest(works, [identify("u1", plan="shared", first_name="Ann")])
    drain(works)
    ingest(works, [identify("u2", plan="shared", first_name="Bob")])
    drain(works)
    assert link_rows(works.store, "state", "error_code")[1] == ("conflict", "RECORD_TAKEN")


@pytest.mark.parametrize(
    ("mode", "there", "expected"),
    [
        ("update", False, {"unchanged": 1}),
        ("update", True, {"updated": 1}),
        ("insert", False, {"created": 1}),
        ("insert", True, {"unchanged": 1}),
        ("upsert", False, {"created": 1}),
        ("upsert", True, {"updated": 1}),
    ],
)
def test_a_mode_decides_what_may_be_written(works_with, crm, mode, there, expected):
    """`update` never creates, `insert` never overwrites, `upsert` does both."""
    works = works_with(mapping(NAMES + ", email: email", match="email: email", mode=mode))
    if there:
        seed(crm, email="ann@acme.example", firstname="Old")
    ingest(works, [identify("u1", email="ann@acme.example", first_name="Ann")])
    assert drain(works) == expected
    assert is_at_rest(works.store)


@pytest.mark.parametrize(("theirs", "expected"), [("555", "555"), (None, "123")])
def test_only_if_empty_leaves_what_is_there(works_with, crm, theirs, expected):
    """A field that is only filled where it is empty keeps the value somebody typed in."""
    field = "phone: {from: phone, conflict: only_if_empty}, firstname: first_name"
    works = works_with(mapping(field, match="email: email"))
    seed(crm, email="ann@acme.example", phone=theirs)
    ingest(works, [identify("u1", email="ann@acme.example", phone="123", first_name="Ann")])
    drain(works)
    assert held(crm)[0]["phone"] == expected
    assert held(crm)[0]["firstname"] == "Ann"


@pytest.mark.parametrize(
    ("on_leave", "stage", "first"),
    [("keep", "pro", "Ann"), ("clear", None, None), ("{set: {stage: gone}}", "gone", "Ann")],
)
def test_a_mapping_says_what_is_left_behind(works_with, crm, on_leave, stage, first):
    """A person who no longer meets `only` keeps the record as it is, cleared, or set as told."""
    works = works_with(
        mapping("stage: plan, firstname: first_name", only='plan = "pro"', on_leave=on_leave)
    )
    ingest(works, [identify("u1", plan="pro", first_name="Ann")])
    drain(works)
    ingest(works, [identify("u1", plan="free", first_name="Eve")])
    drain(works)
    (record,) = held(crm)
    assert (record.get("stage"), record.get("firstname")) == (stage, first)


def test_who_was_never_in_is_not_sent(works_with, crm):
    """A person outside `only` who has no record gets none."""
    works = works_with(mapping(NAMES, only='plan = "pro"'))
    ingest(works, [identify("u1", plan="free")])
    drain(works)
    assert held(crm) == []


def test_a_snapshot_that_cannot_be_read_stops_nobody(works_with, crm):
    """A link whose snapshot does not open has its record read instead; the others go on."""
    works = works_with(KEYED)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(3)])
    drain(works)
    ((broken,), *_) = link_rows(works.store, "id")
    ruined = [{"id": broken, "snapshot_sealed": b"moved or changed"}]
    works.store.database.transact(lambda connection: bulk.update(connection, links, ruined))
    ingest(works, [identify(f"u{n}", first_name="Eve") for n in range(3)])
    reads = crm.calls["read"]
    assert drain(works) == {"updated": 3}
    assert {record["firstname"] for record in held(crm)} == {"Eve"}
    assert crm.calls["read"] == reads + 1


def test_a_field_that_was_missing_is_seen_when_it_is_there(works_with, crm):
    """After a mapping did not fit, the CRM's fields are described anew."""
    works = works_with(mapping(NAMES, match="new_key: profile_id"))
    ingest(works, [identify("u1", first_name="Ann")])
    rest = push(the_sync(works)).rest
    assert rest is not None
    assert "new_key" in rest.message
    crm.schemas["contacts"]["new_key"] = FieldSchema("new_key", "", FieldType.TEXT, unique=True)
    assert drain(works) == {"created": 1}
