"""Records read back from Salesforce: what its change lists, merges and conversions ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from crmsync.connectors.base import Delivery, Key
from crmsync.errors import ConfigError, Forged
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome
from tests.contract.salesforce_account import bench, changed, control, dealt, seed

__all__ = ["bench", "control"]

LONG_AGO = 86_400
"""Seconds: nothing appears any more behind what was stamped then."""
PAGE = 100


# --- records ----------------------------------------------------------------------------


def test_a_pull_goes_on_within_a_second(bench, control):
    """Interrupted among records of one second that is long past, it repeats and omits none."""
    ids = seed(control, "Contact", 350, age=LONG_AGO)
    control.settings(query_page=PAGE)
    connector = bench.connector()
    seen, cursor = [], None
    for _ in range(4):
        page = next(iter(connector.changes("Contact", cursor, ["LastName"])))
        seen += [record.crm_id for record in page.records]
        cursor = page.cursor
    assert sorted(seen) == sorted(ids)
    assert changed(connector, cursor)[0] == []


def test_a_pull_of_what_is_new_repeats_rather_than_omits(bench, control):
    """Interrupted within the last minutes, it begins behind its cursor: some may yet appear."""
    ids = seed(control, "Contact", 250)
    control.settings(query_page=PAGE)
    connector = bench.connector()
    [first, second] = islice(connector.changes("Contact", None, []), 2)
    seen = {record.crm_id for page in (first, second) for record in page.records}
    again, _ = changed(connector, second.cursor)
    assert len(seen) == 2 * PAGE
    assert {record.crm_id for record in again} == set(ids)


def test_a_commit_behind_the_cursor_is_seen(bench, control):
    """A transaction is stamped before it is committed, minutes before at times."""
    connector = bench.connector()
    late, _ = seed(control, "Contact", 2)
    _, cursor = changed(connector)
    control.edit("Contact", late, LastName="Late")
    control.act("backdate", object_type="Contact", id=late, seconds=250)
    records, _ = changed(connector, cursor, ["LastName"])
    assert {record.crm_id: record.fields for record in records}[late] == {"LastName": "Late"}


def test_what_was_deleted_is_listed(bench, control):
    """Without fields; and again with them where it came out of the recycle bin."""
    connector = bench.connector()
    [gone] = seed(control, "Contact")
    _, cursor = changed(connector)
    control.act("delete", object_type="Contact", id=gone)
    [record], cursor = changed(connector, cursor, ["LastName"])
    assert (record.is_deleted, record.successor, record.fields) == (True, None, {})
    control.act("undelete", object_type="Contact", id=gone)
    [record], _ = changed(connector, cursor, ["LastName"])
    assert (record.is_deleted, record.fields) == (False, {"LastName": "Li"})


def test_what_was_merged_names_its_successor(bench, control):
    """The loser is listed as deleted into the winner; a chain of merges link by link."""
    connector = bench.connector()
    first, second, third = seed(control, "Contact", 3)
    _, cursor = changed(connector)
    control.act("merge", object_type="Contact", winner=second, loser=first)
    control.act("merge", object_type="Contact", winner=third, loser=second)
    records, _ = changed(connector, cursor)
    fates = {r.crm_id: (r.is_deleted, r.successor) for r in records}
    assert fates == {first: (True, second), second: (True, third), third: (False, None)}


def test_a_lead_that_was_converted_names_its_contact(bench, control):
    """It is there still, takes no more writes, and says whom it became."""
    connector = bench.connector()
    [lead] = seed(control, "Lead")
    _, cursor = changed(connector, object_type="Lead")
    made = control.act("convert_lead", id=lead, opportunity="Big")
    contact = made["contact_id"]
    assert dealt(connector)[0][made["opportunity_id"]].people == (contact,)
    [record], _ = changed(connector, cursor, ["LastName"], "Lead")
    assert (record.is_converted, record.successor) == (True, contact)
    assert record.fields == {"LastName": "Li"}
    [read] = connector.read("Lead", [Key(lead)], ["LastName"])
    assert (read.is_converted, read.successor) == (True, contact)
    change = Operation(LinkId(0), Action.UPDATE, {"LastName": "Wu"}, crm_id=lead)
    [result] = connector.write(Batch("Lead", Action.UPDATE, [change]))
    assert (result.outcome, result.is_gone) == (Outcome.REJECTED, True)


def test_the_system_moves_a_record_too(bench, control):
    """By SystemModstamp, which moves where LastModifiedDate does not."""
    connector = bench.connector()
    [touched] = seed(control, "Contact", age=LONG_AGO)
    _, cursor = changed(connector)
    assert changed(connector, cursor)[0] == []
    control.act("touch", object_type="Contact", id=touched)
    assert [record.crm_id for record in changed(connector, cursor)[0]] == [touched]


def test_a_formula_is_seen_when_everything_is_read(bench, control):
    """Its value changes and its record does not: no list of changes can tell."""
    [held] = seed(control, "Contact", age=LONG_AGO)
    control.act("add_field", object_type="Contact", name="Tier__c", calculated=True)
    connector = bench.connector()
    _, cursor = changed(connector, None, ["Tier__c"])
    control.act("recalculate", object_type="Contact", id=held, field="Tier__c", value="Gold")
    assert changed(connector, cursor, ["Tier__c"])[0] == []
    assert changed(connector, None, ["Tier__c"])[0][0].fields == {"Tier__c": "Gold"}


def test_a_field_that_goes_away_is_named(bench, control):
    """Once by Salesforce's refusal and then by its description: no call is wasted on it again."""
    seed(control, "Contact")
    control.act("add_field", object_type="Contact", name="Tier__c")
    connector = bench.connector()
    _, cursor = changed(connector, None, ["Tier__c"])
    control.act("remove_field", object_type="Contact", name="Tier__c")
    for _ in range(2):
        with pytest.raises(ConfigError, match="'Tier__c' of Contact"):
            changed(connector, cursor, ["Tier__c"])
    with pytest.raises(ConfigError, match="'Nope__c' of Opportunity"):
        dealt(connector, None, ["Nope__c"])


def test_hundreds_of_fields_are_pulled_in_two_steps(bench, control):
    """Ids first where the names alone would fill an address; what is gone is not read."""
    names = [f"A_field_with_a_long_name_{n}__c" for n in range(300)]
    for name in names:
        control.act("add_field", object_type="Contact", name=name)
    kept, gone = seed(control, "Contact", 2, **{names[7]: "x"})
    control.act("delete", object_type="Contact", id=gone)
    before = bench.calls()
    records, _ = changed(bench.connector(), None, names)
    by_id = {record.crm_id: record for record in records}
    assert (by_id[kept].fields[names[7]], by_id[gone].is_deleted) == ("x", True)
    assert bench.calls() - before == 2


def test_an_object_without_a_stamp_is_no_object_to_pull(bench, control):
    """Said by name, rather than asked for again and again."""
    control.settings(hidden_fields=["Contact.SystemModstamp"])
    try:
        before = bench.calls()
        with pytest.raises(ConfigError, match="'SystemModstamp' of Contact"):
            changed(bench.connector())
        assert bench.calls() == before
    finally:
        control.settings(hidden_fields=[])


def test_an_id_that_was_merged_reads_as_the_survivor(bench, control):
    """With every id on the way to it; one that was only deleted reads as nobody."""
    first, second, third, gone = seed(control, "Contact", 4)
    control.act("merge", object_type="Contact", winner=second, loser=first)
    control.act("merge", object_type="Contact", winner=third, loser=second)
    control.act("delete", object_type="Contact", id=gone)
    found = bench.connector().read("Contact", [Key(i) for i in (first, gone, third)], [])
    assert [record and record.crm_id for record in found] == [third, None, third]
    assert found[0].former_ids == (second, first)
    assert found[2].former_ids == ()


def test_writes_say_which_records_are_gone(bench, control):
    """Deleted, merged, or out of the recycle bin as well; a wrong reference is none of these."""
    deleted, merged, winner, purged, kept = seed(control, "Contact", 5)
    control.act("delete", object_type="Contact", id=purged)
    control.act("purge")
    control.act("delete", object_type="Contact", id=deleted)
    control.act("merge", object_type="Contact", winner=winner, loser=merged)
    lost = CrmId("0015e0000000009AAA")
    changes = [(deleted, {"LastName": "x"}), (merged, {"LastName": "x"}),
               (purged, {"LastName": "x"}), (kept, {"AccountId": lost}),
               (winner, {"LastName": "x"})]  # fmt: skip
    operations = [
        Operation(LinkId(n), Action.UPDATE, fields, crm_id=crm_id)
        for n, (crm_id, fields) in enumerate(changes)
    ]
    results = bench.connector().write(Batch("Contact", Action.UPDATE, operations))
    assert [result.is_gone for result in results] == [True, True, True, False, False]
    assert results[3].failure.field == "AccountId"
    assert results[4].outcome is Outcome.SUCCEEDED


# --- what Salesforce does not do --------------------------------------------------------


def test_salesforce_calls_nobody(bench):
    """Who calls in its name is refused; whoever asks for it is told what there is instead."""
    connector = bench.connector()
    delivery = Delivery("POST", "https://x.io/hooks/crm", {}, b"{}", datetime.now(UTC))
    with pytest.raises(Forged):
        connector.hints(delivery)
    with pytest.raises(ConfigError, match="pull_seconds"):
        connector.watch(["Contact"])
    connector.unwatch()
    with pytest.raises(ConfigError, match="merges no records"):
        connector.merge("Contact", CrmId("a"), CrmId("b"))
    assert bench.calls() == 0


def test_references_tie_records(bench):
    """A contact's account is a field of it, and nothing is associated by a call of its own."""
    can = bench.connector().capabilities
    assert Action.ASSOCIATE not in can.records_per_call
    assert can.reference_fields["Contact"] == {"Account": "AccountId"}
