"""Rows of a write, and what an answer says of each."""

from __future__ import annotations

import pytest

from crmsync.connectors.zoho.fields import Module, field_of
from crmsync.connectors.zoho.wire import draft_of, record_of, results_of
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome


def described(name, data_type="text", **members):
    """A field as Zoho describes it."""
    return field_of({"api_name": name, "data_type": data_type, **members}, "Contacts")


CHOICE = [{"actual_value": "web", "display_value": "web"}]
FIELDS = [
    described("Last_Name"),
    described("Email", "email"),
    described("Ext_Id", unique={"casesensitive": "false"}),
    described("Visits", "integer"),
    described("Source", "picklist", pick_list_values=CHOICE),
    described("Full_Name", read_only=True),
    described("Modified_Time", "datetime", read_only=True),
]
CONTACTS = Module("Contacts", {field.schema.name: field for field in FIELDS})


def batch(action, *operations, match_field=None):
    """A batch of contacts; each operation is (crm_id or match value, fields)."""
    made = [
        Operation(
            LinkId(n),
            action,
            fields,
            crm_id=CrmId(name) if name and match_field is None else None,
            match_value=name if match_field else None,
        )
        for n, (name, fields) in enumerate(operations)
    ]
    return Batch("Contacts", action, made, match_field)


def updates(*operations):
    """A batch of updates."""
    return batch(Action.UPDATE, *operations)


def error(code="INVALID_DATA", **details):
    """The entry of a record that was not written."""
    return {"code": code, "details": details, "message": "no", "status": "error"}


def done(crm_id, **more):
    """The entry of a record that was written."""
    return {
        "code": "SUCCESS",
        "details": {"id": crm_id},
        "message": "ok",
        "status": "success",
        **more,
    }


# --- rows ---------------------------------------------------------------------------------


def test_rows():
    """An update names its record; an upsert's key is among its fields, in the key's own type."""
    draft = draft_of(updates(("1", {"Email": "a@x.io", "Visits": None})), CONTACTS)
    assert draft.rows == [{"id": "1", "Email": "a@x.io", "Visits": None}]
    upsert = batch(Action.UPSERT, ("k1", {"Last_Name": "Li"}), match_field="Ext_Id")
    assert draft_of(upsert, CONTACTS).rows == [{"Last_Name": "Li", "Ext_Id": "k1"}]
    by_number = batch(Action.UPSERT, ("7", {"Last_Name": "Li"}), match_field="Visits")
    assert draft_of(by_number, CONTACTS).rows == [{"Last_Name": "Li", "Visits": 7}]


KEPT_BACK = [
    ({"Emial": "a@x.io"}, "UNKNOWN_FIELD", "Emial"),
    ({"email": "a@x.io"}, "UNKNOWN_FIELD", "email"),
    ({"Full_Name": "Li"}, "READ_ONLY_FIELD", "Full_Name"),
    ({"Source": "wizard"}, "INVALID_OPTION", "Source"),
]


@pytest.mark.parametrize(("fields", "code", "name"), KEPT_BACK)
def test_what_zoho_would_drop_silently_is_not_sent(fields, code, name):
    """A field it lacks or fills itself, and a choice it does not have, are refused by us."""
    draft = draft_of(updates(("1", {"Last_Name": "Li", **fields}), ("2", {"Last_Name": "Ma"})),
                     CONTACTS)  # fmt: skip
    assert [row["id"] for row in draft.rows] == ["2"]
    assert draft.settled[0].outcome is Outcome.REJECTED
    assert (draft.settled[0].failure.code, draft.settled[0].failure.field) == (code, name)
    assert draft.doubted


def test_a_record_is_named_once():
    """Zoho may make two of a new key that comes twice: the second one waits for the next batch."""
    upsert = batch(
        Action.UPSERT, *((key, {"Last_Name": "Li"}) for key in ("k1", "K1", "k2")),
        match_field="Ext_Id",
    )  # fmt: skip
    draft = draft_of(upsert, CONTACTS)
    assert [row["Ext_Id"] for row in draft.rows] == ["k1", "k2"]
    assert draft.settled[1].outcome is Outcome.RETRY
    assert not draft.doubted


def test_creates_have_no_name():
    """Any number of them go into one call."""
    creates = batch(Action.CREATE, (None, {"Last_Name": "Li"}), (None, {"Last_Name": "Li"}))
    assert len(draft_of(creates, CONTACTS).rows) == 2


def test_an_update_without_fields_is_not_sent():
    """There is nothing to say."""
    assert draft_of(updates(("1", {})), CONTACTS).settled[0].outcome is Outcome.SKIPPED


def test_results_come_in_the_order_of_the_batch():
    """Those that were set aside in between."""
    some = updates(("1", {"Last_Name": "a"}), ("2", {"Nope": 1}), ("3", {"Last_Name": "c"}))
    draft = draft_of(some, CONTACTS)
    sent = results_of(some, draft.operations, [done("1"), done("3")])
    outcomes = [(r.outcome, r.crm_id) for r in draft.joined(sent)]
    assert outcomes == [
        (Outcome.SUCCEEDED, "1"),
        (Outcome.REJECTED, None),
        (Outcome.SUCCEEDED, "3"),
    ]


# --- answers ------------------------------------------------------------------------------


BATCHES = {
    action: batch(action, *((n if action is not Action.CREATE else None, {}) for n in "123"))
    for action in (Action.CREATE, Action.UPDATE, Action.ARCHIVE)
}
OK, NO, WHO = Outcome.SUCCEEDED, Outcome.REJECTED, Outcome.UNKNOWN
ANSWERS = [
    # By place where each record has its entry, refusals among them.
    (Action.CREATE, [done("7"), done("8"), done("9")], [(OK, "7"), (OK, "8"), (OK, "9")]),
    (Action.CREATE, [done("7"), error(), done("9")], [(OK, "7"), (NO, None), (OK, "9")]),
    # By path, whatever the order.
    (
        Action.CREATE,
        [done("7"), done("8"), error(json_path="$.data[2].Email", api_name="Email")],
        [(OK, "7"), (OK, "8"), (NO, None)],
    ),
    # Fewer than records: which one is missing cannot be told.
    (Action.CREATE, [done("7"), done("9")], [(WHO, None)] * 3),
    (Action.CREATE, [], [(WHO, None)] * 3),
    (
        Action.CREATE,
        [done("7"), error(json_path="$.data[1].Email")],
        [(WHO, None), (NO, None), (WHO, None)],
    ),
    (
        Action.CREATE,
        [done("7"), done("8"), error(json_path="$.data[9].Email")],
        [(OK, "7"), (OK, "8"), (WHO, None)],
    ),
    # An update's answer names its records.
    (Action.UPDATE, [done("3"), done("1")], [(OK, "1"), (WHO, None), (OK, "3")]),
    (Action.UPDATE, [done("3"), done("2"), done("1")], [(OK, "1"), (OK, "2"), (OK, "3")]),
    (Action.UPDATE, [done("1"), done("2"), done("99")], [(OK, "1"), (OK, "2"), (WHO, None)]),
    (
        Action.ARCHIVE,
        [done("1"), error(id="2"), done("3")],
        [(OK, "1"), (NO, None), (OK, "3")],
    ),
    # A refusal may name the other record that holds a value: it is not about that one.
    (
        Action.UPDATE,
        [error("DUPLICATE_DATA", id="2", api_name="Email"), done("2"), done("3")],
        [(NO, None), (OK, "2"), (OK, "3")],
    ),
]


@pytest.mark.parametrize(("action", "entries", "expected"), ANSWERS)
def test_answers(action, entries, expected):
    """Each operation gets what is certain about it, and UNKNOWN where nothing is."""
    results = results_of(BATCHES[action], BATCHES[action].operations, entries)
    assert [(r.outcome, r.crm_id) for r in results] == expected


def test_who_was_made():
    """An upsert says of each record whether it was."""
    upsert = batch(Action.UPSERT, *((k, {"Last_Name": "Li"}) for k in ("a", "b")),
                   match_field="Ext_Id")  # fmt: skip
    entries = [done("7", action="insert"), done("8", action="update", duplicate_field="Ext_Id")]
    results = results_of(upsert, upsert.operations, entries)
    assert [(r.crm_id, r.created) for r in results] == [("7", True), ("8", False)]


def test_an_upsert_that_lost_a_race_for_its_key_is_sent_again():
    """Zoho looks for the key before it writes: next time it finds the record."""
    upsert = batch(Action.UPSERT, ("k1", {"Email": "li@x.io"}), match_field="Ext_Id")
    holder = {"duplicate_record": {"id": "7"}}
    [result] = results_of(
        upsert, upsert.operations, [error("DUPLICATE_DATA", api_name="Ext_Id", **holder)]
    )
    assert result.outcome is Outcome.RETRY
    [result] = results_of(
        upsert, upsert.operations, [error("DUPLICATE_DATA", api_name="Email", **holder)]
    )
    assert (result.outcome, result.existing_id) == (Outcome.REJECTED, "7")


@pytest.mark.parametrize(
    "entries", [[1, 2, 3], [{}], {"a": 1}, [{"status": "success", "code": "SUCCESS"}] * 3]
)
def test_another_shape_is_an_error(entries):
    """The caller takes it for a lost answer."""
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        results_of(BATCHES[Action.CREATE], BATCHES[Action.CREATE].operations, entries)


# --- reads --------------------------------------------------------------------------------


def test_a_record():
    """The fields asked for, canonical; what the module does not have is None."""
    row = {
        "id": "500010",
        "Email": "li@x.io",
        "Visits": 3.0,
        "Modified_Time": "2024-07-16T15:01:02+05:30",
    }
    record = record_of(row, ["Email", "Visits", "Nope", "Last_Name"], CONTACTS)
    assert record.crm_id == "500010"
    assert record.fields == {"Email": "li@x.io", "Visits": 3, "Nope": None, "Last_Name": None}
    assert record.modified_at
    assert record.modified_at.isoformat() == "2024-07-16T09:31:02+00:00"
