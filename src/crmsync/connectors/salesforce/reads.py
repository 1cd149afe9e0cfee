"""Reads: records by their ids or by any field, from Salesforce's primary store.

By id, 2,000 records a call. By a field, by queries whose address holds as many values as it may;
several queries travel as one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crmsync.connectors.answers import Effect
from crmsync.connectors.http import Transport
from crmsync.connectors.salesforce import composite
from crmsync.connectors.salesforce.errors import refuse
from crmsync.connectors.salesforce.ids import full_id
from crmsync.connectors.salesforce.library import quoted
from crmsync.connectors.salesforce.objects import CONVERSION, MASTER, Column, Described
from crmsync.connectors.salesforce.queries import Queries
from crmsync.connectors.salesforce.rows import id_in, record_of, reference_in
from crmsync.connectors.salesforce.soql import MODIFIED, fits, literal, lookups
from crmsync.connectors.salesforce.values import from_wire
from crmsync.errors import ConfigError
from crmsync.model import CrmId, FieldType, Record

READ_RECORDS = 2_000
"""Of a collection that is read by POST; REST API guide, "sObject Collections"."""


class Reader:
    """The reads of one connection.

    They raise LookupError, TypeError, ValueError or AttributeError for an answer of another shape,
    and what `errors.refuse` says.
    """

    def __init__(self, http: Transport, queries: Queries) -> None:
        """Read over this transport."""
        self._http = http
        self._queries = queries

    def by_id(
        self,
        thing: Described,
        ids: Sequence[CrmId],
        fields: Sequence[str],
        merged: frozenset[CrmId] = frozenset(),
    ) -> dict[CrmId, Record]:
        """Return the records that exist, by id; one that was merged away is its survivor.

        `merged`: those that are known to be merged away, so that a circle of them ends.
        """
        found: dict[CrmId, Record] = {}
        url = f"{composite.PATH}/sobjects/{thing.schema.object_type}"
        names = list(dict.fromkeys(["Id", *thing.names([*fields, *CONVERSION]), MODIFIED]))
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), READ_RECORDS):
            some = wanted[start : start + READ_RECORDS]
            body = {"ids": some, "fields": names}
            answer = self._http.request("POST", url, effect=Effect.READ, json=body)
            if not answer.ok:
                refuse(answer, object_type=thing.schema.object_type)
            rows = answer.json()
            if len(rows) != len(some):
                raise ValueError("fewer rows than ids")
            records = (record_of(row, thing, fields) for row in rows if row is not None)
            found |= {record.crm_id: record for record in records}
        missing = [crm_id for crm_id in wanted if crm_id not in found and crm_id not in merged]
        if missing and MASTER in thing.columns:
            found |= self._survivors(thing, missing, fields, merged)
        return found

    def _survivors(
        self,
        thing: Described,
        ids: Sequence[CrmId],
        fields: Sequence[str],
        merged: frozenset[CrmId],
    ) -> dict[CrmId, Record]:
        """Return what records were merged into, as long as the recycle bin tells."""
        queries = lookups(thing.schema.object_type, "Id", [quoted(i) for i in ids], [MASTER])
        rows = self._queries.rows(list(queries), deleted=True)
        found = ((id_in(row), reference_in(row, MASTER)) for row in rows)
        masters = {crm_id: master for crm_id, master in found if master is not None}
        if not masters:
            return {}
        alive = self.by_id(thing, list(masters.values()), fields, merged | masters.keys())
        return {
            crm_id: replace(alive[master], former_ids=(*alive[master].former_ids, crm_id))
            for crm_id, master in masters.items()
            if master in alive
        }

    def by_field(
        self, thing: Described, name: str, values: Sequence[str], fields: Sequence[str]
    ) -> list[Record | None]:
        """Return one entry per value, in order; of several records the one with the lowest id.

        Raises ConfigError for a field that cannot be looked for.
        """
        object_type = thing.schema.object_type
        column = thing.columns.get(name)
        if column is None or not column.filterable:
            raise ConfigError(f"{object_type} has no field '{name}' that records can be found by")
        wanted = [*thing.names([*fields, *CONVERSION]), MODIFIED]
        if not fits(object_type, name, wanted):
            return self._in_two_steps(thing, name, values, fields)
        texts = {_same(value, column): literal(value, column, quoted) for value in values}
        literals = [text for text in texts.values() if text is not None]
        found: dict[str, Record] = {}
        for row in self._queries.rows(list(lookups(object_type, name, literals, wanted))):
            found.setdefault(_same(row[name], column), record_of(row, thing, fields))
        return [found.get(_same(value, column)) for value in values]

    def _in_two_steps(
        self, thing: Described, name: str, values: Sequence[str], fields: Sequence[str]
    ) -> list[Record | None]:
        """Find the ids first, where the names of the fields alone would fill the address."""
        places = self.by_field(thing, name, values, [])
        records = self.by_id(thing, [place.crm_id for place in places if place], fields)
        return [place and records.get(place.crm_id) for place in places]


def _same(value: Any, column: Column) -> str:  # noqa: ANN401 (any JSON)
    """Return what two values share that are one to Salesforce's look-ups."""
    text = str(from_wire(value, column.kind)).strip()
    if column.kind is FieldType.REFERENCE:
        return full_id(text) or text
    return text if column.case_counts else text.casefold()
