"""Records read back from Zoho, against the simulated one: complete, cheap, and never a guess."""

from __future__ import annotations

import pytest

from crmsync.connectors.base import Key
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome
from tests.contract.zoho_account import connect, control, ids, people, read, sent, whole, zoho

__all__ = ["connect", "control", "whole", "zoho"]

COQL = "/crm/v8/coql"
NOBODY = CrmId("554023000009999999")
MANY = 4_500
"""More than two pages of a query."""


# --- what changed -----------------------------------------------------------------------


def test_many_of_one_second_come_once_each(control, zoho):
    """However many share their moment: in pages of 2,000, and nobody twice or never."""
    made = people(control, MANY)
    pages = list(zoho.changes("Contacts", None, ["Last_Name"]))
    assert [len(page.records) for page in pages] == [2_000, 2_000, MANY - 4_000]
    assert sorted(ids(r for page in pages for r in page.records)) == sorted(made)
    assert sent(control) == {"POST coql": 3, "GET Contacts/deleted": 1}


def test_every_page_is_safe_to_go_on_from(control, zoho):
    """From each page's cursor comes all that was not yielded before, and not what was."""
    made = people(control, MANY)
    yielded = []
    for page in zoho.changes("Contacts", None, ["Last_Name"]):
        yielded += ids(page.records)
        again, _ = read(zoho.changes("Contacts", page.cursor, ["Last_Name"]))
        missing = set(made) - set(yielded)
        assert missing <= set(ids(again))
        if missing:
            assert missing == set(ids(again))


def test_what_becomes_visible_late_is_read(control, zoho):
    """A row whose time of change lies behind the cursor, by less than five minutes."""
    control.advance(1)
    people(control, 3)
    _, cursor = read(zoho.changes("Contacts", None, []))
    [late] = people(control, 1)
    control.act("backdate", module="Contacts", id=late, seconds=200)
    found, _ = read(zoho.changes("Contacts", cursor, []))
    assert late in ids(found)


def test_what_becomes_visible_behind_a_broken_walk_is_read(control, zoho):
    """The walk that goes on does not see it; the next one does, however much later it begins."""
    people(control, 2_500)
    first = next(zoho.changes("Contacts", None, []))
    [late] = people(control, 1)
    control.act("backdate", module="Contacts", id=late, seconds=100)
    control.advance(3_600)
    people(control, 1)
    rest, cursor = read(zoho.changes("Contacts", first.cursor, []))
    assert len(rest) == 501
    found, _ = read(zoho.changes("Contacts", cursor, []))
    assert late in ids(found)


def test_a_walk_that_broke_at_its_very_end_ends_the_next_time(control, zoho):
    """There is nothing behind its place, and still the cursor goes back to what was unsettled."""
    people(control, 2_001)
    first = next(zoho.changes("Contacts", None, []))
    for crm_id in ids(zoho.read("Contacts", [Key(i) for i in all_ids(control)], [])):
        if crm_id not in ids(first.records):
            control.act("delete", module="Contacts", id=crm_id, permanent=True)
    [late] = people(control, 1)
    control.act("backdate", module="Contacts", id=late, seconds=100)
    _, cursor = read(zoho.changes("Contacts", first.cursor, []))
    found, _ = read(zoho.changes("Contacts", cursor, []))
    assert late in ids(found)


def all_ids(control):
    """The ids of all contacts."""
    return [record["id"] for record in control.records("Contacts")]


def test_what_is_settled_is_read_once(control, zoho):
    """Ten minutes later nothing is read again: two calls, one credit and two."""
    people(control, 300)
    _, cursor = read(zoho.changes("Contacts", None, []))
    control.advance(600)
    again, cursor = read(zoho.changes("Contacts", cursor, []))
    assert len(again) == 300
    control.clear_ledger()
    for _ in range(2):
        assert list(zoho.changes("Contacts", cursor, [])) == []
    queries = [entry["body"]["select_query"] for entry in control.ledger(path=COQL)]
    assert [query.rpartition(" ")[2] for query in queries] == ["2000", "200"]
    assert sent(control) == {"POST coql": 2, "GET Contacts/deleted": 2}


def test_a_burst_after_silence_is_read_whole(control, zoho):
    """A walk that asked for little goes on with large pages."""
    for _ in range(2):
        assert list(zoho.changes("Contacts", None, [])) == []
    control.clear_ledger()
    people(control, 2_100)
    pages = list(zoho.changes("Contacts", None, []))
    assert [len(page.records) for page in pages] == [200, 1_900]


def test_a_list_that_repeats_itself_ends(control, zoho):
    """The same page again and again, with more to come, is an error and not for ever."""
    row = {"id": "7", "Modified_Time": "2024-07-16T15:01:02+05:30", "Last_Name": "Li"}
    body = {"data": [row], "info": {"count": 1, "more_records": True}}
    control.fault("answer", path=COQL, status=200, json=body)
    with pytest.raises(Unavailable, match="does not end"):
        list(zoho.changes("Contacts", None, ["Last_Name"]))


def test_a_field_deleted_meanwhile_is_named(control, zoho):
    """Neither endless failure nor a field that seems empty: it says which field is gone."""
    name = control.act("add_field", module="Contacts", field_label="Tier", data_type="text")
    people(control, 2_100)
    pages = zoho.changes("Contacts", None, [name])
    next(pages)
    control.act("remove_field", module="Contacts", api_name=name)
    with pytest.raises(ConfigError, match="no field 'Tier'"):
        next(pages)


def test_a_field_deleted_beyond_what_a_query_takes_is_named(control, zoho):
    """Lists leave a field that is gone out without a word."""
    names = [
        control.act("add_field", module="Contacts", field_label=f"F{n:02}", data_type="text")
        for n in range(60)
    ]
    people(control, 2_010)
    pages = zoho.changes("Contacts", None, names)
    next(pages)
    control.act("remove_field", module="Contacts", api_name="F59")
    with pytest.raises(ConfigError, match="no field 'F59'"):
        next(pages)


def test_a_field_that_never_was_is_named(control, zoho):
    """Before anything is read."""
    people(control, 1)
    with pytest.raises(ConfigError, match="no field 'Teir'"):
        list(zoho.changes("Contacts", None, ["Teir"]))
    assert sent(control) == {}


def test_a_field_that_is_gone_is_not_read_as_empty(control, zoho, connect):
    """By id too, whether it went before Zoho was asked for its fields or after."""
    name = control.act("add_field", module="Contacts", field_label="Tier", data_type="text")
    [contact] = people(control, 1)
    assert zoho.read("Contacts", [Key(contact)], [name])[0].fields == {"Tier": None}
    control.act("remove_field", module="Contacts", api_name=name)
    for connector in (zoho, connect()):
        with pytest.raises(ConfigError, match="no field 'Tier'"):
            connector.read("Contacts", [Key(contact)], [name])


# --- what is gone -----------------------------------------------------------------------


@pytest.mark.parametrize("permanent", [False, True])
def test_what_was_deleted_is_told(control, zoho, permanent):
    """In the recycle bin or away for good; after the records, and not for ever."""
    one, two = people(control, 2)
    _, cursor = read(zoho.changes("Contacts", None, []))
    control.act("delete", module="Contacts", id=one, permanent=permanent)
    found, cursor = read(zoho.changes("Contacts", cursor, []))
    assert [(r.crm_id, r.is_deleted) for r in found] == [(two, False), (one, True)]
    assert found[-1].fields == {}
    assert zoho.read("Contacts", [Key(one)], []) == [None]
    control.advance(600)
    _, cursor = read(zoho.changes("Contacts", cursor, []))
    assert list(zoho.changes("Contacts", cursor, [])) == []


def test_what_was_deleted_before_the_first_walk_is_told(control, zoho):
    """Our records may be older than the first time anything is read back."""
    [gone] = people(control, 1)
    control.act("delete", module="Contacts", id=gone)
    found, _ = read(zoho.changes("Contacts", None, []))
    assert [(r.crm_id, r.is_deleted) for r in found] == [(gone, True)]


def test_many_deletions_come_in_pages(control, zoho):
    """Two hundred a call; only the end of the list is a place to go on from."""
    made = people(control, 450)
    for crm_id in made:
        control.act("delete", module="Contacts", id=crm_id)
    pages = list(zoho.changes("Contacts", None, []))
    assert [len(page.records) for page in pages] == [200, 200, 50, 0]
    assert sent(control) == {"POST coql": 1, "GET Contacts/deleted": 3}
    again, _ = read(zoho.changes("Contacts", pages[1].cursor, []))
    assert sorted(ids(again)) == sorted(made)


def test_the_loser_of_a_merge_is_gone(control, zoho):
    """Zoho does not say into which it was merged; that one has changed."""
    master, loser = people(control, 2)
    control.advance(600)
    _, cursor = read(zoho.changes("Contacts", None, []))
    control.act("merge", module="Contacts", master=master, losers=[loser])
    found, _ = read(zoho.changes("Contacts", cursor, []))
    assert [(r.crm_id, r.is_deleted, r.successor) for r in found] == [
        (master, False, None),
        (loser, True, None),
    ]


@pytest.mark.parametrize("shown", [False, True])
def test_a_converted_lead_names_its_contact(control, zoho, shown):
    """Whether or not queries show it, it is told, and read by id as well."""
    control.settings(coql_shows_converted=shown)
    lead, other = people(control, 2, "Leads")
    _, cursor = read(zoho.changes("Leads", None, []))
    contact = control.act("convert_lead", id=lead)["Contacts"]
    found, _ = read(zoho.changes("Leads", cursor, ["Last_Name"]))
    told = [r for r in found if r.crm_id == lead]
    assert {(r.is_converted, r.is_deleted, r.successor) for r in told} == {(True, False, contact)}
    assert not any(r.is_converted for r in found if r.crm_id == other)
    one, two, nobody = zoho.read("Leads", [Key(lead), Key(other), Key(NOBODY)], ["Last_Name"])
    assert (one.is_converted, one.successor, one.fields) == (True, contact, {"Last_Name": "P 0"})
    assert (two.is_converted, two.successor) == (False, None)
    assert nobody is None


# --- writes that belong to it -----------------------------------------------------------


def update(module, crm_id, **fields):
    """A batch that updates one record."""
    operation = Operation(LinkId(1), Action.UPDATE, fields, crm_id=crm_id)
    return Batch(module, Action.UPDATE, [operation])


def test_who_is_gone_is_said_to_be(control, zoho):
    """Deleted, merged away, converted; not who is refused for something else."""
    gone, loser, master, live = people(control, 4)
    [lead] = people(control, 1, "Leads")
    control.act("delete", module="Contacts", id=gone)
    control.act("merge", module="Contacts", master=master, losers=[loser])
    control.act("convert_lead", id=lead)
    for module, crm_id in [("Contacts", gone), ("Contacts", loser), ("Leads", lead)]:
        [result] = zoho.write(update(module, crm_id, Last_Name="Ma"))
        assert (result.outcome, result.is_gone) == (Outcome.REJECTED, True)
    for fields in ({"Account_Name": NOBODY}, {"Phone": "call me"}):
        [result] = zoho.write(update("Contacts", live, **fields))
        assert (result.outcome, result.is_gone) == (Outcome.REJECTED, False)


def test_records_are_tied_by_fields(control, zoho):
    """No call of its own; the field takes the other record's id."""
    assert Action.ASSOCIATE not in zoho.capabilities.records_per_call
    field = zoho.capabilities.reference_fields["Contacts"]["Accounts"]
    [contact] = people(control, 1)
    [account] = control.seed("Accounts", [{"Account_Name": "X"}])
    [result] = zoho.write(update("Contacts", contact, **{field: account}))
    assert result.outcome is Outcome.SUCCEEDED
    [record] = zoho.read("Contacts", [Key(contact)], [field])
    assert record.fields == {field: account}


def test_merging(control, zoho):
    """One record of two; asked for again, it has been done."""
    winner, loser = people(control, 2)
    assert zoho.merge("Contacts", winner, loser) == winner
    assert control.record("Contacts", loser)["merged_into"] == winner
    assert zoho.merge("Contacts", winner, loser) == winner
    assert zoho.merge("Contacts", loser, winner) == winner
    assert zoho.merge("Contacts", winner, winner) == winner


def test_merging_nobody(control, zoho):
    """Neither is there: there is no id to return."""
    with pytest.raises(BatchRejected):
        zoho.merge("Contacts", NOBODY, CrmId("554023000009999998"))
