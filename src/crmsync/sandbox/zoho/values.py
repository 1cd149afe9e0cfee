"""How a value of each data type is checked before it is kept.

One function per type: what JSON says in, what Zoho keeps out, None for what clears the field, or
`Invalid` with the members of the answer's `details`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from datetime import date, tzinfo

from crmsync.sandbox.http import Json
from crmsync.sandbox.zoho.wire import epoch, iso

Check = Callable[[Json], Json]

NONE = "-None-"
"""The option that says nothing was chosen."""

_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_PHONE = re.compile(r"\+?[0-9A-Za-z()./;,#* -]*[0-9][0-9A-Za-z()./;,#* -]*")
_WEBSITE = re.compile(r"(?:https?://|ftp://)?(?:[^\s/@.]+\.)+[^\s/@.]{2,}(?:[/?#:]\S*)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
_INTEGER_DIGITS = 9
_BIGINT_DIGITS = 18


class Invalid(Exception):
    """A value is refused."""

    def __init__(self, **details: Json) -> None:
        """Take what the answer says about it."""
        super().__init__("invalid data")
        self.details = details


def text(kind: str, length: int) -> Check:
    """Make a check for text of a kind that has no pattern; nothing is cut off."""

    def check(value: Json) -> Json:
        if type(value) is not str:
            raise Invalid(expected_data_type=kind)
        if len(value) > length:
            raise Invalid(maximum_length=length)
        return value or None

    return check


def patterned(kind: str, length: int) -> Check:
    """Make a check for an e-mail address, a telephone number or the address of a website."""
    pattern = {"email": _EMAIL, "phone": _PHONE, "website": _WEBSITE}[kind]
    plain = text(kind, length)

    def check(value: Json) -> Json:
        kept = plain(value)
        if kept is not None and not pattern.fullmatch(kept):
            raise Invalid(expected_data_type=kind)
        return kept

    return check


def integer(kind: str, length: int) -> Check:
    """Make a check for whole numbers; a long one is kept as text."""
    digits = min(length, _BIGINT_DIGITS if kind == "bigint" else _INTEGER_DIGITS)

    def check(value: Json) -> Json:
        plain = type(value) is int
        if not plain and not (kind == "bigint" and type(value) is str and _WHOLE.fullmatch(value)):
            raise Invalid(expected_data_type=kind)
        if len(str(value).lstrip("-")) > digits:
            raise Invalid(maximum_length=digits)
        return str(value) if kind == "bigint" else value

    return check


def number(kind: str, length: int, decimal_place: int) -> Check:
    """Make a check for numbers with decimals, rounded to their places."""

    def check(value: Json) -> Json:
        if type(value) not in (int, float):
            raise Invalid(expected_data_type=kind)
        if len(str(abs(int(value)))) > length:
            raise Invalid(maximum_length=length)
        return round(value, decimal_place)

    return check


def boolean(value: Json) -> Json:
    """Take true or false."""
    if type(value) is not bool:
        raise Invalid(expected_data_type="boolean")
    return value


def day(value: Json) -> Json:
    """Take a date, `2024-07-16`."""
    try:
        if type(value) is str and _DATE.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise Invalid(expected_data_type="date")


def moment(zone: tzinfo, *, zulu: bool) -> Check:
    """Make a check for moments with an offset; kept with the organisation's own."""

    def check(value: Json) -> Json:
        offset = type(value) is str and value[19:20] in ("+", "-", "Z" if zulu else "+")
        seconds = epoch(value) if offset else None
        if seconds is None:
            raise Invalid(expected_data_type="datetime")
        return iso(seconds, zone)

    return check


def option(allowed: Container[str] | None, length: int) -> Check:
    """Make a check for one value out of some; out of any where None are named."""
    plain = text("picklist", length)

    def check(value: Json) -> Json:
        kept = plain(value)
        if kept is not None and kept != NONE and allowed is not None and kept not in allowed:
            raise Invalid(expected_data_type="picklist")
        return kept

    return check


def options(allowed: Container[str] | None, length: int) -> Check:
    """Make a check for a list of values out of some."""
    one = option(allowed, length)

    def check(value: Json) -> Json:
        if type(value) is not list:
            raise Invalid(expected_data_type="jsonarray")
        return list(dict.fromkeys(kept for kept in map(one, value) if kept is not None)) or None

    return check
