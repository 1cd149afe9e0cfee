"""The push where two profiles come to one record: it is one profile's."""

from __future__ import annotations

import pytest

from crmsync.model import FieldSchema, FieldType
from crmsync.sync.replay import choose, failure_groups, replay
from tests.unit.sync.people import NAMES, held, mapping, seed, writes
from tests.workbench import (
    ROOMY,
    call,
    drain,
    identify,
    ingest,
    is_at_rest,
    let_pass,
    link_rows,
)

BY_PHONE = mapping(
    "firstname: first_name, phone: phone", match="crmsync_id: profile_id, phone: phone"
)
TAKEN = ("conflict", "RECORD_TAKEN")


def test_another_profiles_record_is_not_written_to(works_with, crm):
    """Who is found in a record that is somebody else's is in conflict, without a write."""
    works = works_with(BY_PHONE)
    ingest(works, [identify("u1", first_name="Ann", phone="555")])
    drain(works)
    before = held(crm), writes(crm)
    ingest(works, [identify("u2", first_name="Bob", phone="555")])
    assert drain(works) == {"failed": 1}
    assert (held(crm), writes(crm)) == before
    assert link_rows(works.store, "state", "error_code", "crm_id")[1] == (*TAKEN, None)


def test_two_user_ids_are_parted_by_their_key_and_a_replay(works_with, crm):
    """No alias joins them, as the hint says: the key is corrected, and then it is sent again."""
    works = works_with(BY_PHONE)
    for user, name in (("u1", "Ann"), ("u2", "Bob")):
        ingest(works, [identify(user, first_name=name, phone="555")])
        drain(works)
    ingest(works, [call("alias", "u1", previousId="u2")])
    replay(works, choose(works))
    assert drain(works) == {"failed": 1}
    [(_, group)] = failure_groups(works)
    assert "user id of its own" in group.hint
    ingest(works, [identify("u2", phone="556")])
    replay(works, choose(works))
    assert drain(works) == {"created": 1}
    assert failure_groups(works) == []
    assert [(r["firstname"], r["phone"]) for r in held(crm)] == [("Ann", "555"), ("Bob", "556")]


def test_one_without_a_user_id_is_joined_by_an_alias(works_with, crm):
    """The other case that the hint names: one profile, one record, and nothing is left to do."""
    works = works_with(BY_PHONE)
    ingest(works, [identify("u1", first_name="Ann", phone="555")])
    drain(works)
    ingest(works, [call("identify", "", traits={"email": "ann@x.io", "phone": "555"})])
    assert drain(works) == {"failed": 1}
    ingest(works, [call("alias", "u1", previousId="ann@x.io")])
    drain(works)
    assert failure_groups(works) == []
    assert [record["firstname"] for record in held(crm)] == ["Ann"]


def test_two_people_who_find_one_record_do_not_both_write_to_it(works_with, crm):
    """Of two who come to a record at once, one has it and the other is in conflict."""
    works = works_with(BY_PHONE)
    seed(crm, phone="555")
    ingest(works, [identify(f"u{n}", first_name=f"Ann{n}", phone="555") for n in range(2)])
    assert drain(works) == {"updated": 1, "failed": 1}
    rows = link_rows(works.store, "state", "error_code", "crm_id")
    assert [row[:2] for row in rows].count(TAKEN) == 1
    (owner,) = [n for n, row in enumerate(rows) if row[2]]
    assert [record["firstname"] for record in held(crm)] == [f"Ann{owner}"]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_record_that_an_upsert_of_another_hit_is_repaired(works_with, crm, at_once):
    """Where the CRM finds the record itself, its owner's values are put back after a look."""
    crm.schemas["contacts"]["our_ref"] = FieldSchema("our_ref", "", FieldType.TEXT, unique=True)
    works = works_with(mapping(NAMES, match="our_ref: plan"))
    for user, name in (("u1", "Ann"), ("u2", "Bob")):
        ingest(works, [identify(user, plan="shared", first_name=name)])
        if not at_once:
            drain(works)
    drain(works)
    states = link_rows(works.store, "state", "error_code")
    assert sorted(states, key=str) == sorted([("active", None), TAKEN], key=str)
    let_pass(works.store, ROOMY["settle_seconds"] + 1)
    drain(works)
    owner = ("Ann", "Bob")[states.index(("active", None))]
    assert [record["firstname"] for record in held(crm)] == [owner]
    assert is_at_rest(works.store)
