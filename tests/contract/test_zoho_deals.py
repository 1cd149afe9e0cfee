"""Zoho's deals and who sells, against the simulated one: complete, cheap, and never a guess."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.errors import ConfigError
from crmsync.model import CrmId, DealStatus, Directory
from tests.contract.zoho_account import (
    connect,
    control,
    deals,
    ids,
    people,
    read_deals,
    sent,
    whole,
    zoho,
)

__all__ = ["connect", "control", "whole", "zoho"]

NOBODY = CrmId("554023000009999999")


def test_two_thousand_changed_deals_are_two_calls(control, zoho):
    """One query and the list of the deleted: five credits, and two more for the stages."""
    deals(control, 2_000)
    _, cursor = read_deals(zoho.deals(None, ["Stage", "Owner"]))
    assert sent(control) == {"POST coql": 1, "GET Deals/deleted": 1}
    control.advance(600)
    for deal in control.records("Deals"):
        control.act("touch", module="Deals", id=deal["id"])
    before = control.act("credits_used")
    control.settings(limits=True, tier="ultimate")
    found, _ = read_deals(zoho.deals(cursor, ["Stage", "Owner"]))
    spent = control.act("credits_used") - before
    control.settings(limits=False)
    assert len(found) == 2_000
    assert sent(control) == {"POST coql": 1, "GET Deals/deleted": 1}
    assert spent == 5


def test_what_a_deal_says(control, zoho):
    """Person, amount, times, status by its stage, and ids of owner and stage as they are."""
    [contact] = people(control, 1)
    own = {"Amount": 12.5, "Contact_Name": {"id": contact}, "Closing_Date": "2026-03-01"}
    [deal_id] = deals(control, 1, **own)
    [deal], cursor = read_deals(zoho.deals(None, ["Stage", "Owner", "Closing_Date"]))
    assert (deal.crm_id, deal.people, deal.amount) == (deal_id, (contact,), 12.5)
    assert (deal.status, deal.closed_at) == (DealStatus.OPEN, None)
    assert deal.fields["Stage"] == "Qualification"
    assert deal.fields["Owner"] == zoho.owners()[0].id
    assert deal.created_at == deal.modified_at
    control.advance(60)
    control.edit("Deals", deal_id, Stage="Closed Won")
    [deal], cursor = read_deals(zoho.deals(cursor, ["Stage"]))
    assert deal.status is DealStatus.WON
    assert deal.closed_at == deal.modified_at > deal.created_at
    control.edit("Deals", deal_id, Stage="Closed Lost")
    [deal], _ = read_deals(zoho.deals(cursor, []))
    assert (deal.status, deal.fields) == (DealStatus.LOST, {})


def test_a_deal_that_was_closed_before_stages_had_times(control, zoho):
    """Its day of closing will do."""
    [deal_id] = deals(control, 1, Stage="Closed Won", Closing_Date="2020-03-01")
    control.act("set_silently", module="Deals", id=deal_id, values={"Stage_Modified_Time": None})
    [deal], _ = read_deals(zoho.deals(None, []))
    assert deal.closed_at == datetime(2020, 3, 1, tzinfo=UTC)


def test_a_deal_without_anybody(control, zoho):
    """No contact, no amount."""
    deals(control, 1)
    [deal], _ = read_deals(zoho.deals(None, []))
    assert (deal.people, deal.amount) == ((), None)


def test_an_unknown_stage_or_owner_does_not_break_the_page(control, zoho):
    """A stage that was taken away, an owner who was deleted."""
    one, two = deals(control, 2)
    owner = control.act("add_user", email="eve@org.example", first_name="Eve", last_name="X")
    control.edit("Deals", two, Owner={"id": owner["id"]})
    control.act("delete_user", id=owner["id"])
    control.act("remove_stage", pipeline="Standard", name="Qualification")
    found, _ = read_deals(zoho.deals(None, ["Stage", "Owner"]))
    told = {deal.crm_id: deal for deal in found}
    assert told[one].fields["Stage"] == "Qualification"
    assert told[one].status is DealStatus.OPEN
    assert told[two].fields["Owner"] == owner["id"]
    [gone] = [one for one in zoho.owners() if one.id == owner["id"]]
    assert (gone.email, gone.is_active) == ("eve@org.example", False)


def test_a_translated_stage_is_the_same_stage(control, zoho):
    """What people see is its label; what Zoho keeps is its id, whichever a deal shows."""
    control.act("translate_stage", name="Closed Won", text="Gewonnen")
    [deal_id] = deals(control, 1)
    silently = {"module": "Deals", "id": deal_id}
    for text in ("Gewonnen", "Closed Won"):
        control.act("set_silently", **silently, values={"Stage": text})
        [deal] = zoho.deals_by_id([deal_id], ["Stage"])
        assert (deal.fields["Stage"], deal.status) == ("Closed Won", DealStatus.WON)
    labels = {stage.label for stage in zoho.stages() if stage.id == "Closed Won"}
    assert labels == {"Gewonnen"}


def test_a_deal_that_is_gone(control, zoho):
    """By list and by id, each once."""
    one, two = deals(control, 2)
    _, cursor = read_deals(zoho.deals(None, []))
    control.act("delete", module="Deals", id=one)
    found, _ = read_deals(zoho.deals(cursor, []))
    assert [(d.crm_id, d.is_deleted) for d in found] == [(two, False), (one, True)]
    again = zoho.deals_by_id([one, two, one], ["Stage"])
    assert [(d.crm_id, d.is_deleted) for d in again] == [(one, True), (two, False)]
    assert zoho.deals_by_id([], ["Stage"]) == []


def test_deals_by_id_are_read_a_hundred_a_call(control, zoho):
    """Like any records."""
    made = deals(control, 150)
    control.clear_ledger()
    assert ids(zoho.deals_by_id(made, ["Stage"])) == made
    assert sent(control) == {"GET Deals": 2}


def test_a_deal_field_that_is_gone_is_named(control, zoho):
    """As for records."""
    made = deals(control, 1)
    with pytest.raises(ConfigError, match="Deals have no field 'Region'"):
        list(zoho.deals(None, ["Region"]))
    with pytest.raises(ConfigError, match="Deals have no field 'Region'"):
        zoho.deals_by_id([NOBODY], ["Region"])
    control.act("remove_field", module="Deals", api_name="Next_Step")
    with pytest.raises(ConfigError, match="Deals have no field 'Next_Step'"):
        zoho.deals_by_id(made, ["Next_Step"])


def test_who_sells(control, zoho):
    """Everybody, also who left."""
    told = {owner.email: owner.is_active for owner in zoho.owners()}
    assert told == {
        "ada@org.example": True,
        "ben@org.example": True,
        "cleo@org.example": True,
        "dan@org.example": False,
    }


def test_many_users_come_in_pages(control, zoho):
    """Two hundred a call."""
    for n in range(250):
        control.act("add_user", email=f"u{n}@org.example")
    assert len(zoho.owners()) == 254


def test_how_is_sold(control, zoho):
    """The stages of each pipeline in their order, as they are called now."""
    zoho.stages()
    control.act("rename_stage", name="Upcoming", new_name="Due")
    found = zoho.stages()
    renewals = [stage for stage in found if stage.pipeline == "Renewals"]
    assert [stage.id for stage in renewals] == ["Due", "Closed Won", "Closed Lost"]
    assert [stage.position for stage in renewals] == [0, 1, 2]
    assert len({(stage.pipeline_id, stage.id) for stage in found}) == len(found) == 11


def test_what_names_owners_and_stages(control, zoho):
    """The description says so, of a contact's owner and of a deal's stage."""
    fields = zoho.describe_deals().fields
    assert fields["Stage"].directory is Directory.STAGES
    assert fields["Owner"].directory is Directory.OWNERS
    assert fields["Lead_Source"].directory is None
    assert zoho.describe("Contacts").fields["Owner"].directory is Directory.OWNERS
