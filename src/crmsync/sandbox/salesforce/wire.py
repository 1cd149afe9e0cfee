"""How Salesforce writes ids, times and the addresses of records."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_INSTANCE = "5e"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SHORT = 15


def make_id(prefix: str, number: int) -> str:
    """Return the 18 characters of an object's numbered id."""
    digits = ""
    while number:
        number, place = divmod(number, len(_DIGITS))
        digits = _DIGITS[place] + digits
    return with_suffix(f"{prefix}{_INSTANCE}{digits.rjust(_SHORT - 5, '0')}")


def with_suffix(short: str) -> str:
    """Add the three characters that let 15 be told apart without their case."""
    suffix = ""
    for start in (0, 5, 10):
        chunk = short[start : start + 5]
        suffix += _SUFFIXES[sum(1 << place for place, c in enumerate(chunk) if "A" <= c <= "Z")]
    return short + suffix


def full_id(text: str) -> str | None:
    """Return an id given in 15 or 18 characters as 18; None where it is no id."""
    if not _ID.fullmatch(text):
        return None
    full = with_suffix(text[:_SHORT])
    return full if text in (full, full[:_SHORT]) else None


@functools.lru_cache(maxsize=4096)
def stamp(seconds: int) -> str:
    """Write a time: in UTC, to the second in effect, its offset without a colon."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@functools.lru_cache(maxsize=65_536)
def moment(text: str) -> str | None:
    """Read a time in ISO 8601 and write it as Salesforce does; None where it is none.

    One without a zone is taken as UTC. A date alone is not a time.
    """
    if _DATE.fullmatch(text):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    return read.strftime("%Y-%m-%dT%H:%M:%S.") + f"{read.microsecond // 1000:03}+0000"


def day(text: str) -> str | None:
    """Read a date; None where it is none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def record_url(version: str, object_type: str, record_id: str) -> str:
    """Return the address of a record, without its host."""
    return f"/services/data/v{version}/sobjects/{object_type}/{record_id}"


ORGANIZATION_ID = make_id("00D", 1)
API_USER_ID = make_id("005", 1)
"""The user every token stands for; the first one of the org."""
PERSON_ID = make_id("005", 2)
"""The user in whose name the control API writes; the second one of the org."""
