"""How single values are checked: those of the API's own keys, and those of custom fields by type.

Each check takes what JSON held and returns what is kept, or raises `Invalid`. Nothing is converted:
a number in a string is none.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Collection
from typing import Any

from crmsync.sandbox.http import Json
from crmsync.sandbox.pipedrive.errors import Invalid
from crmsync.sandbox.pipedrive.fields import Field
from crmsync.sandbox.pipedrive.wire import is_day, parse_rfc3339, parse_spaced, rfc3339

Check = Callable[[Json], Json]
Exists = Callable[[str, int], bool]
"""Whether the company has a `user`, `person`, `organization`, `pipeline` or `stage` with an id."""

MAX_VARCHAR = 255
MAX_TEXT = 65_000
ADDRESS_PARTS = (
    "value", "country", "admin_area_level_1", "admin_area_level_2", "locality", "sublocality",
    "route", "street_number", "subpremise", "postal_code",
)  # fmt: skip

_CURRENCY = re.compile(r"[A-Z]{3}")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)
_ZONE = "Europe/London"
"""The calling user's."""


# --- the API's own keys -------------------------------------------------------------------------


def text(most: int = MAX_VARCHAR, *, empty: bool = True) -> Check:
    """Make a check for text of at most so many characters."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise Invalid("Expected 'string' as value")
        if len(value) > most:
            raise Invalid(f"Expected at most {most} characters, was {len(value)}")
        if not empty and not value.strip():
            raise Invalid("Expected a value that is not empty")
        return value

    return check


def integer(value: object) -> int:
    """Take a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("Expected 'integer' as value")
    return value


def number(value: object) -> int | float:
    """Take a number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Invalid("Expected 'number' as value")
    return value


def boolean(value: object) -> bool:
    """Take true or false, and neither 0 nor 1."""
    if not isinstance(value, bool):
        raise Invalid("Expected 'boolean' as value")
    return value


def one_of(*allowed: str | int) -> Check:
    """Make a check for one value out of some."""

    def check(value: object) -> object:
        if isinstance(value, bool) or value not in allowed:
            raise Invalid(f"Expected one of {', '.join(str(one) for one in allowed)}")
        return value

    return check


def or_null(check: Check) -> Check:
    """Make a check that takes null as well."""
    return lambda value: None if value is None else check(value)


def integers(value: object) -> list[int]:
    """Take a list of whole numbers."""
    if not isinstance(value, list):
        raise Invalid("Expected 'array' as value")
    return [integer(one) for one in value]


def day(value: object) -> str:
    """Take a day."""
    if not isinstance(value, str) or not is_day(value):
        raise Invalid("Expected a date in the format YYYY-MM-DD")
    return value


def moment(value: object) -> str:
    """Take a time in UTC, in whole seconds."""
    if not isinstance(value, str) or parse_rfc3339(value) is None:
        raise Invalid("Expected a time in the format YYYY-MM-DDTHH:MM:SSZ")
    return value


def spaced_moment(value: object) -> str:
    """Take a time in UTC as v1 writes it; keep it as v2 does."""
    seconds = parse_spaced(value) if isinstance(value, str) else None
    if seconds is None:
        raise Invalid("Expected a time in the format YYYY-MM-DD HH:MM:SS")
    return rfc3339(seconds)


def reference(kind: str, exists: Exists) -> Check:
    """Make a check for the id of something the company has."""

    def check(value: object) -> int:
        found = integer(value)
        if not exists(kind, found):
            raise Invalid(f"{kind.capitalize()} with id {found} was not found")
        return found

    return check


def contacts(value: object) -> list[dict[str, Any]]:
    """Take e-mail addresses, phone numbers or messengers; the first is primary where none is."""
    if not isinstance(value, list):
        raise Invalid("Expected 'array' as value")
    taken = []
    for one in value:
        given = _members(one, ("value",), ("primary", "label"))
        taken.append({
            "value": text(empty=False)(given["value"]),
            "primary": boolean(given.get("primary", False)),
            "label": text()(given.get("label", "work")),
        })  # fmt: skip
    primary = sum(one["primary"] for one in taken)
    if primary > 1:
        raise Invalid("Expected at most one item to be primary")
    if taken and not primary:
        taken[0]["primary"] = True
    return taken


def address(value: object) -> dict[str, Any]:
    """Take an address; the parts left out become null."""
    given = _members(value, ("value",), ADDRESS_PARTS)
    check = text()
    return {
        part: check(given[part]) if given.get(part) is not None else None for part in ADDRESS_PARTS
    } | {"value": check(given["value"])}


# --- custom fields ------------------------------------------------------------------------------


def custom(field: Field, value: Json, exists: Exists) -> Json:
    """Return the value of a custom field as it is kept; null clears any, as does empty text."""
    if value is None or (
        value == "" and field.type in ("varchar", "varchar_auto", "text", "phone")
    ):
        return None
    if field.type == "enum":
        return _option(field, value)
    if field.type == "set":
        return _options(field, value)
    kind = _LINKS.get(field.type)
    if kind is not None:
        return reference(kind, exists)(value)
    return _BY_TYPE[field.type](value)


def _option(field: Field, value: object) -> int | str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("Expected 'number' as value")
    if field.option(value) is None:
        raise Invalid(f"Expected the id of an option, not {value}, as value")
    return value


def _options(field: Field, value: object) -> list[int | str]:
    if not isinstance(value, list) or not value:
        raise Invalid("Expected an 'array' that is not empty as value")
    return [_option(field, one) for one in value]


def _monetary(value: object) -> dict[str, Any]:
    given = _members(value, ("value", "currency"), ())
    return {"value": number(given["value"]), "currency": currency(given["currency"])}


def currency(value: object) -> str:
    """Take the code of a currency."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise Invalid("Expected the code of a currency in three capital letters")
    return value


def _daterange(value: object) -> dict[str, Any]:
    given = _members(value, ("value", "until"), ())
    return {"value": day(given["value"]), "until": day(given["until"])}


def _time(value: object) -> dict[str, Any]:
    given = _members(value, ("value",), ("timezone_name",))
    return {"value": _time_of_day(given["value"]), **_zone(given)}


def _timerange(value: object) -> dict[str, Any]:
    given = _members(value, ("value", "until"), ("timezone_name",))
    return {
        "value": _time_of_day(given["value"]),
        "until": _time_of_day(given["until"]),
        **_zone(given),
    }


def _time_of_day(value: object) -> str:
    if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
        raise Invalid("Expected a time in the format HH:MM:SS")
    return value


def _zone(given: dict[str, Any]) -> dict[str, Any]:
    name = text(empty=False)(given.get("timezone_name", _ZONE))
    # Pipedrive numbers the zones; the numbers are its own affair.
    return {"timezone_id": zlib.crc32(name.encode()) % 400 + 1, "timezone_name": name}


def _address(value: object) -> dict[str, Any]:
    kept = address(value)
    return {**kept, "formatted_address": None}


def _members(value: object, required: Collection[str], optional: Collection[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("Expected 'object' as value")
    absent = [name for name in required if value.get(name) is None]
    if absent:
        raise Invalid(f"Parameter '{absent[0]}' is required")
    foreign = [name for name in value if name not in required and name not in optional]
    if foreign:
        raise Invalid(f"Parameter '{foreign[0]}' is not allowed for this request")
    return value


_LINKS = {"user": "user", "org": "organization", "people": "person"}
_BY_TYPE: dict[str, Check] = {
    "varchar": text(),
    "varchar_auto": text(),
    "phone": text(),
    "text": text(MAX_TEXT),
    "double": number,
    "monetary": _monetary,
    "date": day,
    "daterange": _daterange,
    "time": _time,
    "timerange": _timerange,
    "address": _address,
}
