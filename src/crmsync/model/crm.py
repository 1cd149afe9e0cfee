"""What a CRM looks like: its objects and fields, as it describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FieldType(StrEnum):
    """What sort of value a CRM field takes; decides how values are normalised and compared."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    PICKLIST = "picklist"
    MULTI_PICKLIST = "multi_picklist"
    REFERENCE = "reference"
    """The id of another record or of an owner."""


class Directory(StrEnum):
    """A list of a CRM's own that a field's values are ids of; people know them by name."""

    OWNERS = "owners"
    """Its users: known by e-mail."""
    STAGES = "stages"
    """The steps of its pipelines: known by label."""


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field of a CRM object, as the CRM describes it."""

    name: str
    label: str
    type: FieldType
    writable: bool = True
    required: bool = False
    unique: bool = False
    max_length: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    """(value, label) of each choice of a picklist."""
    whole_seconds: bool = False
    """Whether a date and time is kept without its fraction of a second."""
    directory: Directory | None = None
    """What its values are ids of, where people would not know them by the id."""


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """One CRM object and its fields."""

    object_type: str
    fields: Mapping[str, FieldSchema]


@dataclass(frozen=True, slots=True)
class Account:
    """Who answered when a connection was checked."""

    id: str
    name: str
    detail: str = ""
