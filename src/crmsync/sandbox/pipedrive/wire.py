"""How Pipedrive writes times, and the names of its object types."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime

OBJECT_TYPES = ("persons", "organizations", "deals")
SINGULAR = {"persons": "person", "organizations": "organization", "deals": "deal"}

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@functools.lru_cache(maxsize=4096)
def rfc3339(seconds: int) -> str:
    """Write a time as v2 does, in whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spaced(seconds: int) -> str:
    """Write a time as v1 does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def parse_rfc3339(text: str) -> int | None:
    """Read a time in UTC without a fraction; None for anything else."""
    return _seconds(text) if _RFC3339.fullmatch(text) else None


def parse_spaced(text: str) -> int | None:
    """Read a time written as v1 does; None for anything else."""
    return _seconds(text) if _SPACED.fullmatch(text) else None


def is_day(text: str) -> bool:
    """Say whether a text is a day of the calendar, written `YYYY-MM-DD`."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _seconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=UTC).timestamp())
