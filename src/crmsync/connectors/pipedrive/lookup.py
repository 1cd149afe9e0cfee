"""Finding records by the value of a field, where nothing is unique and search is seconds behind.

Two ways, by what they cost in tokens:

- *the index*: all records are listed once, 500 for 10 tokens, and the values of the key fields
  kept here with the ids that have them. A later look-up only lists what has changed since.
- *search*: 20 tokens a value, after a list of what has changed lately and search may not know.

The records are listed as far as searching would have cost as much by now, so that at most twice the
cheaper of the two is ever spent; a list that is not finished goes on with the next look-up. What
index or search say is confirmed by reading those records fresh. Where several have a value, the
lowest id is taken.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmsync.connectors.paging import Pages
from crmsync.connectors.pipedrive.calls import PAGE_RECORDS, Calls, Entry, list_cost
from crmsync.connectors.pipedrive.limits import SEARCH
from crmsync.connectors.pipedrive.objects import Field, Form, ObjectType
from crmsync.connectors.pipedrive.wire import value_in, whole_seconds
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import Timing

MAX_ENTRIES = 200_000
"""Values kept of one object type: 29 MB where measured (2026-11). Past that there is search."""
MARGIN_SECONDS = 60.0
"""How long after the settle time a change may still be unknown to search or missing in a list."""


class LookUp:
    """Look-ups of one object type. Safe to use from many threads, which share one index."""

    def __init__(self, calls: Calls, kind: ObjectType, timing: Timing) -> None:
        """Begin without an index."""
        self._calls = calls
        self._kind = kind
        self._overlap = timedelta(seconds=timing.settle_seconds + MARGIN_SECONDS)
        self._listing_seconds = timing.lease_seconds / 4
        self._fresh_seconds = timing.freshness_seconds
        """How old a list may be to be taken for present, where nothing was created since: looking
        by a second key costs no second list. It is little of the settle time, by which a create
        that may still land is waited for."""
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._too_large = False
        self._budget = 0
        """Tokens that searching would have cost so far, less those spent on listing."""

    def outdate(self) -> None:
        """Note that a record may have been made just now."""
        index = self._index
        if index is not None:
            index.listed_at = -math.inf

    def find(self, field: Field, values: Iterable[str]) -> dict[str, Entry]:
        """Return the live record of each value that one has, by the value in lower case.

        Raises ConfigError for a field that records cannot be found by, and as `Calls` does.
        """
        area = self._area(field)
        wanted = {fold(value) for value in values} - {""}
        if not wanted:
            return {}
        found = _Found(field, wanted)
        ids = self._from_index(found)
        if ids is None:
            ids = self._from_search(found, area)
        for entry in self._calls.entries(self._kind.paths, sorted(ids - found.seen, key=int)):
            found.take(entry)
        return found.lowest()

    # --- the index --------------------------------------------------------------------------

    def _from_index(self, found: _Found) -> set[str] | None:
        """Return the ids that may have the values; None where there is no whole index."""
        with self._lock:
            if self._too_large:
                return None
            self._budget += SEARCH * len(found.wanted)
            index = self._index_of(found.field)
            if not index.is_whole:
                self._list_on(index, found)
            if index.is_whole:
                self._refresh(index, found)
            if len(index) > MAX_ENTRIES:
                self._index, self._too_large = None, True
                return None
            return index.ids(found.field, found.wanted) if index.is_whole else None

    def _index_of(self, field: Field) -> Index:
        """Return the index; begun anew where it does not know this field."""
        if self._index is None or not self._index.knows(field):
            before = self._index.fields if self._index else ()
            self._index = Index([*before, field], self._kind, self._calls.now())
        return self._index

    def _list_on(self, index: Index, found: _Found) -> None:
        """List all records page by page, as far as money and time go."""
        give_up_at = time.monotonic() + self._listing_seconds
        while not index.is_whole and time.monotonic() < give_up_at:
            path = index.waiting[0]
            if self._budget < list_cost(path):
                return
            self._budget -= list_cost(path)
            params = {"limit": str(PAGE_RECORDS), "sort_by": "id"}
            try:
                entries, cursor = self._calls.page(path, params, index.cursor)
            except BatchRejected:
                # A cursor may be too old to go on from.
                self._index = None
                raise
            try:
                if cursor is not None:
                    index.pages.turn(cursor, len(entries))
            except Unavailable:
                self._index = None
                raise
            index.cursor = cursor
            if cursor is None:
                index.waiting.pop(0)
            for entry in entries:
                index.add(entry)
                found.take(entry)
            if len(index) > MAX_ENTRIES:
                return

    def _refresh(self, index: Index, found: _Found) -> None:
        """List what has changed since the index was last brought up to date."""
        if time.monotonic() - index.listed_at < self._fresh_seconds:
            return
        now, listed_at = self._calls.now(), time.monotonic()
        for entry in self._changed_since(index.watermark - self._overlap):
            index.add(entry)
            found.take(entry)
        index.watermark, index.listed_at = now, listed_at

    def _changed_since(self, since: datetime) -> Iterator[Entry]:
        params = {
            "updated_since": whole_seconds(since),
            "sort_by": "update_time",
            "sort_direction": "asc",
        }
        for path in self._kind.paths:
            for entries in self._calls.pages(path, params):
                yield from entries

    # --- search -----------------------------------------------------------------------------

    def _from_search(self, found: _Found, area: str) -> set[str]:
        """Return the ids that may have the values, from what is recent and what search knows."""
        for entry in self._changed_since(self._calls.now() - self._overlap):
            found.take(entry)
        path = self._kind.path
        missing = sorted(found.wanted - found.lowest().keys())
        return {crm_id for term in missing for crm_id in self._calls.search(path, area, term)}

    def _area(self, field: Field) -> str:
        """Return what search calls the place where a field's values are."""
        if field.custom and field.form is Form.TEXT and field.writable:
            return "custom_fields"
        if not field.custom and field.name in self._kind.search_areas:
            return self._kind.search_areas[field.name]
        known = ", ".join([*self._kind.search_areas, "a custom text or phone number"])
        raise ConfigError(
            f"Pipedrive finds no {self._kind.name} by '{field.label}': match by {known}"
        )


class Index:
    """Which ids have which values of the key fields, as far as records were listed."""

    def __init__(self, fields: Sequence[Field], kind: ObjectType, now: datetime) -> None:
        """Begin empty. People's own key is always kept beside those asked for."""
        natural = [field for field in kind.standard if field.name == kind.natural_key]
        self.fields = tuple({field.name: field for field in [*fields, *natural]}.values())
        self.waiting = list(kind.paths)
        """The lists that are not read to their end."""
        self.cursor: str | None = None
        self.pages = Pages(f"GET {kind.path}")
        self.watermark = now
        """By Pipedrive's clock: what changed before it is known."""
        self.listed_at = time.monotonic()
        self._ids: dict[str, dict[str, str]] = {field.name: {} for field in self.fields}

    def __len__(self) -> int:
        """Return how many values are kept."""
        return sum(len(ids) for ids in self._ids.values())

    @property
    def is_whole(self) -> bool:
        """Whether all records were listed."""
        return not self.waiting

    def knows(self, field: Field) -> bool:
        """Say whether a field's values are kept."""
        return field.name in self._ids

    def add(self, entry: Entry) -> None:
        """Keep the values of a record. Former ones of it stay: they are found to be wrong later."""
        crm_id = str(entry["id"])
        for field in self.fields:
            ids = self._ids[field.name]
            for value in values_of(entry, field):
                held = ids.get(value)
                if held is None:
                    ids[value] = crm_id
                elif crm_id not in held.split():
                    ids[value] = f"{held} {crm_id}"

    def ids(self, field: Field, values: Iterable[str]) -> set[str]:
        """Return the ids that have or had one of these values."""
        ids = self._ids[field.name]
        return {crm_id for value in values for crm_id in ids.get(value, "").split()}


class _Found:
    """The live records that were seen to have one of the values, in this look-up."""

    def __init__(self, field: Field, wanted: set[str]) -> None:
        self.field = field
        self.wanted = wanted
        self.seen: set[str] = set()
        """Ids of records that were read and have one of the values."""
        self._by_value: dict[str, Entry] = {}

    def take(self, entry: Entry) -> None:
        if entry.get("is_deleted"):
            return
        for value in self.wanted.intersection(values_of(entry, self.field)):
            self.seen.add(str(entry["id"]))
            known = self._by_value.get(value)
            if known is None or int(entry["id"]) < int(known["id"]):
                self._by_value[value] = entry

    def lowest(self) -> dict[str, Entry]:
        return self._by_value


def fold(value: object) -> str:
    """Return a value as it is compared."""
    return str(value).strip().lower()


def values_of(entry: Entry, field: Field) -> Iterator[str]:
    """Yield the values of a key field that a record has, as they are compared."""
    held = value_in(entry, field)
    several: Iterable[object] = [held]
    if field.form is Form.CONTACTS:
        several = [one.get("value") for one in held or ()]
    yield from (folded for one in several if one is not None and (folded := fold(one)))


def records_by_key(found: Mapping[str, Entry], values: Sequence[str]) -> list[Entry | None]:
    """Return the record of each value, in order."""
    return [found.get(fold(value)) for value in values]
