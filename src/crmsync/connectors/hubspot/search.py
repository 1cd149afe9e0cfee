"""Searches: how a pull walks through what changed, and how records are found by any property.

A walk goes past the cap of 10,000 results per query.

Pages of one query go by offset. Before the offset reaches the cap, a new query starts at the last
time seen; where more records than the cap share that very millisecond (a bulk import), they are
walked by id instead, and the walk goes on at the next millisecond. A `Place` is where a walk
stands; its text is the cursor that `sync` keeps. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from crmsync.connectors.hubspot.sdk import standard_type
from crmsync.connectors.hubspot.wire import milliseconds, moment

PAGE_RECORDS = 200
CAP = 10_000
"""Results of one query that can be paged through; developers.hubspot.com, "CRM search"."""
OVERLAP_MS = 5 * 60 * 1000
"""How far behind a cursor a walk begins: the search index lags by seconds, at times by more."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a walk stands."""

    since_ms: int
    """Everything that changed earlier has been seen."""
    after_id: int = 0
    """Not 0: of what changed in that very millisecond, ids up to this one have been seen."""
    offset: int = 0
    """Within the present query; not part of the cursor."""

    def __str__(self) -> str:
        """Give the cursor."""
        return f"{self.since_ms}:{self.after_id}" if self.after_id else str(self.since_ms)

    @classmethod
    def read(cls, cursor: str) -> Place:
        """Return where to begin again, some minutes earlier unless amid one millisecond."""
        since, _, after_id = cursor.partition(":")
        if after_id:
            return cls(int(since), int(after_id))
        return cls(max(0, int(since) - OVERLAP_MS))


BEGINNING = Place(0)
BODY_CHARACTERS = 2_900
"""Of a search request: 3,000 are allowed; developers.hubspot.com, "CRM search"."""


def modified_field(object_type: str) -> str:
    """Return the property that says when a record last changed."""
    is_contacts = standard_type(object_type) == "contacts"
    return "lastmodifieddate" if is_contacts else "hs_lastmodifieddate"


def query(object_type: str, place: Place, fields: Sequence[str]) -> dict[str, Any]:
    """Return the body of one search."""
    name = modified_field(object_type)
    if place.after_id:
        filters = [_filter(name, "EQ", place.since_ms)]
        filters.append(_filter("hs_object_id", "GT", place.after_id))
        order = "hs_object_id"
    else:
        filters, order = [_filter(name, "GTE", place.since_ms)], name
    body: dict[str, Any] = {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
        "properties": list(dict.fromkeys([*fields, name])),
        "limit": PAGE_RECORDS,
    }
    return body | {"after": str(place.offset)} if place.offset else body


def lookups(name: str, values: Sequence[str], fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the searches that find records by a property, as many values in each as fit."""
    properties = list(dict.fromkeys([*fields, name]))
    waiting = sorted({value.strip().lower() for value in values})
    while waiting:
        room = BODY_CHARACTERS - len(orjson.dumps(_lookup(name, [], properties)))
        taken = 0
        while taken < len(waiting):
            # A value costs its JSON text and a comma; one that fits nowhere goes alone.
            room -= len(orjson.dumps(waiting[taken])) + 1
            if room < 0 and taken:
                break
            taken += 1
        yield _lookup(name, waiting[:taken], properties)
        waiting = waiting[taken:]


def _lookup(name: str, values: Sequence[str], properties: Sequence[str]) -> dict[str, Any]:
    return {
        # IN wants lower-case values (hubspot.com, "CRM search").
        "filterGroups": [
            {"filters": [{"propertyName": name, "operator": "IN", "values": list(values)}]}
        ],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": list(properties),
        "limit": PAGE_RECORDS,
    }


def next_place(
    object_type: str, place: Place, payload: Mapping[str, Any]
) -> tuple[Place | None, Place]:
    """Return where to search next (None: the end is reached) and how far this page reached.

    Raises LookupError, TypeError or ValueError for an answer of another shape, or one by which the
    walk would not get on.
    """
    following, reached = _following(object_type, place, payload)
    if following is not None and following <= place:
        raise ValueError("the walk does not get on")
    return following, reached


def _following(
    object_type: str, place: Place, payload: Mapping[str, Any]
) -> tuple[Place | None, Place]:
    entries = payload["results"]
    more = (payload.get("paging") or {}).get("next")
    if place.after_id:
        return _next_by_id(place, entries)
    if not entries:
        return None, replace(place, offset=0)
    last_ms = milliseconds(moment(entries[-1]["properties"][modified_field(object_type)]))
    reached = Place(last_ms)
    if not more:
        return None, reached
    offset = int(more["after"])
    if offset + PAGE_RECORDS <= CAP:
        return replace(place, offset=offset), reached
    if last_ms > place.since_ms:
        return reached, reached
    return Place(last_ms, after_id=1), reached


def _next_by_id(place: Place, entries: Sequence[Mapping[str, Any]]) -> tuple[Place, Place]:
    """Walk on within one millisecond; an empty page ends it."""
    if not entries:
        after = Place(place.since_ms + 1)
        return after, after
    here = Place(place.since_ms, after_id=int(entries[-1]["id"]))
    return here, here


def _filter(name: str, operator: str, value: int) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": str(value)}
