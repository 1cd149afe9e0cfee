"""Pipedrive's calls: each with its price, its answer checked, its refusal raised.

An *entry* is a record as v2 shows it: id, standard keys, `custom_fields` by hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from crmsync.connectors.answers import UNREADABLE, Answer, Effect
from crmsync.connectors.http import Transport
from crmsync.connectors.paging import Pages
from crmsync.connectors.pipedrive.errors import Meaning, misshapen, refusal_of, refuse
from crmsync.connectors.pipedrive.limits import (
    LIST,
    LIST_ARCHIVED,
    LIST_SHORT,
    READ_ONE,
    SEARCH,
    Refusals,
)

PAGE_RECORDS = 500
"""The largest page of a list; it costs what a small one does."""
IDS_PER_LIST = 100
SEARCH_PAGE = 100
V1 = "/v1"
"""For what v2 lacks: users, merges, webhooks."""
V2 = "/api/v2"
APART = timedelta(days=1)
"""How far two clocks may differ; what says more is a broken header."""
Entry = Mapping[str, Any]


class Calls:
    """The calls of one connection. Safe to use from many threads."""

    def __init__(self, http: Transport) -> None:
        """Use a transport."""
        self._http = http
        self.refusals = Refusals()
        self._ahead = timedelta(0)
        """How far Pipedrive's clock is before ours, by its last answer."""

    def now(self) -> datetime:
        """Return the present time by Pipedrive's clock, as far as its answers have told it."""
        return datetime.now(UTC) + self._ahead

    def write(  # noqa: PLR0913 (the parts of a call)
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        cost: int,
        route: str,
        version: str = V2,
    ) -> Answer:
        """Send a write once; return its answer whatever its status."""
        answer = self._http.request(
            method,
            f"{version}{path}",
            effect=Effect.WRITE,
            json=body,
            costs={"token": cost},
            route=f"{version}{route}",
        )
        self._look_at(answer)
        return answer

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        cost: int,
        scope: str = "call",
        route: str | None = None,
    ) -> Mapping[str, Any]:
        """Return the JSON object of a read; raise what any other answer means (`errors.refuse`)."""
        answer = self._get(path, params, cost, scope, route)
        return self._object(answer)

    def v1_list(self, path: str, *, cost: int) -> list[Mapping[str, Any]]:
        """Return a list of v1 that has no pages; Pipedrive writes null for an empty one."""
        answer = self._get(f"{V1}{path}", None, cost, "call", None)
        listed = self._object(answer)["data"] or []
        if not isinstance(listed, list) or not all(_is_entry(one) for one in listed):
            raise misshapen(answer)
        return listed

    def one(self, path: str, crm_id: str) -> Entry | None:
        """Return one live record, or None where it was deleted, merged or never was."""
        answer = self._get(f"{V2}{path}/{crm_id}", None, READ_ONE, "call", f"{V2}{path}/*")
        if not answer.ok and refusal_of(answer, {}).meaning is Meaning.GONE:
            return None
        entry = self._object(answer)["data"]
        if not _is_entry(entry):
            raise misshapen(answer)
        return None if entry.get("is_deleted") else entry

    def page(
        self, path: str, params: Mapping[str, str], cursor: str | None = None
    ) -> tuple[list[Entry], str | None]:
        """Return one page of a list, and the cursor of the next one if there is one."""
        place = {"cursor": cursor} if cursor else {}
        answer = self._get(f"{V2}{path}", {**params, **place}, list_cost(path), "call", None)
        return _page_of(answer, self._object(answer))

    def pages(self, path: str, params: Mapping[str, str]) -> Iterator[list[Entry]]:
        """Yield the pages of a list."""
        cursor: str | None = None
        turned = Pages(f"GET {path}")
        while True:
            entries, cursor = self.page(path, {"limit": str(PAGE_RECORDS), **params}, cursor)
            yield entries
            if cursor is None:
                return
            turned.turn(cursor, len(entries))

    def entries(self, paths: Sequence[str], ids: Iterable[str]) -> Iterator[Entry]:
        """Yield the live records of these ids, fresh: one call for 100, or for one at a tenth."""
        waiting = list(dict.fromkeys(ids))
        if len(waiting) == 1:
            entry = self.one(paths[0], waiting[0])
            if entry is not None:
                yield entry
            return
        for start in range(0, len(waiting), IDS_PER_LIST):
            missing = waiting[start : start + IDS_PER_LIST]
            for path in paths:
                if missing:
                    params = {"ids": ",".join(missing), "limit": str(IDS_PER_LIST)}
                    found = {str(entry["id"]): entry for entry in self.page(path, params)[0]}
                    yield from (entry for entry in found.values() if not entry.get("is_deleted"))
                    missing = [one for one in missing if one not in found]

    def search(self, path: str, area: str, term: str) -> Iterator[str]:
        """Yield the ids that the index has for a term in an area, in any order, seconds late."""
        params = {"term": term, "fields": area, "exact_match": "true", "limit": str(SEARCH_PAGE)}
        place: dict[str, str] = {}
        pages = Pages(f"GET {path}/search")
        while True:
            answer = self._get(f"{V2}{path}/search", params | place, SEARCH, "search", None)
            payload = self._object(answer)
            try:
                ids = [id_of(hit["item"]) for hit in payload["data"]["items"]]
                cursor = (payload.get("additional_data") or {}).get("next_cursor")
            except UNREADABLE:
                raise misshapen(answer) from None
            yield from ids
            if not cursor:
                return
            place = {"cursor": str(cursor)}
            pages.turn(place["cursor"], len(ids))

    # --- inside -----------------------------------------------------------------------------

    def _get(
        self, path: str, params: Mapping[str, str] | None, cost: int, scope: str, route: str | None
    ) -> Answer:
        answer = self._http.request(
            "GET",
            path,
            effect=Effect.READ,
            params=params,
            scope=scope,
            costs={"token": cost},
            route=route,
        )
        self._look_at(answer)
        return answer

    def _object(self, answer: Answer) -> Mapping[str, Any]:
        if not answer.ok:
            refuse(refusal_of(answer, {}), self.refusals)
        payload = answer.json()
        if not isinstance(payload, dict) or payload.get("success") is not True:
            raise misshapen(answer)
        if "data" not in payload:
            raise misshapen(answer)
        return payload

    def _look_at(self, answer: Answer) -> None:
        """Note what every answer tells: the time, and that we are let in."""
        if answer.ok:
            self.refusals.end()
        try:
            said = parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            return
        said = said if said.tzinfo else said.replace(tzinfo=UTC)
        ahead = said - datetime.now(UTC)
        if abs(ahead) <= APART:
            self._ahead = ahead


_LIST_COSTS = {"/deals/archived": LIST_ARCHIVED, "/stages": LIST_SHORT, "/pipelines": LIST_SHORT}


def list_cost(path: str) -> int:
    """Return what a page of a list costs."""
    return _LIST_COSTS.get(path, LIST)


def data_of(answer: Answer, member: str) -> Any:  # noqa: ANN401 (any JSON)
    """Return a member of a successful write's `data`; OutcomeUnknown for any other shape."""
    try:
        payload = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise misshapen(answer) from None
    success = isinstance(payload, dict) and payload.get("success") is True
    data = payload.get("data") if success else None
    if not isinstance(data, dict) or data.get(member) is None:
        raise misshapen(answer)
    return data[member]


def _page_of(answer: Answer, payload: Mapping[str, Any]) -> tuple[list[Entry], str | None]:
    data = payload["data"] if payload["data"] is not None else []
    more = payload.get("additional_data") or {}
    if not isinstance(data, list) or not isinstance(more, dict):
        raise misshapen(answer)
    if not all(_is_entry(entry) for entry in data):
        raise misshapen(answer)
    cursor = more.get("next_cursor")
    return data, str(cursor) if cursor else None


def id_of(entry: Entry) -> str:
    """Return the id that an entry has; ValueError for what cannot be one."""
    text = str(entry["id"])
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("not an id")
    return text


def _is_entry(told: Any) -> bool:  # noqa: ANN401 (any JSON)
    """Say whether something has the shape of a record, as far as look-ups rely on it."""
    try:
        id_of(told)
        own = told.get("custom_fields") or {}
        contacts = [*(told.get("emails") or ()), *(told.get("phones") or ())]
    except UNREADABLE:
        return False
    return isinstance(own, dict) and all(isinstance(one, dict) for one in contacts)
