"""Objects as the org describes them: what sync must know of a field, and what the wire needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmsync.model import Directory, FieldSchema, FieldType, ObjectSchema

KINDS: Mapping[str, FieldType] = {
    "email": FieldType.EMAIL,
    "phone": FieldType.PHONE,
    "int": FieldType.NUMBER,
    "long": FieldType.NUMBER,
    "double": FieldType.NUMBER,
    "currency": FieldType.NUMBER,
    "percent": FieldType.NUMBER,
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "picklist": FieldType.PICKLIST,
    "multipicklist": FieldType.MULTI_PICKLIST,
    "reference": FieldType.REFERENCE,
    "id": FieldType.REFERENCE,
}
"""Salesforce's type of a field to ours; any other is text."""
COMPOUND = frozenset({"address", "location", "complexvalue"})
"""Types of fields that only show others together: those others are written and read."""

OPPORTUNITY = "Opportunity"
"""What Salesforce calls a deal."""
STAGE = "StageName"
"""Of an opportunity: its stage, by API name."""
DELETED = "IsDeleted"
MASTER = "MasterRecordId"
"""Of a record that was merged into another: that other's id."""
CONVERTED, BECAME = "IsConverted", "ConvertedContactId"
"""Of a lead: whether it was converted, and into which contact."""
CONVERSION = (CONVERTED, BECAME)
FATES = (DELETED, MASTER, *CONVERSION)
"""Fields that say what became of a record; each object has some of them."""


@dataclass(frozen=True, slots=True)
class Column:
    """What the wire needs to know of a field, besides its schema."""

    kind: FieldType
    length: int
    """Most characters of a text; 0 for what is none."""
    decimals: int | None
    """Places behind the point that are kept; None for what is no number."""
    case_counts: bool
    """Whether `abc` and `ABC` are two values to a look-up."""
    filterable: bool
    """Whether a query can look for its values."""
    values: frozenset[str]
    """The active choices of a picklist, by API name."""
    by_label: Mapping[str, str]
    """The same by their label."""
    takes_any: bool
    """Whether the org itself would accept other choices."""


@dataclass(frozen=True, slots=True)
class Described:
    """An object of the org."""

    schema: ObjectSchema
    columns: Mapping[str, Column]

    def names(self, fields: Sequence[str]) -> list[str]:
        """Return those of the names that the object has, each once."""
        return [name for name in dict.fromkeys(fields) if name in self.columns]


def described(object_type: str, answer: Mapping[str, Any]) -> Described:
    """Read a describe answer. Raises LookupError, TypeError or ValueError for another shape."""
    shown = [field for field in answer["fields"] if field["type"] not in COMPOUND]
    if not shown:
        raise ValueError("an object without fields")
    return Described(
        ObjectSchema(object_type, {field["name"]: _schema(object_type, field) for field in shown}),
        {field["name"]: _column(field) for field in shown},
    )


def _schema(object_type: str, field: Mapping[str, Any]) -> FieldSchema:
    kind = KINDS.get(field["type"], FieldType.TEXT)
    return FieldSchema(
        name=field["name"],
        label=field["label"] or field["name"],
        type=kind,
        writable=bool(field["createable"] or field["updateable"]) and not field["calculated"],
        required=bool(
            field["createable"] and not field["nillable"] and not field["defaultedOnCreate"]
        ),
        # Either alone lets two simultaneous upserts make two records, or cannot be upserted by.
        unique=bool(field["externalId"] and field["unique"]),
        max_length=int(field["length"] or 0) or None,
        whole_seconds=kind is FieldType.DATETIME,
        options=tuple((choice["value"], choice["label"] or "") for choice in _choices(field)),
        directory=_directory(object_type, field),
    )


def _directory(object_type: str, field: Mapping[str, Any]) -> Directory | None:
    if object_type == OPPORTUNITY and field["name"] == STAGE:
        return Directory.STAGES
    # An owner may be a queue besides, so that a reference can lead to several objects.
    return Directory.OWNERS if "User" in field["referenceTo"] else None


def _column(field: Mapping[str, Any]) -> Column:
    kind = KINDS.get(field["type"], FieldType.TEXT)
    choices = _choices(field)
    return Column(
        kind=kind,
        length=int(field["length"] or 0),
        decimals=int(field["scale"]) if kind is FieldType.NUMBER else None,
        case_counts=bool(field["caseSensitive"]),
        filterable=bool(field["filterable"]),
        values=frozenset(choice["value"] for choice in choices),
        by_label={choice["label"]: choice["value"] for choice in choices if choice["label"]},
        takes_any=not field["restrictedPicklist"],
    )


def _choices(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [choice for choice in field["picklistValues"] or () if choice["active"]]
