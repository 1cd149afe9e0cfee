"""HubSpot's deals and who sells: what is particular to them, against its simulation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests

from crmsync.errors import Unavailable
from crmsync.model import Deal, DealStatus, Directory
from tests.contract.hubspot_account import crm, deals, joined, people, pulled, pulled_deals

__all__ = ["crm"]

SEARCHES = "/crm/*/search"
PEOPLE_READS = "/crm/*associations*/batch/read"


# --- deals ------------------------------------------------------------------------------


def test_two_thousand_deals_are_twelve_calls(crm):
    """Ten searches of two hundred, and two reads of who is on a thousand."""
    ids = deals(crm, 2_000)
    [contact] = people(crm, 1)
    joined(crm, [(deal, contact) for deal in ids])
    connector = crm.connector()
    connector.describe_deals()
    crm.control.clear_ledger()
    pages = list(connector.deals(None, ["dealstage", "hubspot_owner_id"]))
    found = [deal for page in pages for deal in page.deals]
    assert [deal.crm_id for deal in found] == ids
    assert {deal.people for deal in found} == {(contact,)}
    assert crm.control.calls(path=SEARCHES) == 10
    assert crm.control.calls(path=PEOPLE_READS) == 2
    assert crm.control.calls() == 12


def test_a_deal_is_read_whole(crm):
    """Stage and owner by id, people, what it is worth, and how and when it ended."""
    one, two = people(crm, 2)
    owner = crm.connector().owners()[-1].id
    values = {"hubspot_owner_id": owner, "closedate": "2026-05-01T00:00:00Z"}
    [won] = deals(crm, 1, dealstage="closedwon", **values)
    [lost] = deals(crm, 1, dealstage="closedlost", **values)
    [running] = deals(crm, 1, dealstage="contractsent", **values)
    joined(crm, [(won, one), (won, two), (lost, one)])
    fields = ["dealname", "dealstage", "hubspot_owner_id"]
    found, _ = pulled_deals(crm.connector(), None, fields)
    assert [found[deal].status for deal in (won, lost, running)] == [
        DealStatus.WON,
        DealStatus.LOST,
        DealStatus.OPEN,
    ]
    assert [set(found[deal].people) for deal in (won, lost, running)] == [{one, two}, {one}, set()]
    deal = found[won]
    assert deal.fields == {"dealname": "D 0", "dealstage": "closedwon", "hubspot_owner_id": owner}
    assert deal.amount == 0
    assert deal.closed_at.isoformat() == "2026-05-01T00:00:00+00:00"
    assert found[running].closed_at is None, "when somebody hopes to close it is not when they did"
    assert deal.created_at <= deal.modified_at
    [same] = crm.connector().deals_by_id([won], fields)
    assert replace(same, people=tuple(sorted(same.people))) == replace(
        deal, people=tuple(sorted(deal.people))
    )


def test_a_stage_or_owner_that_nobody_knows_stops_no_deal(crm):
    """A deleted stage is still the deal's, and of an owner who left the id is there."""
    owner = crm.connector().owners()[-1].id
    [deal] = deals(crm, 1, dealstage="contractsent", hubspot_owner_id=owner)
    crm.control.act("delete_stage", id="contractsent")
    crm.control.act("deactivate_owner", id=owner)
    found, _ = pulled_deals(crm.connector(), None, ["dealstage", "hubspot_owner_id"])
    assert found[deal].fields == {"dealstage": "contractsent", "hubspot_owner_id": owner}
    assert found[deal].status is DealStatus.OPEN
    assert "contractsent" not in {stage.id for stage in crm.connector().stages()}


def test_a_deal_that_is_gone_is_told_as_deleted(crm):
    """Archived, as the list says, or merged into another that says so at once."""
    archived, one, two = deals(crm, 3)
    [contact] = people(crm, 1)
    joined(crm, [(one, contact)])
    connector = crm.connector()
    _, cursor = pulled_deals(connector)
    crm.control.act("archive", object_type="deals", id=archived)
    survivor = connector.merge("deals", one, two)
    found, _ = pulled_deals(connector, cursor)
    assert {deal for deal in found if found[deal].is_deleted} == {archived, one, two}
    assert found[survivor].people == (contact,)
    assert found[archived] == Deal(archived, is_deleted=True)
    fresh = {deal.crm_id: deal for deal in connector.deals_by_id([archived, one], ["dealstage"])}
    assert {deal for deal in fresh if fresh[deal].is_deleted} == {archived, one, two}
    assert fresh[survivor].people == (contact,)


def test_a_refusal_to_say_who_is_on_a_deal_is_not_nobody(crm):
    """It would take the people off the deal."""
    deals(crm, 1)
    error = {"status": "error", "category": "INTERNAL_ERROR", "message": "x", "context": {}}
    now = "2026-11-22T09:00:00Z"
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
    body |= {"startedAt": now, "completedAt": now}
    crm.control.fault("answer", path=PEOPLE_READS, status=207, json=body)
    with pytest.raises(Unavailable, match="INTERNAL_ERROR"):
        pulled_deals(crm.connector())
    crm.recover()


def test_people_who_come_in_pages_are_all_on_the_deal(crm):
    """A deal with more people than one answer holds is asked for again from there."""
    [deal] = deals(crm, 1)
    now = "2026-11-22T09:00:00Z"

    def answer(to_id, **more):
        to = [{"toObjectId": to_id, "associationTypes": []}]
        result = {"from": {"id": deal}, "to": to, **more}
        times = {"startedAt": now, "completedAt": now}
        return {"status": "COMPLETE", "results": [result], **times}

    first = answer(1, paging={"next": {"after": "x"}})
    crm.control.fault("answer", path=PEOPLE_READS, status=200, json=first, times=1)
    crm.control.fault("answer", path=PEOPLE_READS, status=200, json=answer(2), times=1)
    found, _ = pulled_deals(crm.connector())
    assert found[deal].people == ("1", "2")
    crm.control.fault("answer", path=PEOPLE_READS, status=200, json=first)
    with pytest.raises(Unavailable, match="does not end"):
        pulled_deals(crm.connector())
    crm.recover()


# --- who sells, by which steps ----------------------------------------------------------


def test_owners_who_left_are_owners(crm):
    """They are on a list of their own; records stay theirs."""
    left = {owner.email: owner for owner in crm.connector().owners()}
    assert left["ada.sales@portal.example"].is_active
    assert left["ada.sales@portal.example"].name == "Ada Sales"
    assert not left["dan.gone@portal.example"].is_active


def test_many_owners_come_in_pages(crm):
    """A hundred at a time."""
    for n in range(120):
        crm.control.act("add_owner", email=f"seller{n}@portal.example")
    owners = crm.connector().owners()
    assert len({owner.id for owner in owners}) == len(owners) == 124


def test_owner_fields_of_ones_own_are_known(crm):
    """HubSpot says what a property refers to; its values are ids of owners."""
    body = {"name": "coach", "label": "Coach", "type": "enumeration", "fieldType": "select"}
    body |= {"groupName": "contactinformation", "referencedObjectType": "OWNER"}
    url = f"{crm.control.url}/crm/v3/properties/contacts"
    whole = {**body, "options": [], "externalOptions": True}
    requests.post(url, json=whole, headers={"Authorization": f"Bearer {crm.secret}"}, timeout=10)
    connector = crm.connector()
    owner = connector.owners()[-1]
    [contact] = crm.control.seed("contacts", [{"email": "a@x.io", "coach": owner.id}])
    found, _, _ = pulled(connector, None, ["coach"])
    assert found[contact].fields == {"coach": owner.id}
    fields = connector.describe("contacts").fields
    assert [n for n, f in fields.items() if f.directory is Directory.OWNERS] == [
        "hubspot_owner_id",
        "coach",
    ]


def test_a_stage_keeps_its_id_when_it_is_renamed(crm):
    """Deals carry the id; people know the label of the day."""
    crm.control.act("rename_stage", id="contractsent", label="Signed")
    stages = {stage.id: stage for stage in crm.connector().stages()}
    assert (stages["contractsent"].label, stages["contractsent"].pipeline) == (
        "Signed",
        "Sales Pipeline",
    )
    assert {stage.pipeline for stage in stages.values()} == {"Sales Pipeline", "Renewals"}
    assert stages["closedwon"].position > stages["contractsent"].position
