"""Reading back from HubSpot: what is particular to it, against its simulation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Key, Webhooks
from crmsync.connectors.hubspot import walk
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError, Forged, Unavailable
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    Deal,
    DealStatus,
    Directory,
    FieldSchema,
    FieldType,
    LinkId,
    Operation,
    Outcome,
)
from tests.contract.hubspot_bench import HubSpotBench
from tests.receiver import receiving
from tests.sandboxes import WatchedControl

SECRET = "the-apps-client-secret"  # noqa: S105 (of a simulated app)
SEARCHES = "/crm/*/search"
PEOPLE_READS = "/crm/*associations*/batch/read"
LISTED_AGAIN_SECONDS = 3_600


@pytest.fixture
def crm(hubspot_control: WatchedControl) -> Iterator[HubSpotBench]:
    """An empty account, whose index is up to date unless a test lets it lag."""
    bench = HubSpotBench(hubspot_control)
    hubspot_control.settings(search_lag_seconds=0, search_lag_jitter_seconds=0, settling_seconds=0)
    yield bench
    hubspot_control.settings(
        search_lag_seconds=5.0,
        search_lag_jitter_seconds=2.0,
        settling_seconds=2.0,
        batch_read_follows_merges=True,
    )
    assert bench.problems() == []


def made(crm, object_type, records):
    """Make records as salespeople do: at most fifty at one time."""
    parts = [records[start : start + 50] for start in range(0, len(records), 50)]
    return [crm_id for part in parts for crm_id in crm.control.seed(object_type, part)]


def people(crm, count, *, name="p"):
    """So many contacts."""
    records = [{"email": f"{name}{n}@x.io", "firstname": f"P {n}"} for n in range(count)]
    return made(crm, "contacts", records)


def deals(crm, count, **values):
    """So many deals."""
    records = [{"dealname": f"D {n}", "amount": str(n), **values} for n in range(count)]
    return made(crm, "deals", records)


def joined(crm, pairs):
    """Tie deals to contacts."""
    operations = [
        Operation(LinkId(n), Action.ASSOCIATE, {"contacts": contact}, crm_id=deal)
        for n, (deal, contact) in enumerate(pairs)
    ]
    return crm.connector().write(Batch("deals", Action.ASSOCIATE, operations, "contacts"))


def pulled(connector, cursor=None, fields=("email",)):
    """Return the records of a pull of contacts by id, how many came, and the last cursor."""
    found, count = {}, 0
    for page in connector.changes("contacts", cursor, list(fields)):
        cursor = page.cursor
        count += len(page.records)
        found |= {record.crm_id: record for record in page.records}
    return found, count, cursor


def pulled_deals(connector, cursor=None, fields=("dealstage",)):
    """Return the deals of a pull by id, and the last cursor."""
    found = {}
    for page in connector.deals(cursor, list(fields)):
        cursor = page.cursor
        found |= {deal.crm_id: deal for deal in page.deals}
    return found, cursor


# --- what changed -------------------------------------------------------------------------


def test_a_change_that_the_index_shows_late_is_seen(crm):
    """Even where a later one was seen before it, and the cursor is past it."""
    early, late = people(crm, 2)
    connector = crm.connector()
    _, _, cursor = pulled(connector)
    crm.control.settings(search_lag_seconds=60)
    crm.control.edit("contacts", early, firstname="New")
    crm.control.settings(search_lag_seconds=0)
    crm.control.edit("contacts", late, firstname="New")
    found, _, cursor = pulled(connector, cursor, ["firstname"])
    assert (found[early].fields, found[late].fields) == (
        {"firstname": "P 0"},
        {"firstname": "New"},
    )
    crm.control.advance(61)
    found, _, _ = pulled(connector, cursor, ["firstname"])
    assert found[early].fields == {"firstname": "New"}


def test_a_change_in_the_midst_of_a_pull_hides_no_other(crm):
    """What was read already moves to the end of the list; all that follows moves up."""
    ids = people(crm, 450)
    seen = set()
    for page in crm.connector().changes("contacts", None, ["email"]):
        if not seen:
            for crm_id in ids[:150]:
                crm.control.edit("contacts", crm_id, firstname="New")
        seen |= {record.crm_id for record in page.records}
    assert seen == set(ids)


def test_a_pull_goes_on_from_any_of_its_pages(crm):
    """A cursor is never past what was not read, and reads again no more than its overlap."""
    ids = people(crm, 250)
    crm.control.advance(600)
    more = people(crm, 250, name="q")
    connector = crm.connector()
    pages = list(connector.changes("contacts", None, ["email"]))
    for place, page in enumerate(pages):
        before = {record.crm_id for earlier in pages[: place + 1] for record in earlier.records}
        found, _, _ = pulled(connector, page.cursor)
        assert before | set(found) == {*ids, *more}
    _, again, _ = pulled(connector, pages[-1].cursor)
    assert again == len(more)


def test_what_shares_its_moment_is_seen_once(crm):
    """Batches give a hundred records one time; pages neither lose nor repeat them."""
    connector = crm.connector()
    for first in range(0, 500, 100):
        operations = [
            Operation(LinkId(n), Action.CREATE, {"email": f"p{n}@x.io"})
            for n in range(first, first + 100)
        ]
        connector.write(Batch("contacts", Action.CREATE, operations))
    since = crm.control.about()["requests"]
    found, count, _ = pulled(connector)
    assert (len(found), count) == (500, 500)
    assert crm.control.calls(path=SEARCHES, since=since) == 3


def test_more_fields_than_a_search_can_name(crm):
    """They are read by the hundred instead: two calls more for a page."""
    names = [f"a_property_with_a_rather_long_name_such_as_people_like_them_{n}" for n in range(50)]
    connector = crm.connector()
    for name in names:
        connector.create_field("contacts", FieldSchema(name, name, FieldType.TEXT))
    crm.control.seed("contacts", [{"email": "a@x.io", names[0]: "first", names[-1]: "last"}])
    found, _, _ = pulled(connector, None, names)
    [record] = found.values()
    assert (record.fields[names[0]], record.fields[names[-1]]) == ("first", "last")


def test_a_field_that_was_deleted_ends_the_pull_with_its_name(crm):
    """It is not taken for empty, which would empty what is ours."""
    connector = crm.connector()
    crm.make_field(FieldSchema("tier", "Tier", FieldType.TEXT))
    [contact] = crm.control.seed("contacts", [{"email": "a@x.io", "tier": "gold"}])
    [deal] = deals(crm, 1)
    found, _, cursor = pulled(connector, None, ["tier"])
    assert found[contact].fields == {"tier": "gold"}
    crm.control.act("archive_property", object_type="contacts", name="tier")
    with pytest.raises(ConfigError, match="'tier'"):
        pulled(connector, cursor, ["tier"])
    with pytest.raises(ConfigError, match="'tier'"):
        connector.read("contacts", [Key(contact)], ["tier"])
    with pytest.raises(ConfigError, match="'tier'"):
        connector.deals_by_id([deal], ["tier"])


# --- what is gone -------------------------------------------------------------------------


def test_what_was_archived_is_among_the_changes(crm):
    """Once it is time to list it again, and then no more."""
    gone, kept = people(crm, 2)
    connector = crm.connector()
    _, _, cursor = pulled(connector)
    crm.control.act("archive", object_type="contacts", id=gone)
    found, _, cursor = pulled(connector, cursor)
    assert set(found) == {kept}
    crm.control.advance(LISTED_AGAIN_SECONDS)
    found, _, cursor = pulled(connector, cursor)
    assert found[gone].is_deleted
    assert not found[kept].is_deleted
    crm.control.advance(LISTED_AGAIN_SECONDS)
    found, _, _ = pulled(connector, cursor)
    assert set(found) == {kept}


def test_a_long_list_of_archived_is_asked_for_seldom(crm, monkeypatch):
    """Each page of it makes the next time a minute later, so that it costs a call a minute."""
    monkeypatch.setattr(walk, "LIST_RECORDS", 10)
    ids = people(crm, 50)
    for crm_id in ids[1:]:
        crm.control.act("archive", object_type="contacts", id=crm_id)
    connector = crm.connector()
    found, _, cursor = pulled(connector)
    assert {crm_id for crm_id, record in found.items() if record.is_deleted} == set(ids[1:])
    crm.control.clear_ledger()
    for seconds, lists in ((19 * 60, 0), (61, 5)):
        crm.control.advance(seconds)
        _, _, cursor = pulled(connector, cursor)
        assert crm.control.calls(method="GET", path="/crm/v3/objects/contacts") == lists


def test_a_pull_that_ends_amid_the_archived_lists_them_again(crm, monkeypatch):
    """Until the whole list was read, its pages' cursors lead back to before it."""
    monkeypatch.setattr(walk, "LIST_RECORDS", 1)
    ids = people(crm, 3)
    for crm_id in ids:
        crm.control.act("archive", object_type="contacts", id=crm_id)
    crm.control.advance(600)
    connector = crm.connector()
    first = next(connector.changes("contacts", None, ["email"]))
    found, _, _ = pulled(connector, first.cursor)
    assert set(found) == set(ids)


# --- merges -------------------------------------------------------------------------------


@pytest.mark.parametrize("follows", [True, False])
def test_a_merged_record_is_known_by_every_id_it_had(crm, follows):
    """Among the changes and in reads, whether or not HubSpot's batches know the old ids."""
    one, two = people(crm, 2)
    connector = crm.connector()
    _, _, cursor = pulled(connector)
    crm.control.settings(batch_read_follows_merges=follows)
    survivor = connector.merge("contacts", one, two)
    assert survivor not in {one, two}
    found, _, _ = pulled(connector, cursor)
    assert set(found[survivor].former_ids) == {one, two}
    for record in connector.read("contacts", [Key(two), Key(one), Key(survivor)], ["email"]):
        assert record.crm_id == survivor
        assert set(record.former_ids) == {one, two}


def test_a_merge_that_was_done_is_done(crm):
    """Asked again, or once one of the two is gone, it says which record is left."""
    one, two, three, four = people(crm, 4)
    connector = crm.connector()
    survivor = connector.merge("contacts", one, two)
    assert connector.merge("contacts", one, two) == survivor
    crm.control.act("archive", object_type="contacts", id=four)
    assert connector.merge("contacts", three, four) == three
    assert connector.merge("contacts", four, three) == three


def test_a_write_to_what_is_gone_says_so(crm):
    """Archived or merged away: rejected as gone, and a read tells which of both."""
    one, two, archived, alive = people(crm, 4)
    connector = crm.connector()
    survivor = connector.merge("contacts", one, two)
    crm.control.act("archive", object_type="contacts", id=archived)
    ids = [one, archived, alive]
    operations = [
        Operation(LinkId(n), Action.UPDATE, {"firstname": "New"}, crm_id=crm_id)
        for n, crm_id in enumerate(ids)
    ]
    results = connector.write(Batch("contacts", Action.UPDATE, operations))
    assert [r.is_gone for r in results] == [True, True, False]
    assert results[2].outcome is Outcome.SUCCEEDED
    [alone] = connector.write(Batch("contacts", Action.UPDATE, operations[:1]))
    assert alone.is_gone
    merged, nobody, same = connector.read("contacts", [Key(i) for i in ids], ["firstname"])
    assert (merged.crm_id, nobody, same.crm_id) == (survivor, None, alive)


def test_many_deleted_records_are_found_out_in_few_calls(crm):
    """A hundred of them are two calls, not one each."""
    ids = people(crm, 100)
    for crm_id in ids[:60]:
        crm.control.act("archive", object_type="contacts", id=crm_id)
    connector = crm.connector()
    before = crm.calls()
    found = connector.read("contacts", [Key(crm_id) for crm_id in ids], ["email"])
    assert [record is None for record in found] == [True] * 60 + [False] * 40
    assert crm.calls() - before == 2


# --- associations -------------------------------------------------------------------------


def test_two_thousand_pairs_are_one_call(crm):
    """And who is tied already is tied."""
    [deal] = deals(crm, 1)
    contacts = people(crm, 2_000)
    before = crm.calls()
    results = joined(crm, [(deal, contact) for contact in contacts])
    assert {result.outcome for result in results} == {Outcome.SUCCEEDED}
    assert crm.control.calls(path="/crm/v4/associations/*/associate/default") == 1
    assert crm.calls() - before == 0
    [again] = joined(crm, [(deal, contacts[0])])
    assert again.outcome is Outcome.SUCCEEDED


def test_a_pair_without_one_of_its_records_is_refused_alone(crm):
    """It says whether it is ours that is gone."""
    one, two = deals(crm, 2)
    [contact] = people(crm, 1)
    pairs = [(one, contact), (CrmId("7"), contact), (two, CrmId("8"))]
    done, ours, theirs = joined(crm, pairs)
    assert done.outcome is Outcome.SUCCEEDED
    assert (ours.outcome, ours.is_gone) == (Outcome.REJECTED, True)
    assert (theirs.outcome, theirs.is_gone) == (Outcome.REJECTED, False)
    [alone] = joined(crm, pairs[2:])
    assert (alone.outcome, alone.is_gone) == (Outcome.REJECTED, False)


# --- deals --------------------------------------------------------------------------------


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
    assert crm.control.calls() == 13, "besides, what was archived is listed"


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
    """Archived, or merged into another that says so at once."""
    archived, one, two = deals(crm, 3)
    [contact] = people(crm, 1)
    joined(crm, [(one, contact)])
    connector = crm.connector()
    _, cursor = pulled_deals(connector)
    crm.control.act("archive", object_type="deals", id=archived)
    survivor = connector.merge("deals", one, two)
    found, cursor = pulled_deals(connector, cursor)
    assert {deal for deal in found if found[deal].is_deleted} == {one, two}
    assert found[survivor].people == (contact,)
    crm.control.advance(LISTED_AGAIN_SECONDS)
    found, _ = pulled_deals(connector, cursor)
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


# --- who sells, by which steps ------------------------------------------------------------


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


# --- webhooks -----------------------------------------------------------------------------


@pytest.fixture
def told(crm):
    """A connector, and the address at which HubSpot tells of changes."""
    with receiving() as receiver:
        crm.control.act("subscribe", url=receiver.url, secret=SECRET)
        connection = Connection(
            "crm",
            "hubspot",
            {"token": crm.secret},
            base_url=crm.control.url,
            webhooks=Webhooks(receiver.url, SECRET),
        )
        connector = open_connector(
            connection, lambda _connection, limits: MemoryThrottle(limits), MemoryTokens()
        )
        yield connector, receiver


def hints(told, count):
    """Wait for so many deliveries; return what each one hints at."""
    connector, receiver = told
    return [connector.hints(r.delivery(receiver.url)) for r in receiver.wait(count)]


def test_a_delivery_names_the_records_to_read(crm, told):
    """A contact, a deal by its own name, and both at once by what ties them: the deal."""
    [contact] = people(crm, 1)
    [deal] = deals(crm, 1)
    joined(crm, [(deal, contact)])
    first, second, third = hints(told, 3)
    assert {(hint.object_type, hint.crm_id) for hint in first} == {("contacts", contact)}
    assert {(hint.object_type, hint.crm_id) for hint in second} == {("deals", deal)}
    assert {(hint.object_type, hint.crm_id) for hint in third} == {("deals", deal)}
    assert abs(third[0].at.timestamp() - crm.control.now()) < 60


def test_people_who_join_a_deal_are_told_of(crm, told):
    """Their coming does not change the deal itself, so that no search finds it."""
    connector, _ = told
    [deal], [contact] = deals(crm, 1), people(crm, 1)
    _, cursor = pulled_deals(connector)
    crm.control.advance(600)
    deals(crm, 1)
    _, cursor = pulled_deals(connector, cursor)
    joined(crm, [(deal, contact)])
    assert deal not in pulled_deals(connector, cursor)[0]
    [hint] = {hint.crm_id for hint in hints(told, 4)[-1]}
    [read] = connector.deals_by_id([hint], [])
    assert (read.crm_id, read.people) == (deal, (contact,))


def test_a_merge_names_the_one_that_is_left(crm, told):
    """It tells which ones it was."""
    connector, _ = told
    one, two = people(crm, 2)
    survivor = crm.control.act("merge", object_type="contacts", primary=one, other=two)
    [hint] = hints(told, 2)[-1]
    assert (hint.object_type, hint.crm_id) == ("contacts", survivor)
    [record] = connector.read("contacts", [Key(hint.crm_id)], ["email"])
    assert set(record.former_ids) == {one, two}


def test_an_event_has_one_key_however_often_it_comes(crm, told):
    """Repeated deliveries, and later attempts, have the keys of the first; other events others."""
    _, receiver = told
    crm.control.act("delivery_faults", repeat=1)
    receiver.statuses = [500]
    people(crm, 1)
    receiver.wait(2)
    crm.control.advance(10)
    keys = [[hint.key for hint in delivered] for delivered in hints(told, 3)]
    crm.control.act("delivery_faults")
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys[0])) == len(keys[0]) == 3


def test_forged_old_and_strange_deliveries_are_refused(crm, told):
    """Altered, unsigned, for another address, older than five minutes, or by another secret."""
    connector, receiver = told
    people(crm, 1)
    [received] = receiver.wait(1)
    good = received.delivery(receiver.url)
    assert connector.hints(good)
    unsigned = {k: v for k, v in good.headers.items() if k != "x-hubspot-signature-v3"}
    refused = {
        "no signature": replace(good, headers=unsigned),
        "not that of": replace(good, body=good.body.replace(b"creation", b"deletion")),
        "was signed": replace(good, received_at=good.received_at + timedelta(seconds=301)),
    }
    for message, delivery in refused.items():
        with pytest.raises(Forged, match=message) as caught:
            connector.hints(delivery)
        assert SECRET not in str(caught.value)
        assert good.headers["x-hubspot-signature-v3"] not in str(caught.value)
    with pytest.raises(Forged, match="not that of"):
        connector.hints(replace(good, url=f"{receiver.url}?other=1"))
    crm.control.act("subscribe", url=receiver.url, secret=SECRET[::-1])
    people(crm, 1, name="q")
    other = receiver.wait(2)[-1].delivery(receiver.url)
    with pytest.raises(Forged, match="not that of"):
        connector.hints(other)


def test_a_connection_without_webhooks_takes_none(crm, told):
    """Nothing is believed where nobody said what proves it."""
    _, receiver = told
    people(crm, 1)
    [received] = receiver.wait(1)
    with pytest.raises(Forged, match="takes no webhooks"):
        crm.connector().hints(received.delivery(receiver.url))


def test_setting_webhooks_up_is_explained(crm, told):
    """No API does it for a project's app, so a person is told how."""
    connector, receiver = told
    with pytest.raises(ConfigError, match="client secret") as caught:
        connector.watch(["contacts", "deals"])
    assert receiver.url in caught.value.user_message
    assert "contact.*, deal.*" in caught.value.user_message
    assert SECRET not in caught.value.user_message
    with pytest.raises(ConfigError, match="delete the subscriptions"):
        connector.unwatch()
