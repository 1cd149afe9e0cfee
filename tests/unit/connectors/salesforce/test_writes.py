"""What is sent for a batch, and what is made of the answer."""

from __future__ import annotations

import pytest

from crmsync.connectors.salesforce.writes import fates_of, headers_of, parts_of, settle, unsendable
from crmsync.errors import BatchRejected, ConnectionHalted
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome
from tests.unit.connectors.salesforce.answers import (
    FIRST,
    SECOND,
    answered,
    contact,
    error,
    refused,
    saved,
    updates,
    upserts,
)

COLUMNS = contact().columns
KIND = {"type": "Contact"}


def parts(batch):
    """The calls for a batch, as method, path and body."""
    return [
        (str(p.call.method), p.call.url.removeprefix("/services/data/v59.0/composite"), p.call.body)
        for p in parts_of(batch, COLUMNS)
    ]


def fates(batch, answer):
    """What became of a batch that one collection carries."""
    [part] = parts_of(batch, COLUMNS)
    return settle(fates_of(part, answer))


def creates(count):
    """A batch of creates."""
    operations = [Operation(LinkId(n), Action.CREATE, {"LastName": "Li"}) for n in range(count)]
    return Batch("Contact", Action.CREATE, operations)


def test_an_upsert_names_its_key_in_path_and_record():
    """And no id: the two exclude each other."""
    [(method, path, body)] = parts(upserts("a", Email="a@x.io"))
    assert (method, path) == ("PATCH", "/sobjects/Contact/Key__c")
    record = {"attributes": KIND, "LastName": "Li", "Email": "a@x.io", "Key__c": "a"}
    assert body == {"allOrNone": False, "records": [record]}


def test_a_key_that_is_a_number_is_sent_as_one():
    """Salesforce compares by the type of the field."""
    [(_, _, body)] = parts(upserts("12", match_field="Number__c"))
    assert body["records"][0]["Number__c"] == 12


def test_an_update_names_its_id():
    """All objects go by the same path."""
    [(method, path, body)] = parts(updates(FIRST, Email=None))
    assert (method, path) == ("PATCH", "/sobjects")
    assert body["records"] == [{"attributes": KIND, "Email": None, "id": FIRST}]


def test_a_create_names_nothing():
    """Only its type and its fields."""
    [(method, path, body)] = parts(creates(1))
    assert (method, path) == ("POST", "/sobjects")
    assert body["records"] == [{"attributes": KIND, "LastName": "Li"}]


def test_an_archive_names_ids_in_its_query():
    """It has no body."""
    operations = [Operation(LinkId(n), Action.ARCHIVE, {}, crm_id=one)
                  for n, one in enumerate([FIRST, SECOND])]  # fmt: skip
    [(method, path, body)] = parts(Batch("Contact", Action.ARCHIVE, operations))
    assert (method, body) == ("DELETE", None)
    assert path == f"/sobjects?ids={FIRST},{SECOND}&allOrNone=false"


def test_a_collection_takes_200():
    """What is more goes into the next."""
    sizes = [len(body["records"]) for _, _, body in parts(creates(450))]
    assert sizes == [200, 200, 50]


@pytest.mark.parametrize(
    ("batch", "allows", "assigns"),
    [
        (updates(FIRST), True, False),
        (upserts("a"), False, True),
        (creates(1), False, True),
        (upserts("a", OwnerId="0055e00000AbCdE"), False, False),
    ],
)
def test_what_the_org_automates_is_told_by_kind_of_write(batch, allows, assigns):
    """A change passes alerts and moves nobody; a new record meets alerts and is assigned."""
    headers = headers_of(batch)
    assert (f"allowSave={str(allows).lower()}" in headers["Sforce-Duplicate-Rule-Header"]) is True
    assert ("Sforce-Auto-Assign" not in headers) is assigns


def test_what_must_not_be_sent_is_settled_before():
    """Nothing to change, the same record twice by 15 and by 18 characters, a field that is not."""
    operations = [
        Operation(LinkId(0), Action.UPDATE, {"LastName": "a"}, crm_id=FIRST),
        Operation(LinkId(1), Action.UPDATE, {"LastName": "b"}, crm_id=CrmId(FIRST[:15])),
        Operation(LinkId(2), Action.UPDATE, {}, crm_id=SECOND),
        Operation(LinkId(3), Action.UPDATE, {"Nope__c": "x"}, crm_id=SECOND),
    ]
    settled = unsendable(Batch("Contact", Action.UPDATE, operations), contact())
    assert {place: result.outcome for place, result in settled.items()} == {
        1: Outcome.RETRY,
        2: Outcome.SKIPPED,
        3: Outcome.REJECTED,
    }
    assert settled[3].failure.field == "Nope__c"


def test_keys_that_differ_in_case_alone_wait_for_each_other():
    """To Salesforce they are one record."""
    settled = unsendable(upserts("Straße", "STRASSE", "b"), contact())
    assert [(place, r.outcome) for place, r in settled.items()] == [(1, Outcome.RETRY)]


@pytest.mark.parametrize("name", ["Loose__c", "Email", "Nope__c"])
def test_only_an_external_id_with_unique_values_is_upserted_by(name):
    """Anything else would be refused, or make two records."""
    [result] = unsendable(upserts("a", match_field=name), contact()).values()
    assert (result.outcome, result.failure.code, result.failure.field) == (
        Outcome.REJECTED,
        "NOT_A_KEY",
        name,
    )


# --- answers ------------------------------------------------------------------------------


def test_200_with_every_row_failed():
    """The status says nothing; each row does, in the order of the call."""
    rows = [refused("STRING_TOO_LONG", "x", "Email"), refused("UNABLE_TO_LOCK_ROW")]
    results = fates(upserts("a", "b"), answered(200, rows))
    assert [r.outcome for r in results] == [Outcome.REJECTED, Outcome.RETRY]
    assert results[0].failure.field == "Email"


def test_rows_are_taken_in_order_and_ids_in_18_characters():
    """`created` says which are new; of a create all are."""
    rows = [saved(FIRST[:15], created=True), saved(SECOND, created=False)]
    results = fates(upserts("a", "b"), answered(200, rows))
    assert [(r.outcome, r.crm_id, r.created) for r in results] == [
        (Outcome.SUCCEEDED, FIRST, True),
        (Outcome.SUCCEEDED, SECOND, False),
    ]
    assert fates(creates(1), answered(201, [saved(FIRST)]))[0].created
    assert not fates(updates(FIRST), answered(200, [saved(FIRST)]))[0].created


def test_a_success_with_errors_is_unknown():
    """Nobody knows which of the two is so."""
    row = {
        **saved(FIRST),
        "errors": [{"statusCode": "STRING_TOO_LONG", "message": "", "fields": []}],
    }
    [result] = fates(updates(FIRST), answered(200, [row]))
    assert result.outcome is Outcome.UNKNOWN


def test_a_success_without_an_id_is_unknown():
    """Nothing could be linked; an update knows its id already."""
    row = {"success": True, "errors": []}
    assert fates(upserts("a"), answered(200, [row]))[0].outcome is Outcome.UNKNOWN
    assert fates(updates(FIRST), answered(200, [row]))[0].crm_id == FIRST


@pytest.mark.parametrize("rows", [[], [saved(SECOND)], [saved(SECOND), saved(SECOND), saved("x")]])
def test_another_number_of_rows_leaves_unknown_what_is_not_named(rows):
    """The order means nothing any more; an id still does."""
    outcomes = [r.outcome for r in fates(updates(FIRST, SECOND), answered(200, rows))]
    named = Outcome.SUCCEEDED if rows else Outcome.UNKNOWN
    assert outcomes == [Outcome.UNKNOWN, named]
    assert {r.outcome for r in fates(upserts("a", "b"), answered(200, rows[:1]))} == {
        Outcome.UNKNOWN
    }


def test_no_answer_to_a_collection_leaves_its_records_unknown():
    """A composite that does not mention it."""
    assert [r.outcome for r in fates(upserts("a", "b"), None)] == [Outcome.UNKNOWN] * 2


def test_a_collection_refused_for_a_record_is_to_be_split():
    """One that holds a single record is that record's result."""
    answer = answered(400, error("JSON_PARSER_ERROR"))
    with pytest.raises(BatchRejected) as caught:
        fates(upserts("a", "b"), answer)
    assert caught.value.settled == {}
    assert fates(upserts("a"), answer)[0].outcome is Outcome.REJECTED


def test_rows_that_were_too_many_for_a_trigger_are_sent_in_fewer():
    """The rest of the call stands."""
    much = refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Too many SOQL queries: 101")
    with pytest.raises(BatchRejected) as caught:
        fates(upserts("a", "b", "c"), answered(200, [much, saved(FIRST), much]))
    assert {place: r.outcome for place, r in caught.value.settled.items()} == {1: Outcome.SUCCEEDED}
    [alone] = fates(upserts("a"), answered(200, [much]))
    assert alone.outcome is Outcome.REJECTED


def test_storage_that_is_full_halts_when_every_record_says_so():
    """Where some are written, the others wait."""
    full = refused("STORAGE_LIMIT_EXCEEDED")
    with pytest.raises(ConnectionHalted) as caught:
        fates(creates(2), answered(200, [full, full]))
    assert caught.value.cause == "quota_exhausted"
    mixed = fates(creates(2), answered(200, [full, saved(FIRST)]))
    assert [r.outcome for r in mixed] == [Outcome.RETRY, Outcome.SUCCEEDED]


@pytest.mark.parametrize(
    ("batch", "row", "gone"),
    [
        (updates(FIRST), refused("ENTITY_IS_DELETED"), True),
        (updates(FIRST), refused("INVALID_CROSS_REFERENCE_KEY"), True),
        (updates(FIRST, AccountId="x"), refused("INVALID_CROSS_REFERENCE_KEY", "no", "AccountId"),
         False),
        (updates(FIRST), refused("STRING_TOO_LONG", "no", "LastName"), False),
        (updates(FIRST), refused("UNABLE_TO_LOCK_ROW"), False),
        (upserts("a"), refused("ENTITY_IS_DELETED"), False),
        (upserts("a"), refused("CANNOT_UPDATE_CONVERTED_LEAD"), True),
    ],
)  # fmt: skip
def test_a_record_that_is_gone_is_told_from_a_reference_that_is(batch, row, gone):
    """As far as the answer tells; an upsert has no record to miss, but a converted lead."""
    [result] = fates(batch, answered(200, [row]))
    assert result.is_gone is gone


def test_a_whole_call_can_say_that_its_one_record_is_gone():
    """By its array of errors; under a 500 nothing is sure."""
    [result] = fates(updates(FIRST), answered(404, error("ENTITY_IS_DELETED")))
    assert (result.outcome, result.is_gone) == (Outcome.REJECTED, True)
    [result] = fates(updates(FIRST), answered(500, error("ENTITY_IS_DELETED")))
    assert (result.outcome, result.is_gone) == (Outcome.UNKNOWN, False)
