"""Finding records: by id in lists, by any other field and by time of change in queries.

Both read the records themselves and show a write at once. Zoho's search does not, so a record that
it misses may well be there: it is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from crmsync.connectors.base import Key
from crmsync.connectors.paging import Pages
from crmsync.connectors.zoho import coql
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.coql import MODIFIED, Place
from crmsync.connectors.zoho.fields import Field, Module
from crmsync.connectors.zoho.values import from_wire, moment
from crmsync.connectors.zoho.wire import UNKNOWN_FIELD, is_id, record_of
from crmsync.errors import BatchRejected, Unavailable
from crmsync.model import Page, Record

LIST_IDS = 100
"""Of one list."""
LIST_FIELDS = 50
"""Of one list; more are read by further ones."""
QUERY = "/crm/v8/coql"

Row = Mapping[str, Any]
"""A record as Zoho shows it."""


def path_of(module: str) -> str:
    """Return the path of a module's records."""
    return f"/crm/v8/{quote(module, safe='')}"


class Reader:
    """Reads the records of one module."""

    def __init__(self, api: Api, module: Module) -> None:
        """Read what this description says there is."""
        self._api = api
        self._module = module
        self._scope = f"ZohoCRM.modules.{module.name}.READ"

    def find(self, keys: Sequence[Key], fields: Sequence[str]) -> list[Record | None]:
        """Return the record of each key, in the same order; see `base.Connector.read`."""
        values = list(dict.fromkeys(key.value for key in keys))
        columns, by = self._columns(fields), keys[0].field
        found: dict[str, Record] = {}
        for start in range(0, len(values), LIST_IDS):
            part = values[start : start + LIST_IDS]
            rows = self._by_id(part, columns) if by is None else self._by_field(by, part, columns)
            found |= {value: self._record(row, fields) for value, row in rows.items()}
        return [found.get(key.value) for key in keys]

    def walk(self, cursor: str | None, fields: Sequence[str]) -> Iterator[Page]:
        """Yield what changed, oldest first; see `base.Connector.changes`.

        Each query begins after the last record of the one before, by time and id: neither the
        number of records of one second nor what changes meanwhile leaves a gap.
        """
        place, columns = Place.read(cursor) if cursor else coql.BEGINNING, self._columns(fields)
        names = ["id", *columns][: coql.COLUMNS]
        rows_wanted, more = coql.SMALL_PAGE, True
        pages = Pages(QUERY)
        while more:
            query = coql.changed(self._module.name, place, names, rows_wanted)
            rows, more = self._query(query, rows_wanted)
            if not rows:
                return
            place = self._place_of(rows[-1])
            pages.turn(place, len(rows))
            whole = self._completed(rows, columns[len(names) - 1 :])
            yield Page([self._record(row, fields) for row in whole], str(place))
            rows_wanted = coql.LARGE_PAGE

    # --- by id ----------------------------------------------------------------------------

    def _by_id(self, ids: Sequence[str], columns: Sequence[str]) -> dict[str, Row]:
        """Return the records of these ids that there are, by id."""
        found: dict[str, Row] = {}
        for start in range(0, max(len(columns), 1), LIST_FIELDS):
            names = ",".join(columns[start : start + LIST_FIELDS]) or "id"
            params = {"ids": ",".join(ids), "fields": names}
            payload = self._api.read(path_of(self._module.name), params=params, needs=self._scope)
            rows = {str(row["id"]): row for row in self._rows(payload)}
            # Who is missing in one of the lists was deleted or restored in between.
            found = {
                crm_id: {**found.get(crm_id, {}), **row}
                for crm_id, row in rows.items()
                if start == 0 or crm_id in found
            }
        return found

    def _completed(self, rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
        """Add columns that did not fit a query; without a record that is gone by now."""
        if not columns:
            return list(rows)
        more: dict[str, Row] = {}
        for start in range(0, len(rows), LIST_IDS):
            ids = [str(row["id"]) for row in rows[start : start + LIST_IDS]]
            more |= self._by_id(ids, columns)
        return [{**row, **more[str(row["id"])]} for row in rows if str(row["id"]) in more]

    # --- by another field -----------------------------------------------------------------

    def _by_field(self, by: str, values: Sequence[str], columns: Sequence[str]) -> dict[str, Row]:
        """Return the records that hold these values in a field, by value; the lowest id."""
        field = self._module.fields.get(by)
        if field is None:
            raise BatchRejected(
                f"{self._module.name} has no field '{by}' to find records by",
                code=UNKNOWN_FIELD,
                hint="Correct `match:` in the mapping, or make the field in Zoho.",
                field=by,
            )
        literals = {value: coql.literal(field, value) for value in values}
        asked = [literal for literal in literals.values() if literal is not None]
        others = [name for name in columns if name != by]
        names = ["id", by, *others][: coql.COLUMNS]
        rows: dict[str, Row] = {}
        for row in self._holders(by, asked, names):
            rows.setdefault(_alike(field, row[by]), row)
        whole = self._completed(list(rows.values()), others[len(names) - 2 :])
        named = {_alike(field, row[by]): row for row in whole}
        return {value: named[key] for value in values if (key := _alike(field, value)) in named}

    def _holders(self, by: str, literals: Sequence[str], names: Sequence[str]) -> Iterator[Row]:
        """Yield the records that hold one of these values, lowest id first."""
        after_id: str | None = None
        more = bool(literals)
        pages = Pages(QUERY)
        while more:
            query = coql.holders(self._module.name, by, literals, names, after_id)
            rows, more = self._query(query, coql.SMALL_PAGE)
            if not all(by in row for row in rows):
                raise self._strange()
            yield from rows
            after_id = str(rows[-1]["id"]) if rows else None
            pages.turn(after_id, len(rows))

    # --- the wire -------------------------------------------------------------------------

    def _columns(self, fields: Sequence[str]) -> list[str]:
        """Return what to ask for; Zoho refuses a query for a field that it does not have."""
        known = self._module.fields
        return [name for name in dict.fromkeys([MODIFIED, *fields]) if name in known]

    def _query(self, query: str, rows: int) -> tuple[Sequence[Row], bool]:
        """Return the rows that a query finds, and whether there are more."""
        payload = self._api.read(
            QUERY,
            query=query,
            needs=f"{self._scope}, ZohoCRM.coql.READ",
            credits_=1 if rows <= coql.SMALL_PAGE else coql.LARGE_PAGE_CREDITS,
        )
        found = self._rows(payload)
        info = payload.get("info") if payload else None
        return found, bool(found) and isinstance(info, dict) and info.get("more_records") is True

    def _rows(self, payload: Mapping[str, Any] | None) -> Sequence[Row]:
        """Return the records of an answer; nothing is said by the absence of a body alone."""
        if payload is None:
            return []
        data = payload.get("data")
        if not isinstance(data, list) or not data:
            raise self._strange()
        if not all(isinstance(row, dict) and is_id(row.get("id")) for row in data):
            raise self._strange()
        return data

    def _record(self, row: Row, fields: Sequence[str]) -> Record:
        try:
            return record_of(row, fields, self._module)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise self._strange() from None

    def _place_of(self, row: Row) -> Place:
        try:
            return Place(moment(row[MODIFIED]), str(row["id"]))
        except (LookupError, TypeError, ValueError):
            raise self._strange() from None

    def _strange(self) -> Exception:
        return Unavailable(f"{self._module.name}: Zoho's answer has another shape than documented")


def _alike(field: Field, raw: Any) -> str:  # noqa: ANN401 (any JSON)
    """Return what a value is compared by: case counts where the field says so."""
    text = str(from_wire(field, raw)).strip()
    return text if field.case_matters else text.casefold()
