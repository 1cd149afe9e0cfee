"""A module's records as Zoho shows them: by query, by id, and in the lists it keeps apart.

All of them read the records themselves and show a write at once. Zoho's search does not, so a
record that it misses may well be there: it is not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import structlog

from crmsync.connectors.paging import Pages
from crmsync.connectors.zoho import coql
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.fields import CONVERTED_TO, Module
from crmsync.connectors.zoho.modules import no_such_field
from crmsync.connectors.zoho.wire import is_id
from crmsync.errors import BatchRejected, Unavailable

LIST_IDS = 100
"""Of one list."""
LIST_FIELDS = 50
"""Of one list; more are read by further ones."""
LIST_ROWS = 200
DELETED_CREDITS = 2
QUERY = "/crm/v8/coql"
TOO_DEEP = {"DISCRETE_PAGINATION_LIMIT_EXCEEDED", "PAGINATION_LIMIT_EXCEEDED"}

Row = Mapping[str, Any]
"""A record as Zoho shows it."""

log = structlog.get_logger()


def path_of(module: str) -> str:
    """Return the path of a module's records."""
    return f"/crm/v8/{quote(module, safe='')}"


class Rows:
    """The rows of one module. Every method raises as `errors.refuse` does."""

    def __init__(self, api: Api, module: Module) -> None:
        """Read what this description says there is."""
        self.module = module
        self._api = api
        self._path = path_of(module.name)
        self._scope = f"ZohoCRM.modules.{module.name}.READ"

    def query(self, query: str, rows: int) -> tuple[Sequence[Row], bool]:
        """Return the rows that a query for so many finds, and whether there are more."""
        payload = self._api.read(
            QUERY,
            query=query,
            needs=f"{self._scope}, ZohoCRM.coql.READ",
            credits_=1 if rows <= coql.SMALL_PAGE else coql.LARGE_PAGE_CREDITS,
        )
        found = self._rows(payload)
        return found, bool(found) and _info(payload).get("more_records") is True

    def by_id(
        self, ids: Sequence[str], columns: Sequence[str], *, converted: bool = False
    ) -> dict[str, Row]:
        """Return the records of these ids that there are, by id; else the converted leads."""
        found: dict[str, Row] = {}
        for start in range(0, max(len(columns), 1), LIST_FIELDS):
            names = ",".join(columns[start : start + LIST_FIELDS]) or "id"
            params = {"ids": ",".join(ids), "fields": names}
            if converted:
                params["converted"] = "true"
            payload = self._api.read(self._path, params=params, needs=self._scope)
            rows = {str(row["id"]): row for row in self._rows(payload)}
            # Who is missing in one of the lists was deleted or restored in between.
            found = {
                crm_id: {**found.get(crm_id, {}), **row}
                for crm_id, row in rows.items()
                if start == 0 or crm_id in found
            }
        return found

    def completed(self, rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
        """Add columns that did not fit a query; without a record that is gone by now."""
        if not columns:
            return list(rows)
        more: dict[str, Row] = {}
        for start in range(0, len(rows), LIST_IDS):
            ids = [str(row["id"]) for row in rows[start : start + LIST_IDS]]
            more |= self.by_id(ids, columns)
        return [{**row, **more[str(row["id"])]} for row in rows if str(row["id"]) in more]

    def demand(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Raise ConfigError for a column that a list left out: there is no such field any more.

        A field that is gone must not be taken for one that is empty, which is there as null.
        """
        for row in rows:
            for name in columns:
                if name not in row:
                    raise no_such_field(self.module.name, name)

    def converted(self, since: datetime | None) -> Iterator[Sequence[Row]]:
        """Yield the leads that were converted since, in pages, each with what it became."""
        params = {
            "fields": f"{coql.MODIFIED},{CONVERTED_TO}",
            "converted": "true",
            "sort_by": coql.MODIFIED,
            "sort_order": "asc",
        }
        return self._listed(self._path, since, 1, params)

    def deleted(self, since: datetime | None) -> Iterator[Sequence[Row]]:
        """Yield what was deleted or merged away since, newest first, in pages."""
        return self._listed(f"{self._path}/deleted", since, DELETED_CREDITS, {"type": "all"})

    def strange(self) -> Exception:
        """Return the error for an answer of another shape than documented."""
        name = self.module.name
        return Unavailable(f"{name}: Zoho's answer has another shape than documented")

    # --- inside ---------------------------------------------------------------------------

    def _listed(
        self, path: str, since: datetime | None, credits_: int, params: Mapping[str, str]
    ) -> Iterator[Sequence[Row]]:
        pages, number, place = Pages(path), 1, {"page": "1"}
        while True:
            try:
                payload = self._api.read(
                    path,
                    params={**params, **place, "per_page": str(LIST_ROWS)},
                    since=since,
                    needs=self._scope,
                    credits_=credits_,
                )
            except BatchRejected as refusal:
                if refusal.code not in TOO_DEEP:
                    raise
                # Nothing reaches deeper. Who is beyond is found out when written to.
                log.warning("list_cut_short", crm="zoho", module=self.module.name, page=number)
                return
            rows, info = self._rows(payload), _info(payload)
            if rows:
                yield rows
            if info.get("more_records") is not True:
                return
            number += 1
            token = info.get("next_page_token")
            place = {"page_token": str(token)} if token else {"page": str(number)}
            pages.turn(rows[0]["id"], len(rows))

    def _rows(self, payload: Mapping[str, Any] | None) -> Sequence[Row]:
        """Return the records of an answer; nothing is said by the absence of a body alone."""
        if payload is None:
            return []
        data = payload.get("data")
        if not isinstance(data, list) or not data:
            raise self.strange()
        if not all(isinstance(row, dict) and is_id(row.get("id")) for row in data):
            raise self.strange()
        return data


def _info(payload: Mapping[str, Any] | None) -> Mapping[str, Any]:
    info = payload.get("info") if payload else None
    return info if isinstance(info, dict) else {}
