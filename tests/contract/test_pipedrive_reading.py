"""Records read back from Pipedrive, against the simulated one: complete and cheap."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crmsync.connectors.base import Key
from crmsync.errors import ConfigError
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome
from tests.contract.pipedrive_account import control, crm, deals, people, purse, told, whole

__all__ = ["control", "crm", "purse", "whole"]

MISSING = "4711"


# --- records ----------------------------------------------------------------------------


def test_people_who_share_a_moment_are_all_told(control, crm):
    """1,200 in one second are three pages; from each page's cursor come all that are left."""
    ids = people(control, 1_200)
    pages = list(crm.changes("persons", None, ["name"]))
    assert [len(page.records) for page in pages] == [500, 500, 200]
    assert sorted(told(pages), key=int) == ids
    for done, page in enumerate(pages):
        rest = told(crm.changes("persons", page.cursor, ["name"])).keys()
        assert rest | told(pages[: done + 1]).keys() == set(ids)


def test_what_changes_while_we_read_is_told(control, crm):
    """Somebody on a page read and somebody on one to come: both are told as they are at the end."""
    ids = people(control, 700)
    pages = crm.changes("persons", None, ["name"])
    first = next(pages)
    control.advance(1)
    control.edit("persons", ids[0], name="New first")
    control.edit("persons", ids[-1], name="New last")
    rest = told([first, *pages])
    assert sorted(rest, key=int) == ids
    assert rest[ids[0]].fields["name"] == "New first"
    assert rest[ids[-1]].fields["name"] == "New last"


def test_a_change_that_was_listed_late_is_told(control, crm):
    """Four minutes behind the cursor is not too late; an hour is another matter."""
    [early] = people(control, 1)
    control.advance(3_600)
    [late] = people(control, 1, first=1)
    control.advance(240)
    [seen] = people(control, 1, first=2)
    [page] = crm.changes("persons", None, [])
    assert [record.crm_id for record in page.records] == [early, late, seen]
    assert set(told(crm.changes("persons", page.cursor, []))) == {late, seen}


def test_pages_are_read_as_they_are_asked_for(control, crm):
    """However many people there are, one page of them is held."""
    people(control, 1_200)
    pages = crm.changes("persons", None, ["name"])
    for read in (1, 2, 3):
        assert len(next(pages).records) <= 500
        assert control.calls(path="/api/v2/persons") <= read + 1


def test_a_pull_without_changes_is_one_call(control, crm):
    """And no page: the cursor stays."""
    people(control, 3)
    [page] = crm.changes("persons", None, ["name"])
    control.advance(600)
    later = datetime.fromisoformat(page.cursor) + timedelta(seconds=301)
    control.clear_ledger()
    assert list(crm.changes("persons", f"{later:%Y-%m-%dT%H:%M:%SZ}", ["name"])) == []
    assert control.calls() == 1


def test_deleted_deals_are_among_the_records(control, crm):
    """As deleted, without values; persons who are deleted are in no list of Pipedrive's."""
    kept, gone = deals(control, 2)
    control.act("delete", object_type="deals", id=gone)
    records = told(crm.changes("deals", None, ["title"]))
    assert (records[gone].is_deleted, records[gone].fields) == (True, {})
    assert (records[kept].is_deleted, records[kept].fields) == (False, {"title": "D 0"})
    [person] = people(control, 1)
    control.act("delete", object_type="persons", id=person)
    assert list(crm.changes("persons", None, [])) == []


def test_a_field_that_is_not_there_ends_a_pull_by_name(control, crm):
    """It would otherwise read as emptied, and so would each value that people gave."""
    with pytest.raises(ConfigError, match="Tier"):
        next(crm.changes("persons", None, ["name", "Tier"]))
    with pytest.raises(ConfigError, match="Tier"):
        next(crm.deals(None, ["Tier"]))


def test_a_field_that_is_deleted_while_we_read_ends_the_pull_by_name(control, crm):
    """The pages before it are good; the error is one, not a failure without end."""
    for object_type in ("persons", "deals"):
        control.act("add_field", object_type=object_type, name="Tier")
    people(control, 700)
    deals(control, 700)
    for pages, object_type in (
        (crm.changes("persons", None, ["Tier"]), "persons"),
        (crm.deals(None, ["Tier"]), "deals"),
    ):
        next(pages)
        control.act("delete_field", object_type=object_type, name="Tier")
        with pytest.raises(ConfigError, match=f"{object_type} have no field 'Tier'"):
            next(pages)


def test_a_read_leaves_out_a_field_that_is_not_there(control, crm):
    """Absent is not empty: before the fields are read anew, and after."""
    control.act("add_field", object_type="persons", name="Tier")
    [person] = people(control, 1)
    [record] = crm.read("persons", [Key(person)], ["name", "Tier"])
    assert record.fields == {"name": "P 0", "Tier": None}
    control.act("delete_field", object_type="persons", name="Tier")
    for _ in range(2):
        [record] = crm.read("persons", [Key(person)], ["name", "Tier"])
        assert record.fields == {"name": "P 0"}
        crm.describe("persons")


# --- what is gone -----------------------------------------------------------------------


@pytest.mark.parametrize("deleted_reads", ["flagged", "missing"])
def test_an_update_of_what_is_gone_says_so(control, crm, deleted_reads):
    """Whether or not the record is read before it is written."""
    control.settings(deleted_reads=deleted_reads)
    [person] = people(control, 1)
    control.act("delete", object_type="persons", id=person)
    for fields in ({"name": "New"}, {"email": "new@x.io"}):
        operation = Operation(LinkId(1), Action.UPDATE, fields, crm_id=CrmId(person))
        [result] = crm.write(Batch("persons", Action.UPDATE, [operation]))
        assert (result.outcome, result.is_gone) == (Outcome.REJECTED, True)
    assert crm.read("persons", [Key(person)], ["name"]) == [None]


def test_a_refused_value_is_not_gone(control, crm):
    """The record is there and takes other values."""
    [person] = people(control, 1)
    operation = Operation(LinkId(1), Action.UPDATE, {"org_id": MISSING}, crm_id=CrmId(person))
    [result] = crm.write(Batch("persons", Action.UPDATE, [operation]))
    assert (result.outcome, result.is_gone) == (Outcome.REJECTED, False)


@pytest.mark.parametrize("survivor", ["merge_with", "path"])
def test_two_records_are_made_one(control, crm, survivor):
    """The winner's values go before, whichever id is left; done again, it is done already."""
    control.settings(merge_survivor=survivor)
    winner, loser = people(control, 2)
    left = crm.merge("persons", CrmId(winner), CrmId(loser))
    assert left == (winner if survivor == "merge_with" else loser)
    [record] = crm.read("persons", [Key(left)], ["name"])
    assert record.fields == {"name": "P 0"}
    assert control.about()["objects"]["persons"] == 1
    assert crm.merge("persons", CrmId(winner), CrmId(loser)) == left


def test_a_record_is_not_merged_with_itself(control, crm):
    """That is done without a call."""
    [person] = people(control, 1)
    control.clear_ledger()
    assert crm.merge("persons", CrmId(person), CrmId(person)) == person
    assert control.calls() == 0


def test_references_are_fields_of_the_record(control, crm):
    """Whom a person works for goes with the person: no call of its own."""
    capabilities = crm.capabilities
    assert Action.ASSOCIATE not in capabilities.records_per_call
    name = capabilities.reference_fields["persons"]["organizations"]
    [person] = people(control, 1)
    [company] = control.seed("organizations", [{"name": "X"}])
    operation = Operation(LinkId(1), Action.UPDATE, {name: company}, crm_id=CrmId(person))
    crm.write(Batch("persons", Action.UPDATE, [operation]))
    [record] = crm.read("persons", [Key(person)], [name])
    assert record.fields == {name: company}
    for references in capabilities.reference_fields.values():
        assert references.keys() <= {"persons", "organizations"}
