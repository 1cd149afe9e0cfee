"""Walking through what changed in a module: records, then what Zoho lists apart.

Each query begins behind the last record of the one before, by time and id: neither the number of
records of one second nor what changes meanwhile leaves a gap, and no cap on pages is ever met.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.paging import Pages
from crmsync.connectors.zoho import coql
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.coql import MODIFIED
from crmsync.connectors.zoho.cursors import Cursor, Place
from crmsync.connectors.zoho.fields import CONVERTED, CONVERTED_TO, LEADS, Module
from crmsync.connectors.zoho.modules import no_such_field
from crmsync.connectors.zoho.rows import QUERY, Row, Rows
from crmsync.connectors.zoho.values import moment
from crmsync.connectors.zoho.wire import record_of
from crmsync.errors import BatchRejected
from crmsync.model import CrmId, Page, Record


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record that is gone; Zoho does not say whether it was merged, nor into which."""

    crm_id: CrmId
    at: datetime


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of what changed, and where to go on."""

    cursor: Cursor
    rows: Sequence[Row] = ()
    gone: Sequence[Tombstone] = ()
    are_converted: bool = False
    """Whether the rows are leads that were converted, of which only that is told."""


class Changes:
    """What changed in an account's modules. Safe to use from many threads."""

    def __init__(self, api: Api) -> None:
        """Know nothing yet."""
        self._api = api
        self._quiet: set[str] = set()
        """Modules in which the last walk found little: the next one asks for little, at a third
        of the credits."""

    def records(self, module: Module, cursor: str | None, fields: Sequence[str]) -> Iterator[Page]:
        """Yield what changed, oldest first, and what is gone; see `base.Connector.changes`."""
        rows = Rows(self._api, module)
        for chunk in self.walk(rows, cursor, fields):
            shown = () if chunk.are_converted else fields
            try:
                records = [
                    record_of(row, shown, module, is_converted=chunk.are_converted)
                    for row in chunk.rows
                ]
            except UNREADABLE:
                raise rows.strange() from None
            gone = [Record(one.crm_id, {}, one.at, is_deleted=True) for one in chunk.gone]
            yield Page([*records, *gone], str(chunk.cursor))

    def walk(self, rows: Rows, cursor: str | None, fields: Sequence[str]) -> Iterator[Chunk]:
        """Yield what changed since a cursor, with these fields, all of which the module has."""
        kept = [name for name in (CONVERTED, CONVERTED_TO) if name in rows.module.fields]
        extra = kept if rows.module.name == LEADS else []
        columns = list(dict.fromkeys([MODIFIED, *extra, *fields]))
        reached = Cursor.read(cursor)
        for chunk in self._changed(rows, reached, columns):
            reached = chunk.cursor
            yield chunk
        found, now = False, self._api.now()
        if rows.module.name == LEADS:
            for part in rows.converted(reached.listed):
                found = True
                yield Chunk(reached, part, are_converted=True)
        for part in rows.deleted(reached.listed):
            found = True
            yield Chunk(reached, gone=[_tombstone(row, rows) for row in part])
        if found:
            # The deleted come newest first: only the end of a list is a place to go on from.
            yield Chunk(reached.having_listed(now))

    def _changed(self, rows: Rows, cursor: Cursor, columns: Sequence[str]) -> Iterator[Chunk]:
        module = rows.module.name
        names = ["id", *columns][: coql.COLUMNS]
        size = coql.SMALL_PAGE if module in self._quiet else coql.LARGE_PAGE
        found, more, pages = 0, True, Pages(QUERY)
        while more:
            query = coql.changed(module, cursor.place, names, size)
            try:
                part, more = rows.query(query, size)
            except BatchRejected as refusal:
                if refusal.field not in names:
                    raise
                raise no_such_field(module, str(refusal.field)) from refusal
            if part:
                place = _place_of(part[-1], rows)
                pages.turn(place, len(part))
                cursor = cursor.passed(place, self._api.now())
            here = cursor if more else cursor.ended()
            if part or here != cursor:
                others = columns[len(names) - 1 :]
                whole = rows.completed(part, others)
                rows.demand(whole, others)
                yield Chunk(here, whole)
            found, size = found + len(part), coql.LARGE_PAGE
        (self._quiet.add if found <= coql.SMALL_PAGE else self._quiet.discard)(module)


def _place_of(row: Row, rows: Rows) -> Place:
    try:
        return Place(moment(row[MODIFIED]), str(row["id"]))
    except UNREADABLE:
        raise rows.strange() from None


def _tombstone(row: Row, rows: Rows) -> Tombstone:
    try:
        return Tombstone(CrmId(str(row["id"])), moment(row["deleted_time"]))
    except UNREADABLE:
        raise rows.strange() from None
