"""What search knows: records as they were some seconds ago, by the words in them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crmsync.sandbox.pipedrive.fields import Field
from crmsync.sandbox.pipedrive.records import Record
from crmsync.sandbox.pipedrive.schemas import Values

SEARCHED = {
    "persons": ("name", "email", "phone", "notes", "custom_fields"),
    "organizations": ("name", "address", "notes", "custom_fields"),
    "deals": ("title", "notes", "custom_fields"),
}
"""What `fields` may name."""

_SEARCHED_TYPES = (
    "address", "varchar", "text", "varchar_auto", "double", "monetary", "phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as search sees it."""

    id: int
    values: Values
    texts: Mapping[str, Sequence[str]]
    """Of each searched field, as they are shown."""


class SearchIndex:
    """What search knows of the records of one object type."""

    def __init__(self) -> None:
        """Know nothing."""
        self._coming: list[tuple[float, int, int, Seen | None]] = []
        """When a change becomes known, which change of all it is, whose, and what it made."""
        self._changes = 0
        self._known: dict[int, tuple[int, Seen | None]] = {}
        """By id: the change last learnt of, and what it made; None for a deletion."""
        self._holders: dict[tuple[str, str], dict[int, None]] = {}
        """Field and whole text in small letters: the ids that have it."""

    def learn(self, record_id: int, seen: Seen | None, now: float, lag_seconds: float) -> None:
        """Come to know a change some seconds from now (monotonic); None for a deletion."""
        self._changes += 1
        heapq.heappush(self._coming, (now + lag_seconds, self._changes, record_id, seen))
        self._catch_up(now)

    def find(self, term: str, names: Sequence[str], now: float, *, exact: bool) -> Iterator[Seen]:
        """Yield what has the term in one of these fields, lowest id first; case does not matter."""
        self._catch_up(now)
        wanted = term.lower()
        if exact:
            ids = {i for name in names for i in self._holders.get((name, wanted), ())}
            found = (self._known[i][1] for i in sorted(ids))
            yield from (seen for seen in found if seen is not None)
            return
        for record_id in sorted(self._known):
            seen = self._known[record_id][1]
            if seen is not None and _mentions(seen, wanted, names):
                yield seen

    def _catch_up(self, now: float) -> None:
        coming = self._coming
        while coming and coming[0][0] <= now:
            _, change, record_id, seen = heapq.heappop(coming)
            known = self._known.get(record_id)
            if known is not None and known[0] > change:
                continue
            if known is not None and known[1] is not None:
                for key in _keys(known[1]):
                    self._holders[key].pop(record_id, None)
            self._known[record_id] = (change, seen)
            if seen is not None:
                for key in _keys(seen):
                    self._holders.setdefault(key, {})[record_id] = None


def as_seen(object_type: str, record: Record, custom_fields: Mapping[str, Field]) -> Seen:
    """Return what search will know of a record."""
    values = record.values
    texts: dict[str, list[str]] = {}
    for name in SEARCHED[object_type]:
        if name == "custom_fields":
            texts[name] = _custom_texts(record, custom_fields)
        elif name in _LISTS:
            texts[name] = [one["value"] for one in values[_LISTS[name]]]
        elif name == "address":
            texts[name] = [values[name]["value"]] if values[name] else []
        else:
            texts[name] = [values[name]] if values.get(name) else []
    return Seen(record.id, values, texts)


_LISTS = {"email": "emails", "phone": "phones"}


def _custom_texts(record: Record, custom_fields: Mapping[str, Field]) -> list[str]:
    texts = []
    for code, value in record.custom.items():
        field = custom_fields.get(code)
        if field is not None and field.type in _SEARCHED_TYPES:
            texts.append(str(value["value"]) if isinstance(value, dict) else str(value))
    return texts


def _keys(seen: Seen) -> Iterator[tuple[str, str]]:
    return ((name, text.lower()) for name, texts in seen.texts.items() for text in texts)


def _mentions(seen: Seen, wanted: str, names: Sequence[str]) -> bool:
    return any(wanted in text.lower() for name in names for text in seen.texts.get(name, ()))
