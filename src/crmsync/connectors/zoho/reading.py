"""Finding records: by id in lists, by any other field in queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.base import Key
from crmsync.connectors.paging import Pages
from crmsync.connectors.zoho import coql
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.coql import MODIFIED
from crmsync.connectors.zoho.fields import CONVERTED_TO, LEADS, Field, Module
from crmsync.connectors.zoho.rows import LIST_IDS, QUERY, Row, Rows
from crmsync.connectors.zoho.values import from_wire
from crmsync.connectors.zoho.wire import UNKNOWN_FIELD, record_of
from crmsync.errors import BatchRejected
from crmsync.model import Record


class Reader:
    """Reads the records of one module."""

    def __init__(self, api: Api, module: Module) -> None:
        """Read what this description says there is."""
        self._module = module
        self._rows = Rows(api, module)

    def find(self, keys: Sequence[Key], fields: Sequence[str]) -> list[Record | None]:
        """Return the record of each key, in the same order; see `base.Connector.read`."""
        values = list(dict.fromkeys(key.value for key in keys))
        by, known = keys[0].field, self._module.fields
        # Zoho refuses a query for a field that it does not have.
        columns = [name for name in dict.fromkeys([MODIFIED, *fields]) if name in known]
        found: dict[str, Record] = {}
        for start in range(0, len(values), LIST_IDS):
            part = values[start : start + LIST_IDS]
            if by is not None:
                rows = self._by_field(by, part, columns)
            else:
                rows = self._rows.by_id(part, columns)
                self._rows.demand(rows.values(), fields)
                found |= self._converted(set(part) - rows.keys(), columns, fields)
            found |= {value: self._record(row, fields) for value, row in rows.items()}
        return [found.get(key.value) for key in keys]

    def _converted(
        self, missing: set[str], columns: Sequence[str], fields: Sequence[str]
    ) -> dict[str, Record]:
        """Return which of these are leads that were converted: Zoho hides them from its lists."""
        if not missing or self._module.name != LEADS:
            return {}
        names = list(dict.fromkeys([*columns, CONVERTED_TO]))
        rows = self._rows.by_id(sorted(missing), names, converted=True)
        return {
            crm_id: self._record(row, fields, is_converted=True) for crm_id, row in rows.items()
        }

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
        whole = self._rows.completed(list(rows.values()), others[len(names) - 2 :])
        named = {_alike(field, row[by]): row for row in whole}
        return {value: named[key] for value in values if (key := _alike(field, value)) in named}

    def _holders(self, by: str, literals: Sequence[str], names: Sequence[str]) -> Iterator[Row]:
        """Yield the records that hold one of these values, lowest id first."""
        after_id: str | None = None
        more = bool(literals)
        pages = Pages(QUERY)
        while more:
            query = coql.holders(self._module.name, by, literals, names, after_id)
            rows, more = self._rows.query(query, coql.SMALL_PAGE)
            if not all(by in row for row in rows):
                raise self._rows.strange()
            yield from rows
            after_id = str(rows[-1]["id"]) if rows else None
            pages.turn(after_id, len(rows))

    def _record(self, row: Row, fields: Sequence[str], *, is_converted: bool = False) -> Record:
        try:
            return record_of(row, fields, self._module, is_converted=is_converted)
        except UNREADABLE:
            raise self._rows.strange() from None


def _alike(field: Field, raw: Any) -> str:  # noqa: ANN401 (any JSON)
    """Return what a value is compared by: case counts where the field says so."""
    text = str(from_wire(field, raw)).strip()
    return text if field.case_matters else text.casefold()
