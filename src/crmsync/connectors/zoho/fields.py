"""A module's fields as Zoho describes them, and how a new one is described to Zoho. Pure.

Shapes: zoho.com/crm/developer/docs/api/v8, "Fields Metadata" and "Create Custom Fields", read
2026-11, and the vendor's OpenAPI description (`fields.json`, v8.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crmsync.model import DealStatus, Directory, FieldSchema, FieldType

# data_type of a field -> ours; what is not here can be neither written nor compared
TYPES: Mapping[str, FieldType] = {
    "text": FieldType.TEXT,
    "textarea": FieldType.TEXT,
    "website": FieldType.TEXT,
    "email": FieldType.EMAIL,
    "phone": FieldType.PHONE,
    "integer": FieldType.NUMBER,
    "bigint": FieldType.NUMBER,
    "double": FieldType.NUMBER,
    "currency": FieldType.NUMBER,
    "percent": FieldType.NUMBER,
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "picklist": FieldType.PICKLIST,
    "multiselectpicklist": FieldType.MULTI_PICKLIST,
    "lookup": FieldType.REFERENCE,
    "ownerlookup": FieldType.REFERENCE,
    "userlookup": FieldType.REFERENCE,
}
# ours -> what a field that we make is described as, next to its label
CREATES: Mapping[FieldType, Mapping[str, Any]] = {
    FieldType.TEXT: {"data_type": "text", "length": 255},
    FieldType.EMAIL: {"data_type": "email"},
    FieldType.PHONE: {"data_type": "phone"},
    FieldType.NUMBER: {"data_type": "double", "length": 16, "decimal_place": 9},
    FieldType.BOOLEAN: {"data_type": "boolean"},
    FieldType.DATE: {"data_type": "date"},
    FieldType.DATETIME: {"data_type": "datetime"},
    FieldType.PICKLIST: {"data_type": "picklist"},
    FieldType.MULTI_PICKLIST: {"data_type": "multiselectpicklist"},
}
# data_type of a field -> whose ids its values are
DIRECTORIES: Mapping[str, Directory] = {
    "ownerlookup": Directory.OWNERS,
    "userlookup": Directory.OWNERS,
}
# module -> other module -> the field that names its record
REFERENCES: Mapping[str, Mapping[str, str]] = {
    "Contacts": {"Accounts": "Account_Name"},
    "Accounts": {"Accounts": "Parent_Account"},
    "Deals": {"Accounts": "Account_Name", "Contacts": "Contact_Name"},
}
LEADS, DEALS = "Leads", "Deals"
STAGE = "Stage"
"""The field of deals whose choices are the steps of their pipelines."""
CONVERTED, CONVERTED_TO = "Converted__s", "Converted_Contact"
"""Fields of leads: whether one was converted, and the contact that it became."""
# forecast_type of a stage -> what a deal in it is
STATUSES: Mapping[str, DealStatus] = {
    "Open": DealStatus.OPEN,
    "Closed Won": DealStatus.WON,
    "Closed Lost": DealStatus.LOST,
}
TEXTS = frozenset({FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE})
NO_CHOICE = "-None-"
"""The option of every picklist that stands for "nothing chosen"."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a module."""

    schema: FieldSchema
    data_type: str
    """Zoho's own word for the type."""
    decimals: int | None
    """Digits after the point that are kept; None where Zoho does not say."""
    choices: Mapping[str, str]
    """What may be written to a picklist, values and labels -> the value. Empty: anything."""
    case_matters: bool
    """Whether a unique field holds "a" and "A" to be two values."""
    statuses: Mapping[str, DealStatus] = field(default_factory=dict)
    """Of a deal's stage, values -> what a deal in it is, as far as Zoho says so here."""

    @property
    def allowed(self) -> str:
        """The values of a picklist, for people."""
        return ", ".join(value for value, _ in self.schema.options)


@dataclass(frozen=True, slots=True)
class Module:
    """One module: what Zoho calls an object type."""

    name: str
    fields: Mapping[str, Field]
    """By api_name, case-sensitive."""


def field_of(described: Mapping[str, Any], module: str) -> Field:
    """Return a field of a module from its description.

    Raises LookupError, TypeError, ValueError or AttributeError for another shape.
    """
    data_type = str(described["data_type"])
    kind = TYPES.get(data_type)
    unique = described.get("unique") or {}
    options = tuple(
        (str(option["actual_value"]), str(option["display_value"]))
        for option in described.get("pick_list_values") or ()
        if option.get("type") != "unused" and option["actual_value"] != NO_CHOICE
    )
    api_name = str(described["api_name"])
    schema = FieldSchema(
        name=api_name,
        label=str(described.get("field_label") or api_name),
        type=kind or FieldType.TEXT,
        writable=kind is not None and _is_writable(described),
        required=described.get("system_mandatory") is True,
        unique=bool(unique),
        max_length=_whole(described.get("length")) if kind in TEXTS else None,
        options=options,
        whole_seconds=kind is FieldType.DATETIME,
        directory=Directory.STAGES
        if (module, api_name) == (DEALS, STAGE)
        else DIRECTORIES.get(data_type),
    )
    # Of a value and another option's label that are alike, the value is meant.
    choices = {label: value for value, label in options} | {value: value for value, _ in options}
    statuses = {
        str(option["actual_value"]): STATUSES[option["forecast_type"]]
        for option in described.get("pick_list_values") or ()
        if option.get("forecast_type") in STATUSES
    }
    return Field(
        schema,
        data_type,
        _whole(described.get("decimal_place")),
        choices,
        case_matters=str(unique.get("casesensitive")).lower() == "true",
        statuses=statuses,
    )


def required_by_layouts(layouts: list[Mapping[str, Any]]) -> set[str]:
    """Return the fields that every layout in use demands, whichever one a new record gets.

    An owner is demanded too, but Zoho fills it in. Raises LookupError or TypeError.
    """
    demanded = [
        {
            str(field["api_name"])
            for section in layout.get("sections") or ()
            for field in section.get("fields") or ()
            if field.get("required") is True and field.get("data_type") != "ownerlookup"
        }
        for layout in layouts
        if layout.get("status") != "inactive"
    ]
    return set.intersection(*demanded) if demanded else set()


def description_of(field: FieldSchema) -> dict[str, Any] | None:
    """Return what Zoho is told of a new field; None for a type that cannot be made.

    Zoho makes the api_name out of the label, hence that is our name for it.
    """
    if field.type not in CREATES:
        return None
    described = {"field_label": field.name, **CREATES[field.type]}
    if field.unique:
        described["unique"] = {"casesensitive": False}
    if field.options:
        described["pick_list_values"] = [
            {"display_value": label, "actual_value": value} for value, label in field.options
        ]
    return described


def _whole(number: Any) -> int | None:  # noqa: ANN401 (any JSON)
    """Return a number that may come as digits; None for what is none."""
    return int(number) if str(number).isdecimal() else None


def _is_writable(described: Mapping[str, Any]) -> bool:
    allowed = described.get("operation_type") or {}
    by_api = allowed.get("api_create", True) and allowed.get("api_update", True)
    return bool(by_api) and not (described.get("read_only") or described.get("field_read_only"))
