"""What has changed since a cursor, oldest first, of several lists as if they were one.

A cursor is a time, and never after the one at which its pull began: what changes while one list is
read may belong to another that was read already. Each pull begins five minutes behind its cursor:
times have whole seconds, many records may share one, and lists may be late. What is told twice is
told as it is now.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.pipedrive.calls import PAGE_RECORDS, Calls, Entry
from crmsync.connectors.pipedrive.fields import Catalogue
from crmsync.connectors.pipedrive.objects import Field, ObjectType
from crmsync.connectors.pipedrive.wire import holds, moment, time_in, whole_seconds
from crmsync.errors import Unavailable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=5)


def changed_since(
    calls: Calls, kind: ObjectType, cursor: str | None
) -> Iterator[tuple[list[Entry], str]]:
    """Yield what has changed since a cursor, each entry once a page, with the page's cursor.

    Everything there is, without a cursor. At most a page of each list is held at a time.
    """
    began, reached = calls.now(), moment(cursor) if cursor else EPOCH
    params = {"sort_by": "update_time", "sort_direction": "asc"}
    if cursor:
        params["updated_since"] = whole_seconds(reached - OVERLAP)
    lists = [
        chain.from_iterable(calls.pages(path, {**params, **more}))
        for path, more in _lists(kind, whole=not cursor)
    ]
    entries = heapq.merge(*lists, key=_changed_at)
    while page := list(islice(entries, PAGE_RECORDS)):
        reached = max(reached, min(_changed_at(page[-1]), began))
        # A deal that is archived while we read is in two lists: the later one is right.
        yield list({entry["id"]: entry for entry in page}.values()), whole_seconds(reached)


def _lists(kind: ObjectType, *, whole: bool) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield path and parameters of the lists that together show every change.

    Where deleted deals that had been archived are listed is not documented. They are looked for in
    both places only where everything is read: it would make each pull half as dear again.
    """
    for path in kind.paths:
        yield path, {}
    for path in kind.paths if whole else kind.paths[:1]:
        if kind.lists_deleted:
            yield path, {"status": "deleted"}


def _changed_at(entry: Entry) -> datetime:
    try:
        return time_in(entry, "update_time") or EPOCH
    except UNREADABLE:
        raise misread() from None


def misread() -> Unavailable:
    """Return the error for an entry that is not what Pipedrive documents."""
    return Unavailable("Pipedrive showed a record in another shape than documented")


class Asked:
    """The fields that a pull asks for: all of them are there, or it ends.

    A field that somebody deletes is missing from what is read from then on, which must not pass for
    a field that was emptied.
    """

    def __init__(self, catalogue: Catalogue, kind: ObjectType, names: Sequence[str]) -> None:
        """Find the fields; ConfigError names one that the company does not have."""
        self._catalogue = catalogue
        self._kind = kind
        self._looked_again = False
        known = catalogue.fields(kind, names)
        self.fields: Mapping[str, Field] = {name: known.get(name) for name in names}

    def check(self, entries: Sequence[Entry]) -> None:
        """Raise ConfigError where a custom field was deleted since; looks once, for 10 tokens."""
        live = [entry for entry in entries if not entry.get("is_deleted")]
        custom = [field for field in self.fields.values() if field.custom]
        if self._looked_again or all(holds(entry, field) for entry in live for field in custom):
            return
        self._looked_again = True
        self._catalogue.forget(self._kind)
        known = self._catalogue.fields(self._kind)
        for name in self.fields:
            known.get(name)
