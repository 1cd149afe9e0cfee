"""Pipedrive's three object types and the fields that every company's have, as data.

Source: developers.pipedrive.com, API v2, request bodies and answers, read 2026-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from crmsync.errors import ConfigError
from crmsync.model import Directory, FieldType

MAX_VARCHAR = 255
MAX_TEXT = 65_000


class Form(Enum):
    """How the values of a field travel in JSON."""

    TEXT = auto()
    NUMBER = auto()
    ID = auto()
    """A number that names something."""
    OPTION = auto()
    """The id of an option."""
    OPTIONS = auto()
    """The ids of options; null clears."""
    LABELS = auto()
    """The same, but `[]` clears."""
    BOOLEAN = auto()
    DATE = auto()
    MOMENT = auto()
    MONEY = auto()
    """`{value, currency}`."""
    WRAPPED = auto()
    """`{value, ...}` around a text: an address, a time of day."""
    RANGE = auto()
    """`{value, until}`: read only."""
    CONTACTS = auto()
    """`[{value, primary, label}]`, of which a field is the primary one."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one company's object type."""

    name: str
    """The API's own: a standard name, or the hash of a custom field."""
    label: str
    type: FieldType
    form: Form
    writable: bool = True
    required: bool = False
    max_length: int | None = None
    options: tuple[tuple[int | str, str], ...] = ()
    """(id, label)."""
    custom: bool = False
    json_key: str = ""
    """Its key in bodies and answers, where that is another."""
    directory: Directory | None = None
    """What its values are ids of, where that has a list of its own."""

    @property
    def key(self) -> str:
        """Return its key in bodies and answers."""
        return self.json_key or self.name


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One kind of record."""

    name: str
    path: str
    paths: tuple[str, ...]
    """The lists that together hold every live record."""
    fields_path: str
    natural_key: str
    """The field by which people recognise such a record."""
    search_areas: Mapping[str, str]
    """What search calls the standard fields that records can be found by."""
    standard: tuple[Field, ...]
    references: Mapping[str, str] = field(default_factory=dict)
    """Other object type: the field that names its record."""
    lists_deleted: bool = False
    """Whether its lists show what was deleted within 30 days, when asked."""


_TEXT, _REFERENCE, _NUMBER = FieldType.TEXT, FieldType.REFERENCE, FieldType.NUMBER
_MOMENT = FieldType.DATETIME


def _named(name: str, label: str) -> Field:
    return Field(name, label, _TEXT, Form.TEXT, required=True, max_length=MAX_VARCHAR)


def _contacts(name: str, label: str, kind: FieldType) -> Field:
    return Field(name, label, kind, Form.CONTACTS, max_length=MAX_VARCHAR, json_key=f"{name}s")


def _link(name: str, label: str, directory: Directory | None = None) -> Field:
    return Field(name, label, _REFERENCE, Form.ID, directory=directory)


def _moment(name: str, label: str) -> Field:
    return Field(name, label, _MOMENT, Form.MOMENT, writable=False)


_OWNED = (
    _link("owner_id", "Owner", Directory.OWNERS),
    Field("label_ids", "Labels", FieldType.MULTI_PICKLIST, Form.LABELS),
    Field("visible_to", "Visible to", _NUMBER, Form.NUMBER),
    _moment("add_time", "Created"),
    _moment("update_time", "Updated"),
)
_CONSENT = ("no_consent", "unsubscribed", "subscribed", "archived")
_STATUSES = ("open", "won", "lost")

_PERSONS = ObjectType(
    "persons",
    "/persons",
    ("/persons",),
    "/personFields",
    "email",
    {"email": "email", "phone": "phone", "name": "name"},
    (
        _named("name", "Name"),
        Field("first_name", "First name", _TEXT, Form.TEXT, writable=False),
        Field("last_name", "Last name", _TEXT, Form.TEXT, writable=False),
        _contacts("email", "Email", FieldType.EMAIL),
        _contacts("phone", "Phone", FieldType.PHONE),
        _link("org_id", "Organization"),
        *_OWNED,
        Field(
            "marketing_status",
            "Marketing status",
            FieldType.PICKLIST,
            Form.OPTION,
            options=tuple((word, word) for word in _CONSENT),
        ),
        # These five exist where contact sync is on; elsewhere Pipedrive refuses them itself.
        Field("job_title", "Job title", _TEXT, Form.TEXT, max_length=MAX_VARCHAR),
        Field("notes", "Notes", _TEXT, Form.TEXT, max_length=MAX_TEXT),
        Field("birthday", "Birthday", FieldType.DATE, Form.DATE),
        Field("postal_address", "Postal address", _TEXT, Form.WRAPPED),
    ),
    references={"organizations": "org_id"},
)
_ORGANIZATIONS = ObjectType(
    "organizations",
    "/organizations",
    ("/organizations",),
    "/organizationFields",
    "name",
    {"name": "name"},
    (
        _named("name", "Name"),
        Field("address", "Address", _TEXT, Form.WRAPPED),
        Field("website", "Website", _TEXT, Form.TEXT, max_length=MAX_VARCHAR),
        Field("linkedin", "LinkedIn profile", _TEXT, Form.TEXT, max_length=MAX_VARCHAR),
        Field("industry", "Industry", FieldType.PICKLIST, Form.OPTION),
        Field("annual_revenue", "Annual revenue", _NUMBER, Form.NUMBER),
        Field("employee_count", "Number of employees", _NUMBER, Form.NUMBER),
        *_OWNED,
    ),
)
DEALS = ObjectType(
    "deals",
    "/deals",
    ("/deals", "/deals/archived"),
    "/dealFields",
    "title",
    {"title": "title"},
    (
        _named("title", "Title"),
        Field("value", "Value", _NUMBER, Form.NUMBER),
        Field("currency", "Currency", _TEXT, Form.TEXT, max_length=3),
        Field(
            "status",
            "Status",
            FieldType.PICKLIST,
            Form.OPTION,
            options=tuple((word, word) for word in _STATUSES),
        ),
        Field("lost_reason", "Lost reason", _TEXT, Form.TEXT, max_length=MAX_VARCHAR),
        Field("probability", "Probability", _NUMBER, Form.NUMBER),
        Field("expected_close_date", "Expected close date", FieldType.DATE, Form.DATE),
        _link("person_id", "Contact person"),
        _link("org_id", "Organization"),
        _link("pipeline_id", "Pipeline"),
        _link("stage_id", "Stage", Directory.STAGES),
        Field("is_archived", "Archived", FieldType.BOOLEAN, Form.BOOLEAN),
        _moment("stage_change_time", "Stage changed"),
        _moment("won_time", "Won"),
        _moment("lost_time", "Lost"),
        _moment("close_time", "Closed"),
        *_OWNED,
    ),
    references={"persons": "person_id", "organizations": "org_id"},
    lists_deleted=True,
)
OBJECT_TYPES: Mapping[str, ObjectType] = {
    one.name: one for one in (_PERSONS, _ORGANIZATIONS, DEALS)
}


def kind_named(name: str) -> ObjectType:
    """Return an object type; ConfigError for one that Pipedrive does not have."""
    found = OBJECT_TYPES.get(name)
    if found is None:
        known = ", ".join(OBJECT_TYPES)
        raise ConfigError(f"Pipedrive has no object type '{name}': use {known}")
    return found
