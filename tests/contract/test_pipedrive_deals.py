"""Pipedrive's deals and who sells, against the simulated one: complete and cheap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.model import CrmId, DealStatus, Directory
from tests.contract.pipedrive_account import control, crm, deals, people, purse, whole

__all__ = ["control", "crm", "purse", "whole"]

ADA, DAN = 18_270_001, 18_270_004
MISSING = "4711"


# --- deals ------------------------------------------------------------------------------


def test_a_deal_is_read_whole(control, crm):
    """Whose it is, what it is worth, and the fields asked for: ids of owners and stages as text."""
    [person] = people(control, 1)
    values = {"person_id": int(person), "value": 99.5, "stage_id": 3, "owner_id": ADA}
    [crm_id] = deals(control, 1, **values)
    [page] = crm.deals(None, ["stage_id", "owner_id", "status", "title"])
    [deal] = page.deals
    assert (deal.crm_id, deal.people, deal.amount) == (crm_id, (person,), 99.5)
    assert (deal.status, deal.closed_at) == (DealStatus.OPEN, None)
    assert deal.fields == {"stage_id": "3", "owner_id": str(ADA), "status": "open", "title": "D 0"}
    assert deal.created_at == deal.modified_at == datetime.fromisoformat(page.cursor)


def test_won_and_lost_are_not_stages(control, crm):
    """A deal keeps its stage and gets a time; opened again, it has none."""
    won, lost, back = deals(control, 3, stage_id=2)
    control.advance(60)
    control.edit("deals", won, status="won")
    control.edit("deals", lost, status="lost", lost_reason="price")
    control.edit("deals", back, status="lost")
    control.edit("deals", back, status="open")
    [page] = crm.deals(None, ["stage_id"])
    found = {deal.crm_id: deal for deal in page.deals}
    assert [found[one].status for one in (won, lost, back)] == ["won", "lost", "open"]
    assert all(deal.fields == {"stage_id": "2"} for deal in page.deals)
    decided = found[won].closed_at
    assert decided
    assert found[won].created_at
    assert decided >= found[won].created_at + timedelta(seconds=60)
    assert (found[lost].closed_at, found[back].closed_at) == (decided, None)


def test_archived_and_deleted_deals_are_told(control, crm):
    """Pipedrive takes both from its list of deals; a whole pull finds what was both as well."""
    archived, deleted, both = deals(control, 3)
    control.edit("deals", archived, is_archived=True)
    control.edit("deals", both, is_archived=True)
    control.act("delete", object_type="deals", id=both)
    control.act("delete", object_type="deals", id=deleted)
    found = {deal.crm_id: deal for page in crm.deals(None, []) for deal in page.deals}
    assert {one: found[one].is_deleted for one in found} == {
        archived: False,
        deleted: True,
        both: True,
    }


def test_what_changes_in_a_list_that_was_read_already_is_told_next_time(control, crm):
    """However long the other lists take, and whatever is found at their end."""
    [live] = deals(control, 1)
    archived = deals(control, 600, is_archived=True)
    pages = crm.deals(None, [])
    next(pages)
    control.advance(600)
    control.edit("deals", live, status="won")
    control.advance(600)
    control.edit("deals", archived[-1], title="New")
    [last] = pages
    assert last.deals[-1].crm_id == archived[-1]
    later = {deal.crm_id: deal for page in crm.deals(last.cursor, []) for deal in page.deals}
    assert later[live].status is DealStatus.WON


def test_a_deal_whose_person_was_merged_is_told(control, crm):
    """It names the one who is left."""
    one, two = people(control, 2)
    [crm_id] = deals(control, 1, person_id=int(one))
    [page] = crm.deals(None, [])
    control.advance(3_600)
    left = control.act("merge", object_type="persons", id=one, merge_with_id=two)
    [page] = crm.deals(page.cursor, [])
    [deal] = page.deals
    assert (deal.crm_id, deal.people) == (crm_id, (left,))


def test_two_thousand_changed_deals_cost_their_pages_and_two_lists(control, crm):
    """ceil(N / 500) lists of 10 tokens, one of archived deals (20), one of deleted ones (10)."""
    crm.describe_deals()
    deals(control, 2_000)
    past = datetime.fromtimestamp(control.now(), UTC) - timedelta(hours=1)
    control.settings(limits=True, daily_tokens=10_000)
    control.clear_ledger()
    before = control.act("tokens_left")
    pages = list(crm.deals(f"{past:%Y-%m-%dT%H:%M:%SZ}", ["stage_id", "owner_id"]))
    spent = before - control.act("tokens_left")
    assert sum(len(page.deals) for page in pages) == 2_000
    assert control.calls() == 4 + 1 + 1
    assert spent == 4 * 10 + 20 + 10


def test_a_stage_and_an_owner_that_nobody_knows_break_nothing(control, crm):
    """A deal in a stage that was deleted, of somebody who left: ids as they are."""
    new = control.act("add_user", name="Eve", email="Eve@company.example")
    [crm_id] = deals(control, 1, stage_id=4, owner_id=new)
    control.act("delete_stage", id=4)
    control.act("deactivate_user", id=new)
    [page] = crm.deals(None, ["stage_id", "owner_id"])
    assert page.deals[0].crm_id == crm_id
    assert page.deals[0].fields == {"stage_id": "4", "owner_id": str(new)}
    assert "4" not in {stage.id for stage in crm.stages()}
    [eve] = [owner for owner in crm.owners() if owner.id == str(new)]
    assert (eve.email, eve.is_active) == ("eve@company.example", False)


def test_deals_are_read_by_id(control, crm):
    """Archived ones too; deleted and unknown ones as deleted; one alone is one cheap call."""
    live, archived, deleted = deals(control, 3)
    control.edit("deals", archived, is_archived=True)
    control.act("delete", object_type="deals", id=deleted)
    crm.describe_deals()
    asked = [CrmId(one) for one in (live, archived, deleted, MISSING, live)]
    found = crm.deals_by_id(asked, ["title"])
    assert {deal.crm_id: deal.is_deleted for deal in found} == {
        live: False,
        archived: False,
        deleted: True,
        MISSING: True,
    }
    assert len(found) == 4
    control.clear_ledger()
    assert [deal.is_deleted for deal in crm.deals_by_id([CrmId(archived)], [])] == [False]
    assert control.calls(path="/api/v2/deals/*") == control.calls() == 1
    assert crm.deals_by_id([], []) == []


# --- who and where ----------------------------------------------------------------------


def test_owners_are_all_users(control, crm):
    """Those who left as well, in one call."""
    owners = {owner.id: owner for owner in crm.owners()}
    assert len(owners) == 4
    assert owners[str(ADA)].email == "ada.sales@company.example"
    assert (owners[str(ADA)].is_active, owners[str(DAN)].is_active) == (True, False)
    assert control.calls() == 1


def test_stages_name_their_pipelines(control, crm):
    """By the ids that deals carry, whatever they are called by now; in two calls."""
    control.act("rename_stage", id=6, name="Soon")
    control.act("rename_pipeline", id=2, name="Again")
    control.clear_ledger()
    stages = {stage.id: stage for stage in crm.stages()}
    assert len(stages) == 7
    soon = stages["6"]
    assert (soon.label, soon.pipeline_id, soon.pipeline, soon.position) == ("Soon", "2", "Again", 1)
    assert control.calls() == 2


CALLS = {
    "changes": lambda crm: list(crm.changes("persons", None, [])),
    "deals": lambda crm: list(crm.deals(None, [])),
    "deals_by_id": lambda crm: crm.deals_by_id([CrmId("1"), CrmId("2")], []),
    "owners": Pipedrive.owners,
    "stages": Pipedrive.stages,
    "merge": lambda crm: crm.merge("persons", CrmId("1"), CrmId("2")),
    "watch": lambda crm: crm.watch(["persons"]),
    "unwatch": lambda crm: (crm.watch(["persons"]), crm.unwatch()),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_costs_is_known(control, crm, purse, name):
    """The whole company shares the tokens of a day: what we count is what Pipedrive counts."""
    people(control, 2)
    deals(control, 2)
    control.settings(limits=True, daily_tokens=10_000)
    before = control.act("tokens_left")
    CALLS[name](crm)
    assert purse.tokens == before - control.act("tokens_left") > 0


def test_fields_say_what_their_values_are_ids_of(control, crm):
    """Owners, stages, and whatever custom field holds a user."""
    control.act("add_field", object_type="deals", name="Engineer", field_type="user")
    fields = crm.describe_deals().fields
    directories = {name: field.directory for name, field in fields.items() if field.directory}
    [code] = [one["field_code"] for one in control.act("fields", object_type="deals")]
    assert directories == {
        "owner_id": Directory.OWNERS,
        "stage_id": Directory.STAGES,
        "Engineer": Directory.OWNERS,
        code: Directory.OWNERS,
    }
    assert crm.describe("persons").fields["owner_id"].directory is Directory.OWNERS
