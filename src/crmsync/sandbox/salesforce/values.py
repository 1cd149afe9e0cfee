"""How a value of each field type is checked and rewritten before it is kept.

One function per type: JSON in, what Salesforce would give back out, or a `Refusal`. Texts are
trimmed and an empty one is null. A kept date or time is text that sorts as it should.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.wire import day, full_id, moment

Check = Callable[[Any], Any]
"""A value as sent, to a value as kept."""

_EMAIL = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MAX_INT = 2**31 - 1
_MAX_DIGITS = 18
"""Of a number whose field names none."""


def check_for(field: Field) -> Check:
    """Return the check of a field's values."""
    make = _CHECKS.get(field.type, _text)
    check = make(field)

    def check_or_null(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can say
        kept = None if value is None else check(value)
        if kept is None and not field.nillable:
            raise _no_null(field)
        return kept

    return check_or_null


def _wrong_kind(field: Field, expected: str, value: object) -> Refusal:
    return errors.wrong_kind(expected, value, field.label, field.name)


def _no_null(field: Field) -> Refusal:
    if field.type == "boolean":
        text = f"{field.label}: value not of required type: "
        return Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", text, [field.name])
    return errors.missing([field.name])


def _text(field: Field) -> Check:
    limit = field.length

    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
        if type(value) is not str:
            raise _wrong_kind(field, "string", value)
        kept = value.strip()
        if limit and len(kept) > limit:
            raise errors.too_long(field.label, field.name, kept, limit)
        return kept or None

    return check


def _email(field: Field) -> Check:
    text = _text(field)

    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
        kept: str | None = text(value)
        if kept is not None and (not _EMAIL.fullmatch(kept) or ".." in kept):
            words = f"{field.label}: invalid email address: {kept}"
            raise Refusal("INVALID_EMAIL_ADDRESS", words, [field.name])
        return kept

    return check


def _picklist(field: Field) -> Check:
    text = _text(field)
    allowed = {option.value for option in field.options if option.active}

    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
        kept: str | None = text(value)
        if kept is not None and field.restricted and kept not in allowed:
            raise _bad_option(field, kept)
        return kept

    return check


def _multipicklist(field: Field) -> Check:
    text = _text(field)
    allowed = {option.value for option in field.options if option.active}

    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
        kept: str | None = text(value)
        parts = dict.fromkeys(part.strip() for part in (kept or "").split(";") if part.strip())
        for part in parts:
            if field.restricted and part not in allowed:
                raise _bad_option(field, part)
        return ";".join(parts) or None

    return check


def _bad_option(field: Field, value: str) -> Refusal:
    text = f"{field.label}: bad value for restricted picklist field: {value}"
    return Refusal("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, [field.name])


def _number(field: Field) -> Check:
    whole_digits = field.precision - field.scale if field.precision else _MAX_DIGITS

    def check(value: Any) -> float | None:  # noqa: ANN401 - whatever JSON can say
        number = _read_number(field, value)
        if number is None:
            return None
        if abs(number) >= 10**whole_digits:
            text = f"{field.label}: value outside of valid range on numeric field: {value}"
            raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", text, [field.name])
        return round(number, field.scale)

    return check


def _int(field: Field) -> Check:
    def check(value: Any) -> int | None:  # noqa: ANN401 - whatever JSON can say
        number = _read_number(field, value)
        if number is None:
            return None
        if number != int(number):
            raise _wrong_kind(field, "int", value)
        if abs(number) > _MAX_INT:
            text = f"{field.label}: value outside of valid range on numeric field: {value}"
            raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", text, [field.name])
        return int(number)

    return check


def _read_number(field: Field, value: object) -> float | None:
    kind = "int" if field.type == "int" else "double"
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise _wrong_kind(field, kind, value)
        return float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_kind(field, kind, value)
    return float(value)


def _boolean(field: Field) -> Check:
    def check(value: Any) -> bool:  # noqa: ANN401 - whatever JSON can say
        if not isinstance(value, bool):
            raise _wrong_kind(field, "boolean", value)
        return value

    return check


def _date(field: Field) -> Check:
    return _by_reading(field, day)


def _datetime(field: Field) -> Check:
    return _by_reading(field, moment)


def _by_reading(field: Field, read: Callable[[str], str | None]) -> Check:
    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
        if value == "":
            return None
        kept = read(value.strip()) if isinstance(value, str) else None
        if kept is None:
            raise _wrong_kind(field, field.type, value)
        return kept

    return check


def _reference(field: Field) -> Check:
    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
        if not isinstance(value, str):
            raise _wrong_kind(field, "string", value)
        if not value.strip():
            return None
        kept = full_id(value.strip())
        if kept is None:
            raise errors.wrong_id(field.label, field.name, value)
        return kept

    return check


_CHECKS: dict[str, Callable[[Field], Check]] = {
    "boolean": _boolean,
    "currency": _number,
    "date": _date,
    "datetime": _datetime,
    "double": _number,
    "email": _email,
    "int": _int,
    "multipicklist": _multipicklist,
    "percent": _number,
    "picklist": _picklist,
    "reference": _reference,
}
