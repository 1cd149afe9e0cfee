"""The closed list of transforms a field may name: each pure, typed, bounded and total.

A transform gets a value that is not missing and returns another, or raises `Unusable` where the
value cannot be turned; it never sees the clock, the network or another fact.
docs/mapping.md lists them all; a test keeps the two lists equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypeAlias

from crmsync.mapping.values import MAX_LIST, Kind, Unusable, as_moment, as_text, moment_text

MAX_TEXT: Final = 65_536
"""Characters a transform or template may give."""
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{1,30})?")
_NO_FRACTION_FROM: Final = 16
"""Powers of ten from which a float has no digits after the point."""
_EMAIL: Final = re.compile(r"[^@\s]+@([^@\s]+\.[^@\s]+)")
_TRUE: Final = frozenset({"true", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "n", "off", "0"})

Step: TypeAlias = Callable[[object], object]
Argument: TypeAlias = str | int
_WRITABLE: Final = frozenset({Kind.TEXT, Kind.NUMBER, Kind.ANY})
_ALL: Final = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a transform needs to be told."""

    type: type[str | int]
    low: int
    high: int
    """The least and greatest number, or length of text."""
    default: Argument | None = None
    """None: it must be given."""

    def complaint(self, argument: object) -> str | None:
        """Say what is wrong with an argument, if anything."""
        if isinstance(argument, bool) or not isinstance(argument, self.type):
            return f"takes {self}"
        size = argument if isinstance(argument, int) else len(argument)
        return None if self.low <= size <= self.high else f"takes {self}"

    def __str__(self) -> str:
        """Describe what is expected."""
        if self.type is int:
            return f"a whole number from {self.low} to {self.high}"
        return f"a text of {self.low} to {self.high} characters"


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform: what it takes, gives and does."""

    name: str
    summary: str
    takes: frozenset[Kind]
    gives: Kind
    make: Callable[[Any], Step]
    parameter: Parameter | None = None


def bounded(text: str) -> str:
    """Return a text that is not too long, or raise `Unusable`."""
    if len(text) > MAX_TEXT:
        raise Unusable(f"longer than {MAX_TEXT:,} characters")
    return text


def chain(steps: Iterable[tuple[Transform, Argument | None]]) -> Step:
    """Return one function that applies the steps in order; a step that gives nothing ends it."""
    functions = tuple(transform.make(argument) for transform, argument in steps)

    def apply(value: object) -> object:
        for function in functions:
            if value is None:
                return None
            value = function(value)
        return value

    return apply


# --- what they do --------------------------------------------------------------------------


def _on_text(function: Callable[[str], str | None]) -> Callable[[Any], Step]:
    """Make a transform of text, which takes numbers too."""

    def apply(value: object) -> str | None:
        result = function(value if isinstance(value, str) else as_text(value))
        return bounded(result) if result else None

    return lambda _argument: apply


def _truncated(length: int) -> Step:
    return lambda value: as_text(value)[:length].rstrip() or None


def _capitalised(text: str) -> str:
    return re.sub(r"[^\W\d_]+(['’][^\W\d_]+)*", lambda word: word[0].capitalize(), text)  # noqa: RUF001


def _word(position: int) -> Callable[[str], str | None]:
    def choose(text: str) -> str | None:
        words = text.split()
        return words[position] if words else None

    return choose


def _domain(text: str) -> str:
    match = _EMAIL.fullmatch(text.strip())
    if match is None:
        raise Unusable("not an e-mail address")
    return match[1].lower()


def _decimal(value: object) -> Decimal:
    text = as_text(value).strip()
    if not _NUMBER.fullmatch(text):
        raise Unusable("not a number")
    return Decimal(text)


def _plain_number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _number(value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if abs(value) < float("inf") else _plain_number(_decimal(value))
    return _plain_number(_decimal(value))


def _integer(value: object) -> int:
    number = _decimal(_number(value))
    if number != number.to_integral_value():
        raise Unusable("not a whole number; `round` it first")
    return int(number)


def _rounded(places: int) -> Step:
    step = Decimal(1).scaleb(-places)

    def apply(value: object) -> int | float:
        number = _decimal(_number(value))
        whole = number.adjusted() >= _NO_FRACTION_FROM
        return _plain_number(number if whole else number.quantize(step, ROUND_HALF_UP))

    return apply


def _boolean(value: object) -> bool:
    text = as_text(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise Unusable("neither true nor false")


def _items(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise Unusable("not a list")
    if len(value) > MAX_LIST:
        raise Unusable(f"a list of more than {MAX_LIST:,} items")
    return list(value)


def _joined(separator: str) -> Step:
    return lambda value: bounded(separator.join(as_text(item) for item in _items(value)))


def _parts(separator: str) -> Step:
    def apply(value: object) -> list[object]:
        parts = bounded(as_text(value)).split(separator, MAX_LIST)
        return _items([part.strip() for part in parts if part.strip()])

    return apply


def _always(step: Step) -> Callable[[Any], Step]:
    return lambda _argument: step


_DEFINED: Final = (
    Transform("trim", "removes spaces at both ends", _WRITABLE, Kind.TEXT, _on_text(str.strip)),
    Transform("lower", "makes lower case", _WRITABLE, Kind.TEXT, _on_text(str.lower)),
    Transform("upper", "makes upper case", _WRITABLE, Kind.TEXT, _on_text(str.upper)),
    Transform(
        "title", "capitalises each word: `ada o'neil` → `Ada O'neil`",
        _WRITABLE, Kind.TEXT, _on_text(_capitalised),
    ),
    Transform(
        "truncate", "keeps the first characters", _WRITABLE, Kind.TEXT, _truncated,
        Parameter(int, 1, MAX_TEXT),
    ),
    Transform(
        "digits", "keeps only 0-9: `+49 (30) 12` → `493012`", _WRITABLE, Kind.TEXT,
        _on_text(lambda text: re.sub(r"[^0-9]", "", text)),
    ),
    Transform("first_word", "keeps the first word", _WRITABLE, Kind.TEXT, _on_text(_word(0))),
    Transform("last_word", "keeps the last word", _WRITABLE, Kind.TEXT, _on_text(_word(-1))),
    Transform(
        "domain", "takes the domain of an e-mail address, in lower case",
        frozenset({Kind.TEXT, Kind.ANY}), Kind.TEXT, _on_text(_domain),
    ),
    Transform(
        "text", "writes a number, boolean, date or list as text", _ALL, Kind.TEXT,
        _on_text(lambda text: text),
    ),
    Transform(
        "number", "reads text such as `12.50` as a number", _WRITABLE, Kind.NUMBER,
        _always(_number),
    ),
    Transform(
        "integer", "reads a whole number; anything else is refused", _WRITABLE, Kind.NUMBER,
        _always(_integer),
    ),
    Transform(
        "round", "rounds to so many decimal places, halves away from zero",
        frozenset({Kind.NUMBER, Kind.ANY}), Kind.NUMBER, _rounded, Parameter(int, 0, 10, 0),
    ),
    Transform(
        "boolean", "reads true/yes/y/on/1 and false/no/n/off/0, in any letter case",
        frozenset({Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.ANY}), Kind.BOOLEAN,
        _always(_boolean),
    ),
    Transform(
        "yes_no", "reads a boolean like `boolean` and gives `Yes` or `No`",
        frozenset({Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.ANY}), Kind.TEXT,
        _always(lambda value: "Yes" if _boolean(value) else "No"),
    ),
    Transform(
        "date", "gives the day in UTC, `2026-01-31`; reads times, ISO 8601 and counts since 1970",
        frozenset({Kind.MOMENT, Kind.TEXT, Kind.NUMBER, Kind.ANY}), Kind.MOMENT,
        _always(lambda value: moment_text(as_moment(value))[:10]),
    ),
    Transform(
        "datetime", "gives the instant in UTC, `2026-01-31T12:00:00.000Z`; reads what `date` does",
        frozenset({Kind.MOMENT, Kind.TEXT, Kind.NUMBER, Kind.ANY}), Kind.MOMENT,
        _always(lambda value: moment_text(as_moment(value))),
    ),
    Transform(
        "join", "joins a list into text", frozenset({Kind.LIST, Kind.ANY}), Kind.TEXT, _joined,
        Parameter(str, 0, 20, ", "),
    ),
    Transform(
        "split", "splits text into a list without empty parts", _WRITABLE, Kind.LIST, _parts,
        Parameter(str, 1, 20, ","),
    ),
    Transform(
        "first", "takes the first item of a list", frozenset({Kind.LIST, Kind.ANY}), Kind.ANY,
        _always(lambda value: next(iter(_items(value)), None)),
    ),
)  # fmt: skip

TRANSFORMS: Final[Mapping[str, Transform]] = {t.name: t for t in _DEFINED}
"""Every transform, by name."""
