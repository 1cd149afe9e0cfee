"""Salesforce's opportunities, the people in a role on them, and who sells."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from crmsync.model import CrmId, DealStatus, Directory
from tests.contract.salesforce_account import (
    DAY,
    OWNER,
    STAGE,
    bench,
    changed,
    control,
    deal,
    dealt,
    seed,
    tie,
)

__all__ = ["bench", "control"]

LONG_AGO = 86_400
"""Seconds: nothing appears any more behind what was stamped then."""
PAGE = 100


# --- deals ------------------------------------------------------------------------------


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


# --- owners and stages ------------------------------------------------------------------


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
