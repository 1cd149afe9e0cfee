"""The records of one object type: kept, found and listed in the API's three orders.

Nothing here knows HTTP or checks values. Times are whole seconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from crmsync.sandbox.pipedrive.schemas import Values

PURGE_SECONDS = 30 * 86_400
"""How long a deleted record is kept."""

SortBy = Literal["id", "update_time", "add_time"]
Position = tuple[int, int]
"""The value sorted by, and the id."""
Source = Literal["api", "app"]
"""Who wrote: a program, or somebody in Pipedrive's own pages."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write as the history keeps it; custom fields as `custom_fields.<code>`."""

    at: int
    source: Source
    changes: Values


@dataclass(slots=True, eq=False)
class Record:
    """One record. What it holds is replaced by a write, never changed: others may hold on to it."""

    id: int
    created: int
    updated: int
    values: Values
    """Under the API's own keys."""
    custom: Values
    """By field code; without those that are empty."""
    deleted: int | None = None
    merged_into: int | None = None
    history: list[Write] = field(default_factory=list)


class Records:
    """All records of one object type in one company."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_id: dict[int, Record] = {}
        self._last_id = 0
        self._in_order: list[Position] = []
        """Of all ids."""
        self._updates: list[Position] = []
        """Of all updates ever, also those since outdated."""

    # --- finding ----------------------------------------------------------------------------

    def find(self, record_id: int) -> Record | None:
        """Return a record that is not deleted."""
        record = self._by_id.get(record_id)
        return record if record is not None and record.deleted is None else None

    def find_deleted(self, record_id: int, now: int) -> Record | None:
        """Return a record that is deleted and not yet purged."""
        record = self._by_id.get(record_id)
        if record is None or record.deleted is None or record.deleted + PURGE_SECONDS <= now:
            return None
        return record

    def every(self) -> Iterator[Record]:
        """Yield all records, deleted and purged ones too, lowest id first."""
        return iter(self._by_id.values())

    def count(self) -> int:
        """Return the number of records that are not deleted."""
        return sum(1 for record in self._by_id.values() if record.deleted is None)

    def listed(
        self,
        sort_by: SortBy,
        after: Position | None,
        *,
        descending: bool,
        among: Collection[int] | None = None,
    ) -> Iterator[tuple[Position, Record]]:
        """Yield records, deleted ones too, with their positions, behind a position."""
        order = self._order(sort_by, among)
        if descending:
            end = len(order) if after is None else bisect_left(order, after)
            places = range(end - 1, -1, -1)
        else:
            places = range(0 if after is None else bisect_right(order, after), len(order))
        for place in places:
            position = order[place]
            record = self._by_id[position[1]]
            if sort_by != "update_time" or record.updated == position[0]:
                yield position, record

    # --- writing ----------------------------------------------------------------------------

    def add(self, created: int, now: int, values: Values, custom: Values) -> Record:
        """Add a record under the next id."""
        self._last_id += 1
        record = Record(self._last_id, created, now, values, _filled(custom))
        self._keep(record)
        return record

    def change(self, record: Record, now: int, values: Values, custom: Values) -> None:
        """Write some values of a record; null empties a custom field."""
        record.values = {**record.values, **values}
        if custom:
            record.custom = _filled({**record.custom, **custom})
        self._touch(record, now)

    def delete(self, record: Record, now: int, merged_into: int | None = None) -> None:
        """Delete a record; its modification time is that of the deletion."""
        record.deleted, record.merged_into = now, merged_into
        self._touch(record, now)

    def restore(self, record: Record, now: int) -> None:
        """Take a deletion back."""
        record.deleted = record.merged_into = None
        self._touch(record, now)

    def forget_field(self, code: str) -> None:
        """Empty a custom field everywhere; nobody's modification time moves."""
        for record in self._by_id.values():
            if code in record.custom:
                record.custom = {k: v for k, v in record.custom.items() if k != code}

    # --- for another day ----------------------------------------------------------------------

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the records as JSON, without histories."""
        return [
            {"id": r.id, "created": r.created, "updated": r.updated, "values": r.values,
             "custom": r.custom, "deleted": r.deleted, "merged_into": r.merged_into}
            for r in self.every()
        ]  # fmt: skip

    def load(self, saved: Mapping[str, Any]) -> Record:
        """Add a record that a snapshot holds; ids come in ascending order."""
        record = Record(**saved)
        self._last_id = record.id
        self._keep(record)
        return record

    # --- inside -----------------------------------------------------------------------------

    def _keep(self, record: Record) -> None:
        self._by_id[record.id] = record
        self._in_order.append((record.id, record.id))
        insort(self._updates, (record.updated, record.id))

    def _touch(self, record: Record, now: int) -> None:
        if record.updated == now:
            return
        record.updated = now
        insort(self._updates, (now, record.id))
        if len(self._updates) > 2 * len(self._by_id) + 1000:
            self._updates = sorted((r.updated, r.id) for r in self._by_id.values())

    def _order(self, sort_by: SortBy, among: Collection[int] | None) -> list[Position]:
        if among is None and sort_by == "id":
            return self._in_order
        if among is None and sort_by == "update_time":
            return self._updates
        key = _KEYS[sort_by]
        ids = self._by_id if among is None else self._by_id.keys() & set(among)
        return sorted((key(self._by_id[i]), i) for i in ids)


_KEYS: dict[SortBy, Callable[[Record], int]] = {
    "id": lambda record: record.id,
    "update_time": lambda record: record.updated,
    "add_time": lambda record: record.created,
}


def _filled(custom: Values) -> Values:
    return {code: value for code, value in custom.items() if value is not None}
