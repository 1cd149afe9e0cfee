"""Reads: records by their ids or by any field, from Salesforce's primary store.

By id, 2,000 records a call. By a field, by queries whose address holds as many values as it may;
several queries travel as one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from crmsync.connectors.http import Effect, Transport
from crmsync.connectors.salesforce import composite
from crmsync.connectors.salesforce.composite import Call
from crmsync.connectors.salesforce.errors import refuse
from crmsync.connectors.salesforce.ids import full_id
from crmsync.connectors.salesforce.library import BASE, Library, Row, quoted
from crmsync.connectors.salesforce.objects import Column, Described
from crmsync.connectors.salesforce.soql import MODIFIED, fits, literal, lookups
from crmsync.connectors.salesforce.values import from_wire, moment
from crmsync.errors import ConfigError
from crmsync.model import CrmId, FieldType, Record

READ_RECORDS = 2_000
"""Of a collection that is read by POST; REST API guide, "sObject Collections"."""
MASTER = "MasterRecordId"
"""Of a record that was merged into another: that other's id."""


class Reader:
    """The reads of one connection.

    They raise LookupError, TypeError, ValueError or AttributeError for an answer of another shape,
    and what `errors.refuse` says.
    """

    def __init__(self, http: Transport, library: Library) -> None:
        """Read over this transport."""
        self._http = http
        self._library = library

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
        names = list(dict.fromkeys(["Id", *thing.names(fields), MODIFIED]))
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
        masters: dict[CrmId, CrmId] = {}
        for soql in lookups(thing.schema.object_type, "Id", [quoted(i) for i in ids], [MASTER]):
            for row in self._library.query(soql, deleted=True):
                master = full_id(row[MASTER]) if row[MASTER] is not None else None
                if master is not None:
                    masters[_id_in(row)] = master
        if not masters:
            return {}
        alive = self.by_id(thing, list(masters.values()), fields, merged | masters.keys())
        return {crm_id: alive[master] for crm_id, master in masters.items() if master in alive}

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
        wanted = thing.names(fields)
        if not fits(object_type, name, [*wanted, MODIFIED]):
            return self._in_two_steps(thing, name, values, fields)
        texts = {_same(value, column): literal(value, column, quoted) for value in values}
        literals = [text for text in texts.values() if text is not None]
        found: dict[str, Record] = {}
        for row in self._rows(list(lookups(object_type, name, literals, [*wanted, MODIFIED]))):
            found.setdefault(_same(row[name], column), record_of(row, thing, fields))
        return [found.get(_same(value, column)) for value in values]

    def _in_two_steps(
        self, thing: Described, name: str, values: Sequence[str], fields: Sequence[str]
    ) -> list[Record | None]:
        """Find the ids first, where the names of the fields alone would fill the address."""
        places = self.by_field(thing, name, values, [])
        records = self.by_id(thing, [place.crm_id for place in places if place], fields)
        return [place and records.get(place.crm_id) for place in places]

    def _rows(self, queries: Sequence[str]) -> Iterator[Row]:
        for start in range(0, len(queries), composite.CALLS):
            some = queries[start : start + composite.CALLS]
            if len(some) == 1:
                yield from self._library.query(some[0])
                continue
            calls = [Call("GET", f"{BASE}/query?q={quote_plus(soql)}") for soql in some]
            for answer in composite.send(self._http, calls, Effect.READ):
                if answer is None:
                    raise ValueError("a query was not answered")
                if not answer.ok:
                    refuse(answer)
                page = answer.json()
                yield from page["records"]
                yield from self._library.rest_of(page)


def record_of(row: Row, thing: Described, fields: Sequence[str]) -> Record:
    """Return a record as Salesforce shows it, with the fields asked for."""
    columns = thing.columns
    values = {
        name: from_wire(row.get(name), columns[name].kind) if name in columns else None
        for name in fields
    }
    modified: Any = row.get(MODIFIED)
    return Record(_id_in(row), values, moment(modified) if modified else None)


def _id_in(row: Mapping[str, Any]) -> CrmId:
    crm_id = full_id(row["Id"])
    if crm_id is None:
        raise ValueError("not an id")
    return crm_id


def _same(value: Any, column: Column) -> str:  # noqa: ANN401 (any JSON)
    """Return what two values share that are one to Salesforce's look-ups."""
    text = str(from_wire(value, column.kind)).strip()
    if column.kind is FieldType.REFERENCE:
        return full_id(text) or text
    return text if column.case_counts else text.casefold()
