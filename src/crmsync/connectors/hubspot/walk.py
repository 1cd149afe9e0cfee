"""One pull of one object type: first what was archived, then what changed, page by page.

What was archived is only to be had as the full list of the last 90 days, so it is asked for as
seldom as it is long: every page of it costs a minute. Whoever begins from nothing does without it:
the next pull lists it. Everything else is a search.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crmsync.connectors.hubspot.api import Api, answered_ms, following, shape_of
from crmsync.connectors.hubspot.search import (
    BEGINNING,
    OVERLAP_MS,
    Place,
    fits,
    next_place,
    query,
)
from crmsync.connectors.hubspot.values import milliseconds, moment
from crmsync.connectors.hubspot.wire import crm_id_of
from crmsync.connectors.paging import Pages
from crmsync.errors import Unavailable
from crmsync.model import CrmId

LIST_RECORDS = 100
"""Of a page of a list: developers.hubspot.com, "CRM API | Object APIs", read 2026-10."""
LIST_EVERY_MS = 15 * 60 * 1000
"""How often what was archived is listed, at most."""
PAGE_COSTS_MS = 60 * 1000
"""How much longer for each page: no more than one call a minute goes into it."""

Entry = Mapping[str, Any]
"""A record as HubSpot writes it; `archived` says whether it is gone."""
_LONGEST = Place(since_ms=10**13, after_id=10**13)
"""As many digits as there can be."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the pulls of an object type have come; its text is what `sync` keeps."""

    place: Place = BEGINNING
    archived_ms: int = 0
    """Whatever was archived earlier has been listed."""
    list_at_ms: int = 0
    """When to list it again."""

    def __str__(self) -> str:
        """Give its text."""
        return f"{self.place};{self.archived_ms};{self.list_at_ms}"

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Return the cursor of a text; the first one where there is none."""
        if text is None:
            return cls()
        place, archived_ms, list_at_ms = text.split(";")
        return cls(Place.read(place), int(archived_ms), int(list_at_ms))


class Walk:
    """One pull of one object type."""

    def __init__(
        self,
        api: Api,
        object_type: str,
        cursor: str | None,
        properties: Sequence[str],
        read: Callable[[Sequence[CrmId]], Mapping[str, Entry]],
    ) -> None:
        """Begin at a cursor; `properties` are shown of what changed, not of what was archived.

        `read` returns them by id, where they are too many to be named in a search.
        """
        self._api = api
        self._read = read
        self._type = object_type
        self._goes_on = cursor is not None
        self._given = cursor or str(Cursor())
        self._begin = Cursor.read(self._given)
        self._properties = properties

    def pages(self) -> Iterator[tuple[list[Entry], str]]:
        """Yield what was archived, where it is time to ask, and what changed, each at least once.

        With each page the cursor to go on from. The index shows changes some seconds late.
        """
        place: Place | None = self._begin.place
        begun_ms, cursor = None, self._begin
        is_long = not fits(query(self._type, _LONGEST, self._properties))
        asked = [] if is_long else self._properties
        while place is not None:
            answer, payload = self._api.search(self._type, query(self._type, place, asked))
            if begun_ms is None:
                begun_ms = answered_ms(answer)
                if self._goes_on and begun_ms >= cursor.list_at_ms:
                    cursor = yield from self._archived(begun_ms)
            before = place
            with shape_of(answer):
                place, reached = next_place(self._type, before, payload, asked)
                entries = list(payload["results"])
                ids = [crm_id_of(entry) for entry in entries]
            if place is not None and place.progress <= before.progress:
                raise Unavailable(f"{answer.what}: HubSpot answers the same changes over and over")
            if is_long:
                found = self._read(ids)
                # What is not there any more will be among the archived.
                entries = [found[crm_id] for crm_id in ids if crm_id in found]
            if entries:
                yield entries, str(replace(cursor, place=reached.kept(begun_ms)))

    def _archived(self, now_ms: int) -> Generator[tuple[list[Entry], str], None, Cursor]:
        """Yield what was archived since it was last listed; return the cursor that says so."""
        since_ms = self._begin.archived_ms - OVERLAP_MS
        path = self._api.objects(self._type)
        params = {"archived": "true", "limit": str(LIST_RECORDS), "properties": "hs_object_id"}
        pages, cost_ms = Pages(f"GET {path}"), 0
        after: str | None = ""
        while after is not None:
            page = params | {"after": after} if after else params
            answer, payload = self._api.get(path, page, object_type=self._type)
            cost_ms += PAGE_COSTS_MS
            with shape_of(answer):
                listed, after = payload["results"], following(payload)
                entries = [entry for entry in listed if _archived_ms(entry, now_ms) >= since_ms]
            if entries:
                # Until the whole list was seen, a cursor leads back to its beginning.
                yield entries, self._given
            pages.turn(after, len(listed))
        return replace(self._begin, archived_ms=now_ms, list_at_ms=now_ms + LIST_EVERY_MS + cost_ms)


def _archived_ms(entry: Entry, now_ms: int) -> int:
    """Return when a record was archived: just now, where HubSpot does not say."""
    at = entry.get("archivedAt")
    return milliseconds(moment(at)) if at else now_ms
