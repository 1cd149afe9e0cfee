"""Queries whose rows did not fit into one answer, until they expire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.records import Record
from crmsync.sandbox.salesforce.settings import SalesforceSettings
from crmsync.sandbox.salesforce.soql.meaning import Selection
from crmsync.sandbox.salesforce.wire import make_id


@dataclass(frozen=True, slots=True)
class Cursor:
    """The rows of one query."""

    rows: Sequence[Record]
    selection: Selection
    page: int
    """Most rows of one answer."""
    expires_at: float
    """Monotonic seconds."""


class Cursors:
    """The queries that can be continued, by locator."""

    def __init__(self, clock: Clock, settings: Callable[[], SalesforceSettings]) -> None:
        """Start with none."""
        self._clock = clock
        self._settings = settings
        self._cursors: dict[str, Cursor] = {}
        self._made = 0

    def keep(self, rows: Sequence[Record], selection: Selection, page: int) -> str:
        """Keep the rows of a query; return its locator."""
        self._made += 1
        locator = make_id("01g", self._made)
        expires_at = self._clock.monotonic() + self._settings().locator_seconds
        self._cursors[locator] = Cursor(rows, selection, page, expires_at)
        return locator

    def find(self, locator: str) -> tuple[Cursor, int]:
        """Return what a locator with its place (`01g...-2000`) continues; 400 if it expired."""
        name, _, start = locator.partition("-")
        cursor = self._cursors.get(name)
        if cursor is None or cursor.expires_at <= self._clock.monotonic() or not start.isdigit():
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor, int(start)

    def expire(self) -> None:
        """Let every query have expired."""
        self._cursors.clear()
