"""How HubSpot writes times, object types and paths."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime

TYPE_IDS = {"contacts": "0-1", "companies": "0-2", "deals": "0-3"}

_TYPE_NAMES = {
    **{name: name for name in TYPE_IDS},
    **{type_id: name for name, type_id in TYPE_IDS.items()},
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
}

KINDS = {"contacts": "CONTACT", "companies": "COMPANY", "deals": "DEAL"}
SINGULAR = {"contacts": "contact", "companies": "company", "deals": "deal"}

_DATED = re.compile(r"20\d\d-(?:03|09)")
_V4_OBJECTS = re.compile(r"/crm/objects/20\d\d-0[39]/[^/]+/[^/]+/associations(?:/|$)")


def object_type(name: str) -> str | None:
    """Return the plural name of an object type named in any of the accepted ways."""
    return _TYPE_NAMES.get(name) or _TYPE_NAMES.get(name.lower())


@functools.lru_cache(maxsize=4096)
def iso(milliseconds: int) -> str:
    """Write a time; one of zero milliseconds without a fraction, as HubSpot does."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    precision = "milliseconds" if milliseconds % 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


@functools.lru_cache(maxsize=65_536)
def epoch(text: str) -> int | None:
    """Read a time written in ISO 8601 or as epoch milliseconds; None where it is neither."""
    if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def semantic_path(path: str) -> str:
    """Return the v3/v4 path of which a date-based path is the other spelling."""
    parts = path.split("/")
    dated = [place for place, part in enumerate(parts) if _DATED.fullmatch(part)]
    if not dated:
        return path
    place = dated[0]
    if parts[1] == "oauth":
        parts[place] = "v3"
        return "/".join(parts)
    v4 = parts[2] == "associations" or _V4_OBJECTS.match(path)
    return "/".join([*parts[:2], "v4" if v4 else "v3", parts[2], *parts[place + 1 :]])
