"""What sort of value a fact is, and the few readings of values that every part here shares.

Facts arrive as JSON has them, times as ISO 8601 text or as aware datetimes; whatever else they
hold is data to be read or refused, never an error to stop at.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")
_MILLISECONDS_FROM: Final = 100_000_000_000
"""A number this large counts milliseconds since 1970, a smaller one seconds."""
_LONGEST_INTEGER: Final = 10**300
_EXACT_FLOAT: Final = 1e15
"""Below it every whole number is told apart from its neighbours."""
MAX_LIST: Final = 1000
"""Items a list may have to be read."""


class Kind(StrEnum):
    """What sort of value a fact has, or a transform takes and gives."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    MOMENT = "date"
    LIST = "list"
    ANY = "any"


_KINDS: Final = {
    "string": Kind.TEXT,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "date": Kind.MOMENT,
    "datetime": Kind.MOMENT,
}


def kind_of(type_name: str) -> Kind:
    """Return the kind that a type's name stands for; `ANY` for one that promises nothing."""
    return _KINDS.get(type_name, Kind.ANY)


class Unusable(ValueError):
    """A value that cannot be turned into what was asked; the message never holds the value."""


def as_text(value: object) -> str:
    """Return a value as text: numbers without a needless `.0`, times in UTC, lists with commas.

    Raises `Unusable` for an object, and for a list that is too long or holds lists.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple) and len(value) <= MAX_LIST:
        return ", ".join(_item_text(item) for item in value)
    raise Unusable(f"{_described(value)} cannot be written as text")


def as_moment(value: object) -> datetime:
    """Return the instant a value names, in UTC: a time, ISO 8601 text or a count since 1970.

    A day alone is its midnight in UTC, and so is a time without an offset in UTC. Raises `Unusable`
    for all else.
    """
    try:
        if isinstance(value, str) and _ISO.fullmatch(value):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        pass  # the 31st of February, the year 20,000
    raise Unusable(f"{_described(value)} is not a date or a time")


def moment_text(moment: datetime) -> str:
    """Return an instant as crmsync writes times: `2026-01-31T12:00:00.000Z`."""
    return f"{as_moment(moment).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def is_empty(value: object) -> bool:
    """Whether a value counts as missing: None, an empty text, an empty list."""
    return value is None or value in ("", [])


def _number_text(value: float) -> str:
    if isinstance(value, int):
        if abs(value) < _LONGEST_INTEGER:
            return str(value)
        raise Unusable("the number is too large to be written")
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_FLOAT else repr(value)


def _item_text(item: object) -> str:
    if isinstance(item, list | tuple):
        raise Unusable("a list of lists cannot be written as text")
    return as_text(item)


def _described(value: object) -> str:
    if isinstance(value, str):
        return "the text"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "the number"
    return "a list" if isinstance(value, list | tuple) else "an object"
