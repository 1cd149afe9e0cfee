"""One canonical form per field type, so that what a CRM rewrites does not look like a change.

| field type | canonical value | taken from |
|---|---|---|
| text, phone, reference | trimmed text | text, numbers, booleans |
| picklist | the option's value | its value or its label |
| email | trimmed lower-case text | text |
| number | int, or float where there is a fraction | numbers, numeric text, booleans |
| boolean | bool | bool, yes/no words, 0 and 1 |
| date | `YYYY-MM-DD` (UTC) | ISO dates and times, epoch seconds or milliseconds |
| datetime | `YYYY-MM-DDTHH:MM:SS.mmmZ`; `.000Z` where the CRM keeps seconds | the same |
| multi_picklist | sorted list of distinct values | list, or text with `;` between |

A phone number is kept and sent as it is written; two that dial the same are no difference
(`same_phone`). Empty text, an empty list and None are all None: the field is empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from crmsync.model import FieldSchema, FieldType, Value

MILLISECONDS_FROM = 1e11
"""From here on a number is epoch milliseconds, below it epoch seconds (of the year 5138)."""
Raw: TypeAlias = Any
"""What a trait holds: any JSON."""
Normaliser = Callable[[Raw], Value]
"""Takes any value but None; raises `NotThatType`."""
NUMBERS_BELOW = 2**63
"""What JSON and every CRM can carry whole."""
TRUE_WORDS = frozenset({"true", "yes", "y", "1", "on"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "off"})


class NotThatType(ValueError):
    """The value cannot be read as the field's type; the message names the type, never the value."""


def normalise(field_type: FieldType, raw: Raw) -> Value:
    """Return the canonical value; `NotThatType` when it cannot be one of this type."""
    if raw is None:
        return None
    return NORMALISERS[field_type](raw)


def _text(raw: Raw) -> Value:
    if isinstance(raw, str):
        return raw.strip() or None
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return _plain_number(raw)
    if raw == []:
        return None
    if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        return ", ".join(raw).strip() or None
    raise NotThatType("expected text")


def _plain_number(raw: float) -> str:
    number = _number(raw)
    return str(number)


def _email(raw: Raw) -> Value:
    if not isinstance(raw, str):
        raise NotThatType("expected an e-mail address")
    return raw.strip().lower() or None


def _number(raw: Raw) -> Value:
    if isinstance(raw, str):
        try:
            raw = float(raw) if any(sign in raw for sign in ".eE") else int(raw)
        except ValueError:
            raise NotThatType("expected a number") from None
    if not isinstance(raw, int | float):
        raise NotThatType("expected a number")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise NotThatType("expected a finite number")
    if abs(raw) >= NUMBERS_BELOW:
        raise NotThatType("expected a number below 2^63")
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() else raw
    return int(raw)


def _boolean(raw: Raw) -> Value:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise NotThatType("expected yes or no")


def _date(raw: Raw) -> Value:
    return _moment(raw).date().isoformat()


def _datetime(raw: Raw) -> Value:
    return _moment(raw).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _whole_seconds(raw: Raw) -> Value:
    return _moment(raw).replace(tzinfo=None, microsecond=0).isoformat(timespec="milliseconds") + "Z"


def _moment(raw: Raw) -> datetime:
    try:
        if isinstance(raw, str):
            moment = datetime.fromisoformat(raw.strip())
        elif isinstance(raw, datetime):
            moment = raw
        elif isinstance(raw, date):
            moment = datetime(raw.year, raw.month, raw.day, tzinfo=UTC)
        elif isinstance(raw, int | float) and not isinstance(raw, bool):
            seconds = raw / 1000 if abs(raw) >= MILLISECONDS_FROM else raw
            moment = datetime.fromtimestamp(seconds, UTC)
        else:
            raise NotThatType("expected a date")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise NotThatType("expected a date") from None


def _choices(raw: Raw) -> Value:
    items = raw.split(";") if isinstance(raw, str) else raw
    if not isinstance(items, list):
        raise NotThatType("expected a list of choices")
    return sorted({text for item in items if isinstance(text := _text(item), str)}) or None


def normaliser_of(field: FieldSchema) -> Normaliser:
    """Return what makes values of a field canonical, as finely as the CRM keeps them.

    Of a picklist both the values and the labels that people see are taken; what a label stands for
    is its value.
    """
    if field.whole_seconds:
        return _whole_seconds
    plain = NORMALISERS[field.type]
    if field.type not in {FieldType.PICKLIST, FieldType.MULTI_PICKLIST} or not field.options:
        return plain
    values = {value for value, _ in field.options}
    by_label = {label: value for value, label in field.options if label not in values}
    if not by_label:
        return plain

    def chosen(raw: Raw) -> Value:
        found = plain(raw)
        if isinstance(found, list):
            return sorted({by_label.get(one, one) for one in found})
        return by_label.get(found, found) if isinstance(found, str) else found

    return chosen


def same_phone(left: Value, right: Value) -> bool:
    """Whether two phone numbers are one, however they are punctuated."""
    if not isinstance(left, str) or not isinstance(right, str):
        return left == right
    return bool(digits := _dialled(left)) and digits == _dialled(right)


def _dialled(number: str) -> str:
    """Return what is dialled; `00` and `+` both lead abroad."""
    kept = "".join(sign for sign in number if sign.isdigit() or sign == "+")
    return f"+{kept[2:]}" if kept.startswith("00") else kept


NORMALISERS: Mapping[FieldType, Normaliser] = {
    FieldType.TEXT: _text,
    FieldType.EMAIL: _email,
    FieldType.PHONE: _text,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.PICKLIST: _text,
    FieldType.MULTI_PICKLIST: _choices,
    FieldType.REFERENCE: _text,
}
