"""How a value of each property type is checked and rewritten before it is kept.

One function per type: text in, the text HubSpot would give back out, or `Invalid` with the code and
words that go into the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from datetime import UTC, date, datetime
from decimal import Decimal

from crmsync.sandbox.hubspot.wire import epoch, iso

Check = Callable[[str], str]

MAX_TEXT_LENGTH = 65_536
_DAY_MILLISECONDS = 86_400_000

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EMAIL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9-]+\.)+[a-z]{2,}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Invalid(Exception):
    """A value is refused."""

    def __init__(self, code: str, message: str) -> None:
        """Take HubSpot's code and words."""
        super().__init__(message)
        self.code = code
        self.message = message


def text(value: str) -> str:
    """Take any text that is not too long. The code of the refusal is not confirmed."""
    if len(value) > MAX_TEXT_LENGTH:
        raise Invalid("INVALID_LENGTH", f"The value is longer than {MAX_TEXT_LENGTH} characters.")
    return value


def email(value: str) -> str:
    """Take an address; keep it in lower case."""
    address = value.strip().lower()
    if not _EMAIL.fullmatch(address) or ".." in address:
        raise Invalid("INVALID_EMAIL", f"Email address {value} is invalid")
    return address


def emails(value: str) -> str:
    """Take addresses joined by semicolons."""
    return ";".join(dict.fromkeys(email(part) for part in value.split(";") if part.strip()))


def number(value: str) -> str:
    """Take a decimal number; keep it without exponent, sign plus or idle zeros."""
    if value.isascii() and value.isdigit() and value[0] != "0":
        return value
    trimmed = value.strip()
    if not _NUMBER.fullmatch(trimmed):
        raise Invalid("INVALID_INTEGER", f"{value} was not a valid number.")
    plain = format(Decimal(trimmed), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def boolean(value: str) -> str:
    """Take `true` or `false`."""
    if value in ("true", "false"):
        return value
    raise Invalid("INVALID_OPTION", f"{value} was not one of the allowed options: [true, false]")


def day(value: str) -> str:
    """Take a date, or a moment that is exactly midnight UTC; keep it as a date."""
    if _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise Invalid("INVALID_DATE", f"{value} is not a valid date.") from None
    milliseconds = epoch(value)
    if milliseconds is None:
        raise Invalid("INVALID_LONG", f"{value} was not a valid long.")
    if milliseconds % _DAY_MILLISECONDS:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        raise Invalid("INVALID_DATE", f"{value} is at {at:%H:%M:%S} UTC, not midnight!")
    return iso(milliseconds)[:10]


def moment(value: str) -> str:
    """Take a moment with a time zone, or epoch milliseconds; keep it in UTC."""
    zoned = (
        value.endswith("Z") or "+" in value or value.lstrip("-").isdigit() or _DATE.fullmatch(value)
    )
    milliseconds = epoch(value) if zoned or value.count("-") > 2 else None  # noqa: PLR2004 - "...-05:00"
    if milliseconds is None:
        raise Invalid("INVALID_LONG", f"{value} was not a valid long.")
    return iso(milliseconds)


def option(allowed: Container[str], listing: Callable[[], str]) -> Check:
    """Make a check for one value out of some."""

    def check(value: str) -> str:
        if value not in allowed:
            raise Invalid(
                "INVALID_OPTION", f"{value} was not one of the allowed options: [{listing()}]"
            )
        return value

    return check


def options(allowed: Container[str], listing: Callable[[], str]) -> Check:
    """Make a check for values out of some, joined by semicolons."""
    one = option(allowed, listing)

    def check(value: str) -> str:
        return ";".join(dict.fromkeys(one(part) for part in value.split(";") if part))

    return check


def read_only(name: str) -> Check:
    """Make a check that refuses everything."""

    def check(_value: str) -> str:
        raise Invalid(
            "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
        )

    return check
