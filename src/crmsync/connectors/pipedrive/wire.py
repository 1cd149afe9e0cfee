"""Pipedrive's wire format: values by form, both ways, and bodies of writes.

Numbers are JSON numbers, options travel as ids, null clears; custom fields only inside
`custom_fields`. What a value lacks to fit is said without the value itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crmsync.connectors.pipedrive.calls import Entry
from crmsync.connectors.pipedrive.fields import Fields
from crmsync.connectors.pipedrive.objects import Field, Form
from crmsync.errors import ConfigError
from crmsync.model import CrmId, Failure, FieldType, Record, Value

SHOWN_CHOICES = 8
CONTACT_KEYS = ("value", "primary", "label")
RENAME = "Name the field by its hash in the mapping, or rename the others in Pipedrive."
MAKE_FIELD = "Make the field in Pipedrive, or change the mapping (`crmsync fields` lists them)."
REMOVE_LINE = "Pipedrive fills it itself: remove the line from the mapping."
CORRECT = "Correct the value, or the line of the mapping that makes it, then replay."
Json = Any
Contacts = Sequence[Mapping[str, Any]]
"""`[{value, primary, label}]`, the e-mail addresses or phone numbers of a person."""


class Unfit(ValueError):
    """The value does not fit the field; the text says how, and never holds the value."""


# --- to the wire --------------------------------------------------------------------------


def wire_values(
    fields: Fields, given: Mapping[str, Value], currency: Callable[[], str]
) -> list[tuple[Field, Json]] | Failure:
    """Return what to write of each field, or why this record cannot be written."""
    values = []
    for name, value in given.items():
        try:
            field = fields.find(name)
        except ConfigError as ambiguous:
            return Failure("AMBIGUOUS_FIELD", ambiguous.user_message, RENAME, name)
        if field is None:
            return Failure("UNKNOWN_FIELD", fields.complaint(name), MAKE_FIELD, name)
        if not field.writable:
            return Failure("READ_ONLY_FIELD", f"'{name}' cannot be written", REMOVE_LINE, name)
        try:
            values.append((field, to_wire(field, value, currency)))
        except Unfit as reason:
            return Failure("UNFIT_VALUE", f"'{name}': {reason}", CORRECT, name)
    return values


def to_wire(field: Field, value: Value, currency: Callable[[], str]) -> Json:
    """Return a canonical value as Pipedrive takes it; raise Unfit.

    `currency` gives the company's own, for amounts.
    """
    if value is None:
        return [] if field.form is Form.LABELS else None
    if field.form is Form.MONEY:
        return {"value": _number(field, value), "currency": currency()}
    return _WRITERS.get(field.form, _text)(field, value)


def with_primary(held: Contacts, value: Json) -> list[dict[str, Any]]:
    """Return e-mail addresses or phone numbers with another primary one, all others kept.

    None takes the primary one away. One that was among the others becomes the primary one.
    """
    known = [{key: one[key] for key in CONTACT_KEYS if key in one} for one in held]
    primary = primary_of(known)
    rest = [one for one in known if one is not primary]
    if value is None:
        return rest
    # Of phone numbers this compares what was typed: "+44 1" and "+441" are two.
    wanted = str(value).lower()
    same = next((one for one in rest if str(one.get("value")).lower() == wanted), None)
    first = {**(same or primary or {}), "value": value, "primary": True}
    return [first, *({**one, "primary": False} for one in rest if one is not same)]


def primary_of(held: Contacts) -> Mapping[str, Any] | None:
    """Return the primary entry: the one that says so, else the first."""
    return next((one for one in held if one.get("primary")), held[0] if held else None)


def nested(values: Sequence[tuple[Field, Json]]) -> dict[str, Any]:
    """Return the body that writes these values."""
    body = {field.key: value for field, value in values if not field.custom}
    custom = {field.name: value for field, value in values if field.custom}
    return body | {"custom_fields": custom} if custom else body


def _text(field: Field, value: Value) -> str:
    if not isinstance(value, str):
        raise Unfit("expected text")
    if field.max_length is not None and len(value) > field.max_length:
        raise Unfit(f"{len(value)} characters, {field.max_length} at most")
    return value


def _number(_: Field, value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unfit("expected a number")
    return value


def _boolean(_: Field, value: Value) -> bool:
    if not isinstance(value, bool):
        raise Unfit("expected yes or no")
    return value


def _id(_: Field, value: Value) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit()):
        raise Unfit("expected the id of a record or user, which is a whole number")
    return int(text)


def _options(field: Field, value: Value) -> list[int | str]:
    return [_option(field, one) for one in (value if isinstance(value, list) else [value])]


def _option(field: Field, value: Value) -> int | str:
    """Return the id of the option that a label or an id names."""
    text = str(value)
    by_label = next((one for one, label in field.options if label == text), None)
    if by_label is not None:
        return by_label
    by_id = next((one for one, _ in field.options if str(one) == text), None)
    if by_id is None:
        labels = [label for _, label in field.options]
        more = ", ..." if len(labels) > SHOWN_CHOICES else ""
        raise Unfit(f"not one of its options ({', '.join(labels[:SHOWN_CHOICES])}{more})")
    return by_id


_WRITERS: Mapping[Form, Callable[[Field, Value], Json]] = {
    Form.NUMBER: _number,
    Form.BOOLEAN: _boolean,
    Form.ID: _id,
    Form.OPTION: _option,
    Form.OPTIONS: _options,
    Form.LABELS: _options,
    Form.WRAPPED: lambda field, value: {"value": _text(field, value)},
}
"""Every other form takes text."""


# --- from the wire ------------------------------------------------------------------------


def from_wire(field: Field, value: Json) -> Value:
    """Return a value as Pipedrive shows it in canonical form.

    Raises LookupError, TypeError, ValueError or AttributeError for one of another form.
    """
    if value is None or value in ("", []):
        return None
    reader = _READERS.get(field.form)
    return reader(field, value) if reader else str(value)


def moment(text: str) -> datetime:
    """Read a time as v2 writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def value_in(entry: Entry, field: Field) -> Json:
    """Return what an entry has for a field."""
    if field.custom:
        return (entry.get("custom_fields") or {}).get(field.name)
    return entry.get(field.key)


def holds(entry: Entry, field: Field) -> bool:
    """Say whether an entry has a field: Pipedrive shows each that exists, null where it is empty.

    Nothing may be concluded from one that is absent: the field was deleted, or contact sync is off.
    """
    return field.name in (entry.get("custom_fields") or {}) if field.custom else field.key in entry


def fields_of(entry: Entry, wanted: Mapping[str, Field]) -> dict[str, Value]:
    """Return the fields asked for, by the names they were asked for; without those it lacks."""
    return {
        name: from_wire(field, value_in(entry, field))
        for name, field in wanted.items()
        if holds(entry, field)
    }


def record_of(entry: Entry, wanted: Mapping[str, Field]) -> Record:
    """Return a record with the fields asked for, or as deleted.

    Raises LookupError, TypeError, ValueError or AttributeError for an entry of another shape.
    """
    crm_id, changed = CrmId(str(entry["id"])), time_in(entry, "update_time")
    if entry.get("is_deleted"):
        return Record(crm_id, {}, changed, is_deleted=True)
    return Record(crm_id, fields_of(entry, wanted), changed)


def time_in(entry: Entry, key: str) -> datetime | None:
    """Return a time that an entry has."""
    return moment(entry[key]) if entry.get(key) else None


def whole_seconds(at: datetime) -> str:
    """Write a time as Pipedrive takes it: it refuses fractions."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _primary_text(field: Field, value: Json) -> Value:
    first = primary_of(value) or {}
    text = str(first.get("value") or "").strip()
    return (text.lower() if field.type is FieldType.EMAIL else text) or None


def _plain_number(_: Field, value: Json) -> Value:
    number: int | float | None = value["value"] if isinstance(value, dict) else value
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _label(field: Field, option_id: Json) -> str:
    return next((label for one, label in field.options if one == option_id), str(option_id))


def _moment(_: Field, value: Json) -> Value:
    return moment(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_READERS: Mapping[Form, Callable[[Field, Json], Value]] = {
    Form.CONTACTS: _primary_text,
    Form.NUMBER: _plain_number,
    Form.MONEY: _plain_number,
    Form.BOOLEAN: lambda _, value: bool(value),
    Form.OPTION: _label,
    Form.OPTIONS: lambda field, value: sorted(_label(field, one) for one in value),
    Form.LABELS: lambda field, value: sorted(_label(field, one) for one in value),
    Form.WRAPPED: lambda _, value: str(value["value"]) if value.get("value") else None,
    Form.RANGE: lambda _, value: f"{value['value']}/{value['until']}",
    Form.MOMENT: _moment,
}
"""Every other form is text already, or a number that names something."""
