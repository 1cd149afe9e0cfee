"""Pulling records: what changed since a cursor, deleted, merged and converted ones among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crmsync.connectors.salesforce.objects import FATES, Described
from crmsync.connectors.salesforce.queries import Queries
from crmsync.connectors.salesforce.reads import Reader
from crmsync.connectors.salesforce.rows import record_of
from crmsync.connectors.salesforce.soql import MODIFIED, Place, fits
from crmsync.connectors.salesforce.walk import settled_before, walk
from crmsync.model import Page, Record


@dataclass(frozen=True, slots=True)
class Changes:
    """The pulls of one connection; errors as `Reader` has them."""

    queries: Queries
    reader: Reader

    def pages(self, thing: Described, cursor: str | None, fields: Sequence[str]) -> Iterator[Page]:
        """Yield a page for each page of one query, which is a call.

        Where the names of the fields alone would fill the query's address, it asks for ids, and
        each page's records are read by those, which is a call more.
        """
        object_type = thing.schema.object_type
        in_one = fits(object_type, MODIFIED, [*fields, *FATES])
        columns = thing.names([*FATES, *(fields if in_one else ())])
        soql, settled = Place.of(cursor).query(object_type, columns), settled_before()
        for rows, reached in walk(self.queries.pages(soql, deleted=True), settled):
            records = [record_of(row, thing, fields) for row in rows]
            if not in_one:
                records = self._filled(thing, records, fields)
            yield Page(records, str(reached))

    def _filled(
        self, thing: Described, records: Sequence[Record], fields: Sequence[str]
    ) -> list[Record]:
        """Return the records with their fields; one that went away meanwhile as deleted."""
        ids = [record.crm_id for record in records if not record.is_deleted]
        found = self.reader.by_id(thing, ids, fields)
        return [
            record
            if record.is_deleted
            else found.get(record.crm_id) or Record(record.crm_id, {}, is_deleted=True)
            for record in records
        ]
