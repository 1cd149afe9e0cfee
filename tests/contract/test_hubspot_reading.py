"""Records read back from HubSpot: what is particular to it, against its simulation."""

from __future__ import annotations

import pytest

from crmsync.connectors.base import Key
from crmsync.connectors.hubspot import walk
from crmsync.errors import ConfigError
from crmsync.model import Action, Batch, CrmId, FieldSchema, FieldType, LinkId, Operation, Outcome
from tests.contract.hubspot_account import crm, deals, joined, people, pulled

__all__ = ["crm"]

SEARCHES = "/crm/*/search"
LISTED_AGAIN_SECONDS = 3_600


# --- what changed -----------------------------------------------------------------------


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


# --- what is gone -----------------------------------------------------------------------


def test_what_was_archived_is_among_the_changes(crm):
    """When a pull goes on, once it is time to list it again, and then no more."""
    first, second, kept = people(crm, 3)
    connector = crm.connector()
    crm.control.act("archive", object_type="contacts", id=first)
    found, _, cursor = pulled(connector)
    assert set(found) == {second, kept}, "who begins from nothing knows of nobody who could be gone"
    found, _, cursor = pulled(connector, cursor)
    assert found[first].is_deleted
    crm.control.act("archive", object_type="contacts", id=second)
    found, _, cursor = pulled(connector, cursor)
    assert set(found) == {kept}
    crm.control.advance(LISTED_AGAIN_SECONDS)
    found, _, cursor = pulled(connector, cursor)
    assert found[second].is_deleted
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
    _, _, cursor = pulled(connector)
    found, _, cursor = pulled(connector, cursor)
    assert {crm_id for crm_id, record in found.items() if record.is_deleted} == set(ids[1:])
    crm.control.clear_ledger()
    for seconds, lists in ((19 * 60, 0), (61, 5)):
        crm.control.advance(seconds)
        _, _, cursor = pulled(connector, cursor)
        assert crm.control.calls(method="GET", path="/crm/v3/objects/contacts") == lists


def test_a_pull_that_ends_amid_the_archived_lists_them_again(crm, monkeypatch):
    """Until the whole list was read, its pages' cursors lead back to before it."""
    monkeypatch.setattr(walk, "LIST_RECORDS", 1)
    ids = people(crm, 4)
    connector = crm.connector()
    _, _, cursor = pulled(connector)
    for crm_id in ids[1:]:
        crm.control.act("archive", object_type="contacts", id=crm_id)
    crm.control.advance(600)
    first = next(connector.changes("contacts", cursor, ["email"]))
    found, _, _ = pulled(connector, first.cursor)
    assert set(found) == set(ids)


# --- merges -----------------------------------------------------------------------------


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


# --- associations -----------------------------------------------------------------------


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
