"""Reading back from Salesforce: what its change lists, merges, conversions and roles ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from crmsync.connectors.base import Delivery, Key
from crmsync.errors import ConfigError, Forged
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    DealStatus,
    Directory,
    LinkId,
    Operation,
    Outcome,
)
from tests.contract.salesforce_bench import SalesforceBench

LONG_AGO = 86_400
"""Seconds: nothing appears any more behind what was stamped then."""
PAGE = 100
STAGE, OWNER = "StageName", "OwnerId"
DAY = "2026-02-28"


@pytest.fixture
def bench(salesforce_control):
    """A new org; settings are put back."""
    bench = SalesforceBench(salesforce_control)
    before = bench.control.settings()
    kept = {name: before[name] for name in ("query_page", "subquery_page")}
    yield bench
    bench.control.settings(**kept)
    assert bench.problems() == []


@pytest.fixture
def control(bench):
    """What happens in the org."""
    return bench.control


def seed(control, object_type, count=1, *, age=0, **fields):
    """Make records that were last changed so many seconds ago, all in one second."""
    needed = {"Contact": {"LastName": "Li"}, "Lead": {"LastName": "Li", "Company": "Acme"}}
    ids = control.seed(object_type, [{**needed[object_type], **fields}] * count)
    if age:
        for one in ids:
            control.act("backdate", object_type=object_type, id=one, seconds=age)
    return ids


def deal(control, *people, stage="Prospecting", **fields):
    """Make an opportunity with these people on it."""
    [made] = control.seed(
        "Opportunity", [{"Name": "Deal", "StageName": stage, "CloseDate": DAY, **fields}]
    )
    for person in people:
        tie(control, made, person)
    return made


def tie(control, opportunity, person, **fields):
    """Give a person a role in an opportunity."""
    role = {"OpportunityId": opportunity, "ContactId": person, **fields}
    return control.seed("OpportunityContactRole", [role])[0]


def changed(connector, cursor=None, fields=(), object_type="Contact"):
    """All records of a pull, and where it ended."""
    records = []
    for page in connector.changes(object_type, cursor, fields):
        records += page.records
        cursor = page.cursor
    return records, cursor


def dealt(connector, cursor=None, fields=(STAGE, OWNER)):
    """All deals of a pull by id, and where it ended."""
    deals = {}
    for page in connector.deals(cursor, fields):
        deals |= {one.crm_id: one for one in page.deals}
        cursor = page.cursor
    return deals, cursor


# --- records ------------------------------------------------------------------------------


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


# --- deals --------------------------------------------------------------------------------


def test_two_thousand_changed_deals_are_one_call(bench, control):
    """Each with its people, the first time and again when all of them changed."""
    [ann] = seed(control, "Contact")
    opportunities = [{"Name": f"D{n}", "StageName": "Prospecting", "CloseDate": DAY}
                     for n in range(2_000)]  # fmt: skip
    ids = control.seed("Opportunity", opportunities)
    control.seed(
        "OpportunityContactRole", [{"OpportunityId": one, "ContactId": ann} for one in ids]
    )
    connector = bench.connector()
    connector.describe_deals()
    before = bench.calls()
    deals, cursor = dealt(connector)
    assert bench.calls() - before == 1
    assert {one.people for one in deals.values()} == {(ann,)}
    deals, _ = dealt(connector, cursor)
    assert (len(deals), bench.calls() - before) == (2_000, 2)


def test_a_deal_says_how_it_stands(bench, control):
    """Won, lost or open by the stage's own flags, however the org calls it; with its day."""
    control.act("add_stage", name="Signed", won=True)
    control.act("rename_stage", name="Closed Lost", new="Dropped")
    ada = next(u for u in control.records("User") if u["properties"]["FirstName"] == "Ada")["id"]
    won = deal(control, stage="Signed", Amount=12.5, OwnerId=ada)
    lost = deal(control, stage="Dropped", Amount=0)
    still = deal(control)
    deals, _ = dealt(bench.connector())
    assert {one: d.status for one, d in deals.items()} == {
        won: DealStatus.WON, lost: DealStatus.LOST, still: DealStatus.OPEN
    }  # fmt: skip
    assert [deals[one].amount for one in (won, lost, still)] == [12.5, 0.0, None]
    assert deals[won].closed_at == datetime(2026, 2, 28, tzinfo=UTC)
    assert deals[still].closed_at is None
    assert deals[won].fields == {STAGE: "Signed", OWNER: ada}
    assert deals[won].created_at
    assert deals[won].modified_at


def test_people_come_whole_and_the_main_one_first(bench, control):
    """However many there are, each once; who lost the role is not among them."""
    people = seed(control, "Contact", 7)
    made = deal(control, *people[:5])
    former = tie(control, made, people[5])
    tie(control, made, people[0], Role="Evaluator")
    tie(control, made, people[6], IsPrimary=True)
    control.act("delete", object_type="OpportunityContactRole", id=former)
    control.settings(subquery_page=2)
    connector = bench.connector()
    deals, _ = dealt(connector)
    assert deals[made].people == (people[6], *people[:5])
    assert connector.deals_by_id([made], [])[0].people == deals[made].people


@pytest.mark.parametrize("how", ["joins", "leaves", "is merged", "is deleted"])
def test_a_deal_changes_with_its_people(bench, control, how):
    """Though its own stamp does not move when a role comes, goes, or passes to a survivor."""
    ann, bob = seed(control, "Contact", 2)
    made = deal(control, ann)
    role = tie(control, made, bob) if how == "leaves" else None
    control.act("backdate", object_type="Opportunity", id=made, seconds=LONG_AGO)
    for one in control.records("OpportunityContactRole"):
        control.act("backdate", object_type="OpportunityContactRole", id=one["id"],
                    seconds=LONG_AGO)  # fmt: skip
    connector = bench.connector()
    _, cursor = dealt(connector)
    assert dealt(connector, cursor)[0] == {}
    if how == "joins":
        tie(control, made, bob)
    elif how == "leaves":
        control.act("delete", object_type="OpportunityContactRole", id=role)
    elif how == "is merged":
        control.act("merge", object_type="Contact", winner=bob, loser=ann)
    else:
        control.act("delete", object_type="Contact", id=ann)
    deals, cursor = dealt(connector, cursor)
    people = {"joins": (ann, bob), "leaves": (ann,), "is merged": (bob,), "is deleted": ()}[how]
    assert deals[made].people == people


def test_a_pull_of_deals_goes_on_where_it_was(bench, control):
    """Interrupted at any page, it omits neither a deal nor a role that came meanwhile."""
    ann, bob = seed(control, "Contact", 2)
    opportunities = [{"Name": f"D{n}", "StageName": "Prospecting", "CloseDate": DAY}
                     for n in range(250)]  # fmt: skip
    ids = control.seed("Opportunity", opportunities)
    for one in ids:
        control.act("backdate", object_type="Opportunity", id=one, seconds=LONG_AGO)
    control.settings(query_page=PAGE)
    connector = bench.connector()
    page = next(iter(connector.deals(None, [STAGE])))
    seen = {one.crm_id: one for one in page.deals}
    early = next(iter(seen))
    tie(control, early, ann)
    for _ in range(2):
        # Of the roles that changed, and the next hundred deals.
        tied, page = islice(connector.deals(page.cursor, [STAGE]), 2)
        assert [one.crm_id for one in tied.deals] == [early]
        seen |= {one.crm_id: one for one in (*tied.deals, *page.deals)}
    assert set(seen) == set(ids)
    assert seen[early].people == (ann,)
    tie(control, ids[-1], bob)
    later, _ = dealt(connector, page.cursor)
    assert later[ids[-1]].people == (bob,)


def test_a_deal_is_not_read_again_for_a_role_that_was_seen(bench, control):
    """A role that came with its deal is done with, however old the last role by itself is."""
    [ann] = seed(control, "Contact")
    made = deal(control, ann)
    [role] = control.records("OpportunityContactRole")
    control.act("backdate", object_type="Opportunity", id=made, seconds=LONG_AGO)
    control.act("backdate", object_type="OpportunityContactRole", id=role["id"], seconds=LONG_AGO)
    connector = bench.connector()
    deals, cursor = dealt(connector, "2020-01-01T00:00:00Z 2020-01-01T00:00:00Z")
    assert deals[made].people == (ann,)
    assert dealt(connector, cursor)[0] == {}


def test_deals_that_are_gone_say_so(bench, control):
    """In a pull and by id; one that never was is gone too."""
    gone, kept = deal(control), deal(control)
    connector = bench.connector()
    _, cursor = dealt(connector)
    control.act("delete", object_type="Opportunity", id=gone)
    assert dealt(connector, cursor)[0][gone].is_deleted
    never = CrmId("0065e0000000999AAA")
    found = connector.deals_by_id([CrmId(gone), never, CrmId(kept), CrmId(gone)], [STAGE])
    assert {one.crm_id: one.is_deleted for one in found} == {gone: True, never: True, kept: False}
    assert len(found) == 3
    assert connector.deals_by_id([], [STAGE]) == []


def test_thousands_of_deals_are_read_by_id_in_one_call(bench, control):
    """By a few queries that travel together."""
    opportunities = [{"Name": f"D{n}", "StageName": "Prospecting", "CloseDate": DAY}
                     for n in range(1_500)]  # fmt: skip
    ids = control.seed("Opportunity", opportunities)
    connector = bench.connector()
    connector.describe_deals()
    before = bench.calls()
    assert len(connector.deals_by_id([CrmId(one) for one in ids], [STAGE])) == 1_500
    assert bench.calls() - before == 1


# --- owners and stages --------------------------------------------------------------------


def test_owners_are_all_users_and_queues(bench, control):
    """Also users who left, in one call; fields that hold them say so."""
    queue = control.act("add_queue", name="Inbound")
    seed(control, "Lead", OwnerId=queue)
    connector = bench.connector()
    owners = connector.owners()
    assert bench.calls() == 1
    by_email = {owner.email: owner for owner in owners}
    assert by_email["ada.sales@acme.example"].is_active
    assert not by_email["cleo.gone@acme.example"].is_active
    assert by_email["ada.sales@acme.example"].name == "Ada Sales"
    assert [(o.name, o.email, o.is_active) for o in owners if o.id == queue] == [
        ("Inbound", "", True)
    ]
    assert connector.describe("Contact").fields[OWNER].directory is Directory.OWNERS
    [lead], _ = changed(connector, None, [OWNER], "Lead")
    assert lead.fields == {OWNER: queue}


def test_stages_are_those_that_deals_name(bench, control):
    """In their order, renamed, and out of use ones too."""
    control.act("rename_stage", name="Qualification", new="Fit")
    control.act("deactivate_stage", name="Needs Analysis")
    connector = bench.connector()
    stages = connector.stages()
    assert [stage.id for stage in stages][:3] == ["Prospecting", "Fit", "Needs Analysis"]
    assert [stage.position for stage in stages] == list(range(len(stages)))
    assert connector.describe_deals().fields[STAGE].directory is Directory.STAGES


def test_a_renamed_stage_is_a_change_of_its_deals(bench, control):
    """Salesforce writes the new name into them, and moves the system's stamp alone."""
    made = deal(control)
    control.act("backdate", object_type="Opportunity", id=made, seconds=LONG_AGO)
    connector = bench.connector()
    _, cursor = dealt(connector)
    control.act("rename_stage", name="Prospecting", new="Lead in")
    assert dealt(connector, cursor)[0][made].fields[STAGE] == "Lead in"


def test_a_stage_or_owner_that_nobody_lists_breaks_nothing(bench, control):
    """A deal keeps the name of a stage that was removed, and its owner."""
    made = deal(control)
    [stage] = [s for s in control.records("OpportunityStage")
               if s["properties"]["ApiName"] == "Prospecting"]  # fmt: skip
    control.act("delete", object_type="OpportunityStage", id=stage["id"])
    connector = bench.connector()
    assert "Prospecting" not in {one.id for one in connector.stages()}
    assert dealt(connector)[0][made].fields[STAGE] == "Prospecting"


# --- what Salesforce does not do ----------------------------------------------------------


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
