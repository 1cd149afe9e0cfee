"""The difference between what a record should hold and what it is known to hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from crmsync.model import Failure, Fields, FieldSchema, FieldType, Value
from crmsync.planning.normalise import (
    NORMALISERS,
    Normaliser,
    NotThatType,
    normaliser_of,
    same_phone,
)

Change = tuple[Value, Value]
"""What the field is known to hold, what it should hold."""


def desired_record(
    raw: Mapping[str, Any], unusable: Mapping[str, str], canonical: Mapping[str, Normaliser]
) -> dict[str, Value] | Failure:
    """Return every mapped field's canonical value, or why this record cannot be written.

    `unusable` says of which fields no value could be made, and why; `canonical` is what
    `normalisers` made of the fields' types.
    """
    record: dict[str, Value] = {}
    for name, reason in unusable.items():
        return _wrong_type(name, reason)
    for name, value in raw.items():
        try:
            record[name] = None if value is None or value == "" else canonical[name](value)
        except NotThatType as reason:
            return _wrong_type(name, str(reason))
    return record


def normalisers(names: Iterable[str], schema: Mapping[str, FieldSchema]) -> dict[str, Normaliser]:
    """Return what makes each field's values canonical.

    A field that the CRM did not describe is taken as text: the CRM has the last word on it.
    """
    return {
        name: normaliser_of(schema[name]) if name in schema else NORMALISERS[FieldType.TEXT]
        for name in names
    }


def difference(desired: Fields, known: Fields, phones: Collection[str] = ()) -> dict[str, Change]:
    """Return what has to change; a field that is empty on both sides does not.

    `phones`: the fields that hold phone numbers, which a CRM may punctuate in its own way.
    """
    get = known.get
    changes = {
        name: (before, value) for name, value in desired.items() if (before := get(name)) != value
    }
    for name in phones:
        if name in changes and same_phone(*changes[name]):
            del changes[name]
    return changes


def cleared(changes: Mapping[str, Change]) -> list[str]:
    """Return the fields that hold a value and are to hold none."""
    return [name for name, (before, after) in changes.items() if after is None is not before]


def overwritten(changes: Mapping[str, Change]) -> list[str]:
    """Return the fields that hold a value and are to hold another one."""
    return [
        name
        for name, (before, after) in changes.items()
        if before is not None and after is not None
    ]


def phone_fields(names: Iterable[str], schema: Mapping[str, FieldSchema]) -> tuple[str, ...]:
    """Return which of the fields hold phone numbers."""
    return tuple(n for n in names if n in schema and schema[n].type is FieldType.PHONE)


def _wrong_type(name: str, reason: str) -> Failure:
    return Failure(
        code="WRONG_TYPE",
        message=f"{name}: {reason}",
        hint=f"the value for '{name}' does not fit the CRM's field: correct the trait, or add a "
        "transform to the mapping",
        field=name,
    )


def observed(desired: Fields, known: Fields, found: Fields) -> dict[str, Value]:
    """Return what to take as known after reading the record.

    A value that we neither want nor ever wrote belongs to somebody else: it is not ours to clear,
    so it is not taken up.
    """
    return {
        name: found.get(name) if desired[name] is not None or known.get(name) is not None else None
        for name in desired
    }
