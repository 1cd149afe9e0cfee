"""The fields of one object type: those every company has, and its own under random codes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crmsync.sandbox.pipedrive import errors

CREATABLE_TYPES = (
    "varchar", "text", "double", "phone", "date", "daterange", "time", "timerange", "set", "enum",
    "varchar_auto", "address", "monetary", "org", "people", "user",
)  # fmt: skip
WITH_OPTIONS = ("enum", "set")


@dataclass(frozen=True, slots=True)
class Option:
    """One value of an `enum` or `set`; it is written by its id."""

    id: int | str
    label: str

    def report(self) -> dict[str, Any]:
        """Return it as the API does."""
        return {"id": self.id, "label": self.label}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. The code of a custom one never changes; its name may, and need not be unique."""

    code: str
    name: str
    type: str
    options: tuple[Option, ...] = ()
    custom: bool = False

    def option(self, option_id: object) -> Option | None:
        """Return an option by its id, which is never a label or a boolean."""
        if isinstance(option_id, bool):
            return None
        return next((option for option in self.options if option.id == option_id), None)

    def report(self) -> dict[str, Any]:
        """Return it as v2 does."""
        return {
            "field_name": self.name,
            "field_code": self.code,
            "field_type": self.type,
            "options": [option.report() for option in self.options] or None,
            "subfields": None,
            "is_custom_field": self.custom,
            "is_optional_response_field": False,
        }


class OptionIds:
    """Ids of options: counted per company, so that no two companies have the same."""

    def __init__(self, chance: random.Random) -> None:
        """Start anywhere."""
        self.next = chance.randrange(20, 900)

    def take(self) -> int:
        """Return an id nothing has."""
        self.next += 1
        return self.next - 1


class Fields:
    """The fields of one object type in one company."""

    def __init__(self, object_type: str, chance: random.Random, option_ids: OptionIds) -> None:
        """Start with the fields every company has."""
        self._chance = chance
        self._option_ids = option_ids
        self.all: dict[str, Field] = {field.code: field for field in _DEFAULTS[object_type]}
        self.custom: dict[str, Field] = {}
        """The company's own, in order of creation."""

    def __iter__(self) -> Iterator[Field]:
        """Yield all fields, the company's own last."""
        return iter(self.all.values())

    def get(self, code: str) -> Field:
        """Return a field; 404 where there is none."""
        if code not in self.all:
            raise errors.not_found("field")
        return self.all[code]

    def get_custom(self, code: str) -> Field:
        """Return a field of the company's own; the others cannot be changed."""
        field = self.get(code)
        if not field.custom:
            raise errors.forbidden(f"Field '{code}' is not a custom field")
        return field

    def add(self, name: str, field_type: str, labels: Sequence[str] = ()) -> Field:
        """Add a field under a code that no other company has for it."""
        code = f"{self._chance.getrandbits(160):040x}"
        field = Field(code, name, field_type, self.new_options(labels), custom=True)
        self.put(field)
        return field

    def new_options(self, labels: Sequence[str]) -> tuple[Option, ...]:
        """Make options for a field."""
        return tuple(Option(self._option_ids.take(), label) for label in labels)

    def put(self, field: Field) -> None:
        """Add a custom field, or put it in the place of its former self."""
        self.all[field.code] = self.custom[field.code] = field

    def rename(self, code: str, name: str) -> Field:
        """Give a custom field another name."""
        self.put(replace(self.get_custom(code), name=name))
        return self.all[code]

    def set_options(self, code: str, options: Sequence[Option]) -> Field:
        """Give a custom field other options."""
        self.put(replace(self.get_custom(code), options=tuple(options)))
        return self.all[code]

    def remove(self, code: str) -> Field:
        """Delete a custom field."""
        field = self.get_custom(code)
        del self.all[code], self.custom[code]
        return field


_COMMON = (
    Field("id", "ID", "int"),
    Field("add_time", "Created", "date"),
    Field("update_time", "Updated", "date"),
    Field("owner_id", "Owner", "user"),
    Field("visible_to", "Visible to", "visible_to"),
    Field("label_ids", "Labels", "set"),
)
_STATUSES = tuple(
    Option(status, status.capitalize()) for status in ("open", "won", "lost", "deleted")
)
_DEFAULTS = {
    "persons": (
        Field("name", "Name", "varchar"),
        Field("first_name", "First name", "varchar"),
        Field("last_name", "Last name", "varchar"),
        Field("email", "Email", "varchar"),
        Field("phone", "Phone", "phone"),
        Field("org_id", "Organization", "org"),
        *_COMMON,
    ),
    "organizations": (
        Field("name", "Name", "varchar"),
        Field("address", "Address", "address"),
        Field("website", "Website", "varchar"),
        Field("linkedin", "LinkedIn profile", "varchar"),
        Field("industry", "Industry", "enum"),
        Field("annual_revenue", "Annual revenue", "double"),
        Field("employee_count", "Number of employees", "double"),
        *_COMMON,
    ),
    "deals": (
        Field("title", "Title", "varchar"),
        Field("value", "Value", "monetary"),
        Field("status", "Status", "status", _STATUSES),
        Field("stage_id", "Stage", "stage"),
        Field("person_id", "Contact person", "people"),
        Field("org_id", "Organization", "org"),
        Field("expected_close_date", "Expected close date", "date"),
        Field("lost_reason", "Lost reason", "varchar_options"),
        Field("won_time", "Won time", "date"),
        Field("lost_time", "Lost time", "date"),
        *_COMMON,
    ),
}
