"""Searches: how a pull walks through what changed, and how records are found by any property.

Every query begins at the last time seen and leaves out by id what was seen of that time. Offsets
are not used: a record that changes meanwhile moves to the end, all after it move up by one, and
the first of the next page would be missed; nor could they go past HubSpot's cap of 10,000 results.
Where more records share one millisecond than a query can leave out (a bulk import), they are
walked by id, and the walk goes on at the next millisecond. A `Place` is where a walk stands. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from crmsync.connectors.hubspot.api import following
from crmsync.connectors.hubspot.sdk import standard_type
from crmsync.connectors.hubspot.values import milliseconds, moment

PAGE_RECORDS = 200
BODY_CHARACTERS = 2_900
"""Of a search request: 3,000 are allowed; developers.hubspot.com, "CRM search"."""
LEFT_OUT = 100
"""Ids that a query leaves out at most: as many as one batch writes at one time. HubSpot does not
say how long a list of values may be."""
OVERLAP_MS = 5 * 60 * 1000
"""How far behind a cursor a walk begins: the search index lags by seconds, at times by more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands."""

    since_ms: int
    """Everything that changed earlier has been seen."""
    after_id: int = 0
    """Not 0: of what changed in that very millisecond, ids up to this one have been seen."""
    seen: frozenset[int] = frozenset()
    """Where ids are not walked: those of that very millisecond that have been seen."""

    def __str__(self) -> str:
        """Give what of it is kept in a cursor."""
        return f"{self.since_ms}:{self.after_id}" if self.after_id else str(self.since_ms)

    @classmethod
    def read(cls, text: str) -> Place:
        """Return where to begin again, some minutes earlier unless amid one millisecond."""
        since, _, after_id = text.partition(":")
        if after_id:
            return cls(int(since), int(after_id))
        return cls(max(0, int(since) - OVERLAP_MS))

    def kept(self, begun_ms: int) -> Place:
        """Return how far a cursor may point that is kept of a walk begun at this time.

        The index may have been behind since just before the walk began, and the overlap has to
        reach there, however long the walk took.
        """
        if self.after_id and self.since_ms < begun_ms - OVERLAP_MS:
            return Place(self.since_ms, self.after_id)
        return Place(min(self.since_ms, begun_ms))

    @property
    def progress(self) -> tuple[int, int, int]:
        """What grows with every step of a walk that gets on."""
        return self.since_ms, self.after_id, len(self.seen)


BEGINNING = Place(0)


def modified_field(object_type: str) -> str:
    """Return the property that says when a record last changed."""
    is_contacts = standard_type(object_type) == "contacts"
    return "lastmodifieddate" if is_contacts else "hs_lastmodifieddate"


def query(object_type: str, place: Place, properties: Sequence[str]) -> dict[str, Any]:
    """Return the body of one search."""
    name = modified_field(object_type)
    since = str(place.since_ms)
    if place.after_id:
        filters = [
            {"propertyName": name, "operator": "EQ", "value": since},
            {"propertyName": "hs_object_id", "operator": "GT", "value": str(place.after_id)},
        ]
        order = "hs_object_id"
    else:
        filters, order = [{"propertyName": name, "operator": "GTE", "value": since}], name
        if place.seen:
            ids: Any = [str(number) for number in sorted(place.seen)]
            filters.append({"propertyName": "hs_object_id", "operator": "NOT_IN", "values": ids})
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
        "properties": list(dict.fromkeys([*properties, name])),
        "limit": PAGE_RECORDS,
    }


def fits(body: Mapping[str, Any]) -> bool:
    """Say whether HubSpot takes a search that is so long."""
    return len(orjson.dumps(body)) <= BODY_CHARACTERS


def next_place(
    object_type: str, place: Place, payload: Mapping[str, Any], properties: Sequence[str]
) -> tuple[Place | None, Place]:
    """Return where to search next (None: the end is reached) and how far this page reached.

    Raises LookupError, TypeError, ValueError or AttributeError for an answer of another shape.
    """
    entries = payload["results"]
    has_more = following(payload) is not None
    if not entries:
        ahead = Place(place.since_ms + 1) if place.after_id else None
        return ahead, ahead or place
    if place.after_id:
        reached = Place(place.since_ms, after_id=int(entries[-1]["id"]))
        ahead = reached if has_more else Place(place.since_ms + 1)
    else:
        reached = _seen_to_the_end(object_type, place, entries)
        ahead = reached if has_more else None
        if ahead and not _can_leave_out(object_type, ahead, properties):
            ahead = Place(reached.since_ms, after_id=1)
    return ahead, reached


def _can_leave_out(object_type: str, place: Place, properties: Sequence[str]) -> bool:
    return len(place.seen) <= LEFT_OUT and fits(query(object_type, place, properties))


def _seen_to_the_end(object_type: str, place: Place, entries: Sequence[Mapping[str, Any]]) -> Place:
    """Return the last time of a page, and the ids seen of that time."""
    name = modified_field(object_type)
    times = [milliseconds(moment(entry["properties"][name])) for entry in entries]
    last_ms = times[-1]
    seen = {int(e["id"]) for e, at in zip(entries, times, strict=True) if at == last_ms}
    return Place(last_ms, seen=frozenset(seen | place.seen if last_ms == place.since_ms else seen))


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
