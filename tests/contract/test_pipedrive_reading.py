"""What comes back from Pipedrive, against the simulated one: complete, cheap, and never a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Key, Webhooks
from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError
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
from tests.sandboxes import running

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 (of a simulated account)
ADA, DAN = 18_270_001, 18_270_004
MISSING = "4711"


@pytest.fixture(scope="module")
def whole():
    """One simulated company for all tests."""
    with running("pipedrive", limits=False, search_lag_seconds=0) as sandbox:
        yield sandbox.control


@pytest.fixture
def control(whole):
    """The company, empty, with the settings it began with."""
    whole.settings(limits=False, deleted_reads="flagged", merge_survivor="merge_with")
    whole.reset()
    return whole


class Purse(MemoryThrottle):
    """Lets everything pass, and counts what it is said to cost."""

    def __init__(self):
        super().__init__(())
        self.tokens = 0

    def acquire(self, call, **patience):
        """Count and let pass."""
        self.tokens += call.costs["token"]
        return super().acquire(call, **patience)


@pytest.fixture
def purse():
    """What the connector believes to spend."""
    return Purse()


@pytest.fixture
def crm(control, purse):
    """A connector to it."""
    hooks = Webhooks("http://127.0.0.1:9/hooks/p", "secret")
    connection = Connection(
        "p", "pipedrive", {"token": TOKEN}, base_url=control.url, webhooks=hooks
    )
    return Pipedrive(connection, purse, FixedToken(TOKEN))


def people(control, count, first=0):
    """Make people in one moment; return their ids."""
    return control.seed("persons", [{"name": f"P {n}"} for n in range(first, first + count)])


def deals(control, count, **values):
    """Make deals in one moment; return their ids."""
    return control.seed("deals", [{"title": f"D {n}", **values} for n in range(count)])


def told(pages):
    """What the records of some pages are, by id: of one that came twice, the later."""
    return {record.crm_id: record for page in pages for record in page.records}


# --- records ------------------------------------------------------------------------------


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


# --- deals --------------------------------------------------------------------------------


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


# --- who and where ------------------------------------------------------------------------


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


# --- what is gone -------------------------------------------------------------------------


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
