"""One call on its way through the API, and the ways all calls read their parameters and bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from crmsync.sandbox.http import Request
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.portal import Portal
from crmsync.sandbox.hubspot.records import Record, Records
from crmsync.sandbox.hubspot.wire import iso, object_type

Json = dict[str, Any]
Anything = Any
"""Whatever JSON can say."""


@dataclass(frozen=True)
class Call:
    """A request that has been let in, and what its path says."""

    portal: Portal
    request: Request
    path: dict[str, str]
    """The parts of the path that vary, by name."""

    @cached_property
    def type(self) -> str:
        """The object type in the path, in the plural; 400 for none such."""
        return self.type_at("type")

    def type_at(self, part: str) -> str:
        """Return the object type at a named part of the path."""
        name = object_type(self.path[part])
        if name is None:
            raise errors.unknown_type(self.path[part])
        return name

    @cached_property
    def records(self) -> Records:
        """The records of that type."""
        return self.portal.objects[self.type]

    @cached_property
    def body(self) -> Json:
        """The JSON object sent; 400 for anything else."""
        value = self.sent()
        if not isinstance(value, dict):
            raise errors.wrong_shape("the body: an object is expected")
        return value

    def sent(self) -> Anything:
        """Return whatever JSON was sent; 400 where it is none."""
        try:
            return self.request.json()
        except orjson.JSONDecodeError as error:
            raise errors.malformed(error) from None

    def inputs(self, limit: int) -> list[Json]:
        """Return the inputs of a batch, each an object; 400 for none or too many."""
        inputs = self.body.get("inputs")
        if inputs is None:
            raise errors.missing_fields("inputs")
        if not isinstance(inputs, list) or not all(isinstance(item, dict) for item in inputs):
            raise errors.wrong_shape("`inputs`: a list of objects is expected")
        if len(inputs) > limit:
            raise errors.too_many_inputs(limit, len(inputs))
        return inputs

    def names(self, parameter: str) -> list[str]:
        """Return a parameter that lists names, joined by commas, repeated, or both."""
        listed = ",".join(self.request.query.get(parameter, []))
        return [name for name in listed.split(",") if name]

    def flag(self, parameter: str) -> bool:
        """Return a parameter that is true or false."""
        # HubSpot's own library for Python writes "True".
        return (self.request.one(parameter) or "").lower() == "true"

    def limit(self, default: int, most: int) -> int:
        """Return the page size asked for; 400 beyond the largest."""
        text = self.request.one("limit")
        if text is None:
            return default
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise errors.invalid(f"limit must be between 1 and {most}, was {text}")
        return int(text)

    def link(self, after: str) -> str:
        """Return the address of the page that follows."""
        return f"https://api.hubapi.com{self.request.path}?after={after}"


def required(body: Json, *names: str) -> list[Any]:
    """Return members of a body; 400 naming those that are absent."""
    if not isinstance(body, dict):
        raise errors.wrong_shape("an object was expected")
    absent = [name for name in names if body.get(name) is None]
    if absent:
        raise errors.missing_fields(*absent)
    return [body[name] for name in names]


def text_of(item: Json, name: str) -> str:
    """Return a member that is an id or other text; numbers are taken as text."""
    (value,) = required(item, name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise errors.wrong_shape(f"`{name}`: a string is expected")
    return str(value)


def fields_of(item: Json) -> Json:
    """Return the `properties` of a body or input."""
    fields = item.get("properties")
    if isinstance(fields, dict):
        return fields
    required(item, "properties")
    raise errors.wrong_shape("`properties`: an object is expected")


def shown(records: Records, record: Record, names: Sequence[str]) -> Json:
    """Return a record as the API shows it, with these properties.

    A property never set is null, one that was cleared is empty, an unknown one is left out.
    """
    values, known = record.values, records.properties.checks
    shown_record: Json = {
        "id": record.id,
        "properties": {name: values.get(name) for name in names if name in known},
        "createdAt": iso(record.created),
        "updatedAt": iso(record.modified),
        "archived": record.archived is not None,
    }
    if record.archived is not None:
        shown_record["archivedAt"] = iso(record.archived)
    return shown_record
