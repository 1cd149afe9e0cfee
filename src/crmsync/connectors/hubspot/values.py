"""Values to and from HubSpot's strings: every property travels as one, `""` clears."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from crmsync.model import FieldType, Value

LONGEST_NUMBER = 400
"""Digits before the point; "1e999999999" is eleven characters and would fill the memory."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_wire(value: Value) -> str:
    """Return a canonical value as HubSpot takes it.

    Dates and date-times are canonical text already and go as they are. Raises ValueError for NaN
    and infinities.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a finite number")
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return ";".join(value)


def from_wire(text: Any, kind: FieldType) -> Value:  # noqa: ANN401 (any JSON)
    """Return a property's text as a canonical value; text that does not fit its type stays text."""
    if text is None or text == "":
        return None
    # HubSpot says that it always is text.
    said: str = text if isinstance(text, str) else orjson.dumps(text).decode()
    reader = _READERS.get(kind)
    if reader is None:
        return said
    try:
        return reader(said)
    except (LookupError, ValueError, ArithmeticError):
        return said


def moment(text: str) -> datetime:
    """Read a time: ISO 8601 with or without milliseconds, or epoch milliseconds."""
    if text.lstrip("-").isdigit():
        return EPOCH + timedelta(milliseconds=int(text))
    return datetime.fromisoformat(text).astimezone(UTC)


def milliseconds(at: datetime) -> int:
    """Return epoch milliseconds."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def _number(text: str) -> int | float:
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > LONGEST_NUMBER:
        raise ValueError("not a number of any use")
    return int(number) if number == number.to_integral_value() else float(number)


def _datetime(text: str) -> str:
    return moment(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _date(text: str) -> str:
    return text if text[4:5] == "-" else moment(text).date().isoformat()


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _many(text: str) -> list[str]:
    return sorted(part for part in text.split(";") if part)


_READERS: Mapping[FieldType, Callable[[str], Value]] = {
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.MULTI_PICKLIST: _many,
}
