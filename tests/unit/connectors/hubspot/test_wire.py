"""HubSpot's wire format, both ways."""

from __future__ import annotations

import pytest

from crmsync.connectors.base import Key
from crmsync.connectors.hubspot.wire import (
    inputs_of,
    names_of,
    read_body,
    results_of,
    unsendable,
)
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome


def batch_of(action, *operations, match_field=None):
    """A batch of contacts."""
    return Batch("contacts", action, operations, match_field)


def update(crm_id, **fields):
    """One update."""
    return Operation(LinkId(1), Action.UPDATE, fields, crm_id=CrmId(crm_id))


def upsert(value, **fields):
    """One upsert."""
    return Operation(LinkId(1), Action.UPSERT, fields, match_value=value)


def create(**fields):
    """One create."""
    return Operation(LinkId(1), Action.CREATE, fields)


def test_each_action_has_its_inputs():
    """Trace ids are distinct; an upsert names its key and carries it."""
    assert inputs_of(batch_of(Action.UPDATE, update("7", a=1), update("8", a=None))) == [
        {"id": "7", "objectWriteTraceId": "0", "properties": {"a": "1"}},
        {"id": "8", "objectWriteTraceId": "1", "properties": {"a": ""}},
    ]
    assert inputs_of(batch_of(Action.UPSERT, upsert("k", a="x"), match_field="key")) == [
        {
            "id": "k",
            "idProperty": "key",
            "objectWriteTraceId": "0",
            "properties": {"a": "x", "key": "k"},
        }
    ]
    assert inputs_of(batch_of(Action.CREATE, create(a="x"))) == [
        {"objectWriteTraceId": "0", "properties": {"a": "x"}}
    ]
    assert inputs_of(batch_of(Action.ARCHIVE, update("7"))) == [{"id": "7"}]


def test_two_records_for_one_operation_are_nobodys():
    """Which of them it is, is not guessed; the same one twice is the same."""
    batch = batch_of(Action.CREATE, create(a="x"), create(a="y"))
    named = [{"id": "7", "objectWriteTraceId": "0"}, {"id": "8", "objectWriteTraceId": "0"}]
    assert [r.outcome for r in results_of(batch, {"results": named})] == [Outcome.UNKNOWN] * 2
    first, _ = results_of(batch, {"results": [named[0], named[0]]})
    assert (first.outcome, first.crm_id) == (Outcome.SUCCEEDED, "7")


def test_what_is_not_sent():
    """An update of nothing is skipped; the second of one name waits; creates have no name."""
    settled = unsendable(batch_of(Action.UPDATE, update("7", a=1), update("8"), update("7", a=2)))
    assert {place: result.outcome for place, result in settled.items()} == {
        1: Outcome.SKIPPED,
        2: Outcome.RETRY,
    }
    twice = batch_of(Action.UPSERT, upsert("A@x"), upsert("a@X"), match_field="email")
    assert list(unsendable(twice)) == [1]
    assert unsendable(batch_of(Action.CREATE, create(a=1), create(a=1))) == {}


def result_entry(crm_id, **more):
    """One result of a batch answer."""
    return {"id": crm_id, "properties": {}, **more}


@pytest.mark.parametrize(
    ("batch", "entries", "ids"),
    [
        (
            batch_of(Action.UPDATE, update("7", a=1), update("8", a=1)),
            [result_entry("8"), result_entry("7")],
            ["7", "8"],
        ),
        (
            batch_of(Action.UPDATE, update("7", a=1), update("8", a=1)),
            [result_entry("99", objectWriteTraceId="0"), result_entry("8")],
            ["99", "8"],
        ),
        (
            batch_of(Action.UPSERT, upsert("A@X"), upsert("b@x"), match_field="email"),
            [
                result_entry("2", properties={"email": "b@x"}),
                result_entry("1", properties={"email": "a@x"}),
            ],
            ["1", "2"],
        ),
        (
            batch_of(
                Action.CREATE, create(plan="pro", email="A@x"), create(plan="pro", email="b@x")
            ),
            [
                result_entry("2", properties={"plan": "pro", "email": "b@x"}),
                result_entry("1", properties={"plan": "pro", "email": "a@x"}),
            ],
            ["1", "2"],
        ),
        (
            batch_of(Action.CREATE, create(plan="pro"), create(plan="pro")),
            [result_entry("2", properties={"plan": "pro"}), result_entry("1")],
            [None, None],
        ),
        (
            batch_of(Action.UPDATE, update("7", a=1), update("8", a=1)),
            [result_entry("9"), result_entry("7", objectWriteTraceId="5")],
            [None, None],
        ),
        (batch_of(Action.UPDATE, update("7", a=1)), [], [None]),
    ],
    ids=[
        "by id",
        "trace id wins",
        "by key",
        "by telling field",
        "nothing tells",
        "strange",
        "none",
    ],
)
def test_results_find_their_operations(batch, entries, ids):
    """By trace id, id, key or any field that tells them apart; what cannot be told is UNKNOWN."""
    results = results_of(batch, {"results": entries})
    assert [result.crm_id for result in results] == ids
    assert [result.outcome is Outcome.UNKNOWN for result in results] == [i is None for i in ids]


def test_errors_find_their_operations():
    """By trace id, or by the ids an error names; one that names nobody explains who is missing."""
    batch = batch_of(Action.UPDATE, *(update(str(n), a=1) for n in range(4)))
    errors = [
        {"category": "VALIDATION_ERROR", "message": "x", "context": {"objectWriteTraceId": ["1"]}},
        {"category": "OBJECT_NOT_FOUND", "message": "y", "context": {"ids": ["2"]}},
        {"category": "INTERNAL_ERROR", "message": "z"},
    ]
    results = results_of(batch, {"results": [result_entry("0")], "errors": errors})
    assert [result.outcome for result in results] == [
        Outcome.SUCCEEDED,
        Outcome.REJECTED,
        Outcome.REJECTED,
        Outcome.UNKNOWN,
    ]
    assert [result.failure and result.failure.code for result in results] == [
        None,
        "VALIDATION_ERROR",
        "OBJECT_NOT_FOUND",
        "INTERNAL_ERROR",
    ]


def test_a_record_answers_to_all_its_names():
    """Old ids of a merged record and secondary addresses find it."""
    merged = result_entry("9", properties={"hs_merged_object_ids": "7;8"})
    assert names_of(merged, None) == {"7", "8", "9"}
    person = {"email": "A@x", "hs_additional_emails": "b@x;C@x"}
    assert names_of(result_entry("9", properties=person), "email") == {"a@x", "b@x", "c@x"}
    assert names_of(result_entry("9", properties={"key": "K"}), "key") == {"k"}


def test_a_read_asks_each_key_once():
    """Repeated keys travel once, with the properties that tell the answers apart."""
    keys = [Key("a", "key"), Key("b", "key"), Key("a", "key")]
    assert read_body(keys, ["email"]) == {
        "properties": ["email", "key"],
        "idProperty": "key",
        "inputs": [{"id": "a"}, {"id": "b"}],
    }
    assert read_body([Key("7")], ["email"])["properties"] == ["email", "hs_merged_object_ids"]
