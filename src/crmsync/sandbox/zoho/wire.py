"""How Zoho writes times."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from crmsync.sandbox.limits import time_zone

_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


def zone(name: str) -> tzinfo:
    """Return a time zone by IANA name or fixed offset; `ValueError` where there is none such."""
    match = _OFFSET.fullmatch(name)
    if match is None:
        return time_zone(name)
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=minutes if match[1] == "+" else -minutes))


@functools.lru_cache(maxsize=4096)
def iso(seconds: int, where: tzinfo) -> str:
    """Write a moment with the offset that holds there then, `2024-07-16T15:01:02+05:30`."""
    return datetime.fromtimestamp(seconds, where).isoformat()


@functools.lru_cache(maxsize=65_536)
def epoch(text: str, where: tzinfo = UTC) -> int | None:
    """Read a moment, in this zone where it names none; None where it is not one."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=where)
    return int(moment.timestamp())
