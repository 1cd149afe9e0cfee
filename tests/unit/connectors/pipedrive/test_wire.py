"""Values as Pipedrive takes and shows them."""

from __future__ import annotations

import pytest

from crmsync.connectors.pipedrive.fields import Fields
from crmsync.connectors.pipedrive.objects import OBJECT_TYPES
from crmsync.connectors.pipedrive.wire import (
    Unfit,
    from_wire,
    nested,
    record_of,
    to_wire,
    wire_values,
    with_primary,
)
from crmsync.model import Failure

OPTIONS = [{"id": 21, "label": "Gold"}, {"id": 22, "label": "Silver"}]
TYPES = [
    "varchar", "varchar_auto", "text", "double", "monetary", "date", "daterange", "time",
    "timerange", "enum", "set", "user", "org", "people", "phone", "address",
]  # fmt: skip


def hash_of(name):
    """The hash that a field of this test has."""
    return name.encode().hex().ljust(40, "0")[:40]


def told(name, kind, options=None):
    """A custom field as Pipedrive tells of it."""
    return {
        "field_code": hash_of(name),
        "field_name": name,
        "field_type": kind,
        "options": options,
        "is_custom_field": True,
    }


PERSONS = Fields(
    OBJECT_TYPES["persons"],
    [
        *(told(kind, kind, OPTIONS if kind in {"enum", "set"} else None) for kind in TYPES),
        {
            "field_code": "label_ids",
            "field_name": "Labels",
            "field_type": "set",
            "options": [{"id": 5, "label": "Hot"}],
            "is_custom_field": False,
        },
    ],
)
BOTH_WAYS = [
    ("varchar", "abc", "abc"),
    ("varchar_auto", " a; b ", " a; b "),
    ("text", "x" * 65_000, "x" * 65_000),
    ("double", 1e-7, 1e-7),
    ("double", 7, 7),
    ("monetary", 500, {"value": 500, "currency": "EUR"}),
    ("date", "2026-02-28", "2026-02-28"),
    ("time", "09:00:00", {"value": "09:00:00"}),
    ("address", "1 Main St", {"value": "1 Main St"}),
    ("enum", "Gold", 21),
    ("set", ["Gold", "Silver"], [21, 22]),
    ("user", "18", 18),
    ("org", "77", 77),
    ("people", "3", 3),
    ("phone", "+44123", "+44123"),
    ("org_id", "77", 77),
    ("label_ids", ["Hot"], [5]),
    ("name", "Ann Lee", "Ann Lee"),
    ("marketing_status", "subscribed", "subscribed"),
]


@pytest.mark.parametrize(("name", "value", "wire"), BOTH_WAYS)
def test_a_value_travels_and_comes_back(name, value, wire):
    """What is written is what is read, in canonical form."""
    field = PERSONS.get(hash_of(name) if name in TYPES else name)
    assert to_wire(field, value, lambda: "EUR") == wire
    assert from_wire(field, wire) == value


@pytest.mark.parametrize("name", [*TYPES, "org_id", "name"])
def test_null_clears_and_is_empty(name):
    """Null clears any field, and a field that is empty is null."""
    field = PERSONS.get(hash_of(name) if name in TYPES else name)
    assert to_wire(field, None, lambda: "EUR") is None
    assert from_wire(field, None) is None


def test_labels_are_cleared_with_an_empty_list():
    """A set of one's own takes null for that, never `[]`; Pipedrive's own labels the reverse."""
    assert to_wire(PERSONS.get("label_ids"), None, str) == []
    assert from_wire(PERSONS.get("label_ids"), []) is None


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("varchar", "x" * 256, "256 characters, 255 at most"),
        ("text", "x" * 65_001, "65001 characters, 65000 at most"),
        ("double", "12", "expected a number"),
        ("double", True, "expected a number"),
        ("double", float("nan"), "expected a number"),
        ("monetary", "12", "expected a number"),
        ("enum", "Platinum", "not one of its options (Gold, Silver)"),
        ("set", ["Gold", "Platinum"], "not one of its options (Gold, Silver)"),
        ("user", "Ann", "expected the id of a record or user, which is a whole number"),
        ("org", "12.5", "expected the id of a record or user, which is a whole number"),
        ("varchar", 5, "expected text"),
    ],
)
def test_what_does_not_fit_says_so_without_the_value(name, value, text):
    """The length, or what there is to choose from; never what was tried."""
    with pytest.raises(Unfit) as caught:
        to_wire(PERSONS.get(hash_of(name)), value, lambda: "EUR")
    assert str(caught.value) == text


@pytest.mark.parametrize(("name", "value", "wire"), [("enum", "22", 22), ("set", ["21"], [21])])
def test_an_option_goes_by_its_id_too(name, value, wire):
    """A mapping may name the id; it is read back as the label."""
    assert to_wire(PERSONS.get(hash_of(name)), value, str) == wire


@pytest.mark.parametrize(
    ("name", "wire", "value"),
    [
        ("double", 12.0, 12),
        ("enum", 99, "99"),
        ("set", [22, 21], ["Gold", "Silver"]),
        ("time", {"value": "09:00:00", "timezone_id": 1, "timezone_name": "X"}, "09:00:00"),
        ("daterange", {"value": "2026-01-01", "until": "2026-02-01"}, "2026-01-01/2026-02-01"),
        ("email", [{"value": "b@x.io", "primary": False}, {"value": "A@X.io", "primary": True}],
         "a@x.io"),
        ("email", [], None),
        ("phone", [{"value": "1", "primary": False}, {"value": "2"}], "1"),
        ("add_time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("postal_address", {"value": None}, None),
    ],
)  # fmt: skip
def test_what_pipedrive_shows(name, wire, value):
    """Rewritten forms are brought to the canonical one, so that they are no change."""
    standard = name in {"email", "phone", "add_time", "postal_address"}
    assert from_wire(PERSONS.get(name if standard else hash_of(name)), wire) == value


HELD = [
    {"value": "old@x.io", "primary": True, "label": "home"},
    {"value": "two@x.io", "primary": False, "label": "work", "extra": 1},
]
TWO = {"value": "two@x.io", "primary": False, "label": "work"}


@pytest.mark.parametrize(
    ("held", "value", "written"),
    [
        ([], "a@x.io", [{"value": "a@x.io", "primary": True}]),
        (HELD, "a@x.io", [{"value": "a@x.io", "primary": True, "label": "home"}, TWO]),
        (HELD, "Two@x.io", [{"value": "Two@x.io", "primary": True, "label": "work"}]),
        (HELD, None, [TWO]),
        ([], None, []),
    ],
)
def test_a_primary_address_is_written_among_the_others(held, value, written):
    """The others stay; one of them that becomes the primary one is not there twice."""
    assert with_primary(held, value) == written


def test_custom_fields_are_nested():
    """At the root, where v1 had them, v2 refuses them."""
    values = wire_values(PERSONS, {"name": "Ann", "varchar": "x", hash_of("double"): 1}, str)
    assert nested(values) == {
        "name": "Ann",
        "custom_fields": {hash_of("varchar"): "x", hash_of("double"): 1},
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nonsense", "UNKNOWN_FIELD"),
        ("first_name", "READ_ONLY_FIELD"),
        ("daterange", "READ_ONLY_FIELD"),
        ("double", "UNFIT_VALUE"),
    ],
)
def test_a_record_that_cannot_be_written_says_why(name, code):
    """It is refused before anything is sent, with the field, and without the value."""
    failure = wire_values(PERSONS, {name: "secret"}, str)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.field) == (code, name)
    assert failure.hint
    assert "secret" not in failure.message


def test_a_record_has_the_names_asked_for():
    """By label or by hash, in canonical form."""
    entry = {
        "id": 7,
        "name": "Ann",
        "update_time": "2026-01-02T03:04:05Z",
        "custom_fields": {hash_of("enum"): 21},
    }
    record = record_of(entry, found("name", "enum", hash_of("enum")))
    assert record.crm_id == "7"
    assert record.fields == {"name": "Ann", "enum": "Gold", hash_of("enum"): "Gold"}
    assert record.modified_at
    assert record.modified_at.isoformat() == "2026-01-02T03:04:05+00:00"


def test_what_is_absent_is_not_empty():
    """A field that was deleted, or goes with contact sync, is left out; null is nothing."""
    entry = {"id": 7, "name": None, "custom_fields": {hash_of("enum"): None}}
    record = record_of(entry, found("name", "enum", "text", "job_title"))
    assert record.fields == {"name": None, "enum": None}


def test_a_deleted_record_says_so_and_no_more():
    """Its values are nobody's any more."""
    entry = {"id": 7, "name": "Ann", "is_deleted": True, "update_time": "2026-01-02T03:04:05Z"}
    record = record_of(entry, found("name"))
    assert (record.is_deleted, record.fields) == (True, {})
    assert record.modified_at


def found(*names):
    """The fields of these names."""
    return {name: PERSONS.get(name) for name in names}
