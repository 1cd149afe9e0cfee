"""Deals in the simulated org: who is on them, their stages, and changes that hide from stamps."""

from __future__ import annotations

import pytest

from crmsync.sandbox import ControlFailed

ROLES = "OpportunityContactRoles"
DEALS = (
    "SELECT Id, (SELECT ContactId FROM OpportunityContactRoles ORDER BY IsPrimary DESC, Id)"
    " FROM Opportunity"
)


@pytest.fixture
def deal(api):
    """An opportunity without anybody."""
    return api.create("Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-01")


def roles(api, deal, count, **fields):
    """People with roles in a deal; the ids of both."""
    people = [api.create("Contact", LastName=f"L{n}") for n in range(count)]
    made = [
        api.create("OpportunityContactRole", OpportunityId=deal, ContactId=one, **fields)
        for one in people
    ]
    return people, made


def shown(api, soql=DEALS, verb="query"):
    """What the first row of a query has inside."""
    return api.ok("GET", verb, params={"q": soql})["records"][0][ROLES]


def test_children_are_rows_within_a_row(api, deal):
    """Null where there are none; sorted and filtered as asked."""
    assert shown(api) is None
    people, _ = roles(api, deal, 2)
    main, _ = roles(api, deal, 1, IsPrimary=True)
    found = shown(api)
    assert (found["totalSize"], found["done"]) == (3, True)
    assert [row["ContactId"] for row in found["records"]] == [*main, *people]
    only = DEALS.replace("ORDER BY IsPrimary DESC, Id", "WHERE IsPrimary = true LIMIT 1")
    assert shown(api, only)["totalSize"] == 1


def test_children_have_pages_of_their_own(api, sandbox, deal):
    """Followed by a locator inside the row."""
    sandbox.control.settings(subquery_page=2)
    people, _ = roles(api, deal, 5)
    page, found = shown(api), []
    found += page["records"]
    while not page["done"]:
        page = api.ok("GET", page["nextRecordsUrl"])
        found += page["records"]
    assert [row["ContactId"] for row in found] == people


def test_deleted_children_come_with_all_rows(api, sandbox, deal):
    """In `queryAll`, unless they are filtered out."""
    _, [role] = roles(api, deal, 1)
    sandbox.control.act("delete", object_type="OpportunityContactRole", id=role)
    assert shown(api) is None
    assert shown(api, verb="queryAll")["totalSize"] == 1


def test_a_relationship_that_is_not_there_is_refused(api):
    """By its name; a describe tells those there are."""
    soql = "SELECT Id, (SELECT Id FROM Nope) FROM Opportunity"
    assert api.refused("GET", "query", params={"q": soql}) == (400, "INVALID_TYPE")
    told = api.ok("GET", "sobjects/Opportunity/describe")["childRelationships"]
    assert [(one["relationshipName"], one["field"]) for one in told] == [(ROLES, "OpportunityId")]


def test_stages_are_the_orgs_own(api, sandbox):
    """A new one decides over its deals; a rename reaches them and moves the system's stamp only."""
    control = sandbox.control
    control.act("add_stage", name="Signed", won=True)
    deal = api.create("Opportunity", Name="O", StageName="Signed", CloseDate="2026-01-01")
    assert api.read("Opportunity", deal)["IsWon"] is True
    control.advance(60)
    control.act("rename_stage", name="Signed", new="Done")
    read = api.read("Opportunity", deal)
    assert (read["StageName"], read["IsClosed"]) == ("Done", True)
    assert read["SystemModstamp"] > read["LastModifiedDate"]
    body = {"StageName": "Signed"}
    assert api.refused("PATCH", f"sobjects/Opportunity/{deal}", body)[0] == 400
    control.act("deactivate_stage", name="Done")
    query = "SELECT IsActive FROM OpportunityStage WHERE ApiName = 'Done'"
    assert api.query(query)["records"][0]["IsActive"] is False
    with pytest.raises(ControlFailed, match="no stage Signed"):
        control.act("rename_stage", name="Signed", new="X")
    with pytest.raises(ControlFailed, match="such a stage already"):
        control.act("add_stage", name="Done")


def test_a_change_can_be_stamped_before_it_is_committed(api, sandbox):
    """Both stamps lie back, of a deleted record too; a formula moves none."""
    control, contact = sandbox.control, api.create("Contact", LastName="L")
    made = api.read("Contact", contact)["CreatedDate"]
    control.act("backdate", object_type="Contact", id=contact, seconds=120)
    read = api.read("Contact", contact)
    assert read["SystemModstamp"] == read["LastModifiedDate"] < made
    control.act("recalculate", object_type="Contact", id=contact, field="Title", value="Boss")
    again = api.read("Contact", contact)
    assert (again["Title"], again["SystemModstamp"]) == ("Boss", read["SystemModstamp"])
    control.act("delete", object_type="Contact", id=contact)
    control.act("backdate", object_type="Contact", id=contact, seconds=120)
    with pytest.raises(ControlFailed, match="no Contact with id"):
        control.act("backdate", object_type="Contact", id="003000000000000AAA", seconds=1)


def test_a_conversion_makes_a_deal_where_one_is_named(api, sandbox):
    """With the new contact on it."""
    lead = api.create("Lead", LastName="L", Company="C")
    made = sandbox.control.act("convert_lead", id=lead, opportunity="Big")
    assert api.read("Lead", lead)["ConvertedOpportunityId"] == made["opportunity_id"]
    assert api.read("Opportunity", made["opportunity_id"])["Name"] == "Big"
    assert [row["ContactId"] for row in shown(api)["records"]] == [made["contact_id"]]


def test_a_queue_owns_leads_and_nothing_else(api, sandbox):
    """A contact's owner is a user."""
    queue = sandbox.control.act("add_queue", name="Inbound", email="in@acme.example")
    lead = api.create("Lead", LastName="L", Company="C", OwnerId=queue)
    assert api.read("Lead", lead)["OwnerId"] == queue
    body = {"LastName": "L", "OwnerId": queue}
    assert api.refused("POST", "sobjects/Contact", body)[1] == "MALFORMED_ID"
