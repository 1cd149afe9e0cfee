"""What a module's description says of its fields."""

from __future__ import annotations

import pytest

from crmsync.connectors.zoho.fields import description_of, field_of, required_by_layouts
from crmsync.model import FieldSchema, FieldType


def described(**members):
    """A field as Zoho describes it, short of what nobody reads."""
    return {
        "api_name": "Title",
        "field_label": "Job title",
        "data_type": "text",
        "length": 100,
        "system_mandatory": False,
        "read_only": False,
        "field_read_only": False,
        "unique": {},
        "pick_list_values": [],
        "decimal_place": None,
        "operation_type": {"api_create": True, "api_update": True},
        **members,
    }


TYPES = [
    ("text", FieldType.TEXT),
    ("textarea", FieldType.TEXT),
    ("website", FieldType.TEXT),
    ("email", FieldType.EMAIL),
    ("phone", FieldType.PHONE),
    ("bigint", FieldType.NUMBER),
    ("currency", FieldType.NUMBER),
    ("boolean", FieldType.BOOLEAN),
    ("date", FieldType.DATE),
    ("datetime", FieldType.DATETIME),
    ("picklist", FieldType.PICKLIST),
    ("multiselectpicklist", FieldType.MULTI_PICKLIST),
    ("lookup", FieldType.REFERENCE),
    ("ownerlookup", FieldType.REFERENCE),
]


@pytest.mark.parametrize(("data_type", "kind"), TYPES)
def test_types(data_type, kind):
    """Every type that can be written has one of ours."""
    field = field_of(described(data_type=data_type), "Contacts").schema
    assert (field.type, field.writable) == (kind, True)


def test_a_text_field():
    """Name, label and length are Zoho's; an empty `unique` says no."""
    expected = FieldSchema("Title", "Job title", FieldType.TEXT, max_length=100)
    assert field_of(described(), "Contacts").schema == expected


@pytest.mark.parametrize("unique", [{"casesensitive": "false"}, {"casesensitive": True}])
def test_a_unique_field(unique):
    """`unique` names no more than whether case counts."""
    field = field_of(described(unique=unique), "Contacts")
    assert field.schema.unique
    assert field.case_matters is (unique["casesensitive"] is True)


@pytest.mark.parametrize(
    "members",
    [
        {"operation_type": {"api_create": True, "api_update": False}},
        {"operation_type": {"api_create": False, "api_update": True}},
        {"read_only": True},
        {"field_read_only": True},
        {"data_type": "formula"},
        {"data_type": "subform"},
        {"data_type": "autonumber"},
        {"data_type": "type_of_next_year"},
    ],
)
def test_what_cannot_be_written(members):
    """Neither what the API may not write nor a type that we do not know."""
    assert not field_of(described(**members), "Contacts").schema.writable


def test_times_are_kept_in_whole_seconds():
    """A date and time has no fraction of a second, hence is rendered without one."""
    assert field_of(described(data_type="datetime"), "Contacts").schema.whole_seconds
    assert not field_of(described(data_type="date"), "Contacts").schema.whole_seconds


def test_choices():
    """Neither "-None-" nor an option out of use can be chosen; labels stand for values."""
    listed = [
        {"actual_value": "-None-", "display_value": "-None-", "type": "used"},
        {"actual_value": "web", "display_value": "Internet", "type": "used"},
        {"actual_value": "old", "display_value": "Old", "type": "unused"},
        {"actual_value": "chat", "display_value": "web"},
    ]
    field = field_of(described(data_type="picklist", pick_list_values=listed), "Contacts")
    assert field.schema.options == (("web", "Internet"), ("chat", "web"))
    assert field.choices == {"web": "web", "Internet": "web", "chat": "chat"}
    assert field.allowed == "web, chat"


def layout(*required, status="active", owner=False):
    """A layout that demands some fields."""
    fields = [{"api_name": name, "required": True, "data_type": "text"} for name in required]
    fields.append({"api_name": "Phone", "required": False, "data_type": "phone"})
    if owner:
        fields.append({"api_name": "Owner", "required": True, "data_type": "ownerlookup"})
    return {"status": status, "sections": [{"fields": fields}]}


@pytest.mark.parametrize(
    ("layouts", "expected"),
    [
        ([], set()),
        ([layout("Company", "Last_Name", owner=True)], {"Company", "Last_Name"}),
        ([layout("Company", "Last_Name"), layout("Last_Name")], {"Last_Name"}),
        ([layout("Company"), layout("Last_Name", status="inactive")], {"Company"}),
    ],
)
def test_what_layouts_demand(layouts, expected):
    """Only what every layout in use demands is sure to be demanded; Zoho fills in the owner."""
    assert required_by_layouts(layouts) == expected


def test_a_new_field_is_called_what_it_is_labelled():
    """Zoho makes the API name out of the label, so that the label is our name."""
    key = FieldSchema("crmsync_id", "crmsync id", FieldType.TEXT, unique=True)
    assert description_of(key) == {
        "field_label": "crmsync_id",
        "data_type": "text",
        "length": 255,
        "unique": {"casesensitive": False},
    }


def test_a_lookup_is_not_made():
    """It would need a module to point to."""
    assert description_of(FieldSchema("x", "x", FieldType.REFERENCE)) is None


@pytest.mark.parametrize(
    ("told", "kept"), [("2", 2), (2, 2), (None, None), ("x", None), ([], None)]
)
def test_numbers_may_come_as_digits(told, kept):
    """A length and the decimals are numbers either way, and nothing where they are none."""
    field = field_of(
        {"api_name": "F", "data_type": "text", "length": told, "decimal_place": told}, "Contacts"
    )
    assert (field.schema.max_length, field.decimals) == (kept, kept)
