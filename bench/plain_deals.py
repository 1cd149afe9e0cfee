"""The plain scripts that read the deals of Zoho and Pipedrive: `requests`, and their JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests

from bench.children import Said
from bench.crms import TOKEN
from bench.deal_script import Deal, read_deals
from bench.figures import Figures

TIMEOUT_SECONDS = 60.0
ZOHO_PAGE, ZOHO_LIST, PIPEDRIVE_PAGE = 2_000, 200, 500
COLUMNS = "id, Stage, Owner, Amount, Contact_Name, Modified_Time"
NOTHING = (204, 304)
"""Answers without a body: nothing there, nothing since."""


def read_zoho(url: str, database: str) -> tuple[Figures, Said]:
    """Read what changed since the last time."""
    return read_deals(_Zoho(_Api(url, {"Authorization": f"Zoho-oauthtoken {TOKEN}"})), database)


def read_pipedrive(url: str, database: str) -> tuple[Figures, Said]:
    """Read what changed since the last time."""
    return read_deals(_Pipedrive(_Api(url, {"x-api-token": TOKEN})), database)


class _Api:
    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers.update(headers)

    def ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:  # noqa: ANN401 - as requests
        answer = self._session.request(method, self._url + path, timeout=TIMEOUT_SECONDS, **what)
        answer.raise_for_status()
        return {} if answer.status_code in NOTHING else dict(answer.json())


class _Zoho:
    def __init__(self, api: _Api) -> None:
        self._api = api

    def stages(self) -> Iterable[tuple[str, str]]:
        layouts = self._api.ask("GET", "/crm/v8/settings/layouts", params={"module": "Deals"})
        for layout in layouts["layouts"]:
            asked = {"layout_id": layout["id"]}
            told = self._api.ask("GET", "/crm/v8/settings/pipeline", params=asked)
            for pipeline in told["pipeline"]:
                yield from ((s["actual_value"], s["display_value"]) for s in pipeline["maps"])

    def owners(self) -> Iterable[tuple[str, str]]:
        for kind in ("AllUsers", "DeletedUsers"):
            told = self._api.ask("GET", "/crm/v8/users", params={"type": kind, "per_page": 200})
            yield from ((user["id"], user["email"]) for user in told.get("users", ()))

    def changed(self, since: str | None) -> Iterator[list[Deal]]:
        condition = f"Modified_Time >= '{since or '1970-01-01T00:00:00+00:00'}'"
        order, offset, more = "order by Modified_Time asc, id asc", 0, True
        while more:
            query = f"select {COLUMNS} from Deals where {condition} {order}"  # noqa: S608 - ours
            body = {"select_query": f"{query} limit {offset}, {ZOHO_PAGE}"}
            told = self._api.ask("POST", "/crm/v8/coql", json=body)
            yield [
                Deal(
                    row["id"],
                    row["Stage"],
                    row["Owner"]["id"],
                    row["Amount"],
                    row["Modified_Time"],
                    (row["Contact_Name"]["id"],) if row["Contact_Name"] else (),
                )
                for row in told.get("data", ())
            ]
            offset, more = offset + ZOHO_PAGE, told.get("info", {}).get("more_records", False)

    def deleted(self, since: str | None) -> Iterator[list[str]]:
        headers = {"If-Modified-Since": since} if since else {}
        number, more = 1, True
        while more:
            params = {"type": "all", "page": number, "per_page": ZOHO_LIST}
            told = self._api.ask("GET", "/crm/v8/Deals/deleted", params=params, headers=headers)
            yield [row["id"] for row in told.get("data", ())]
            number, more = number + 1, told.get("info", {}).get("more_records", False)


class _Pipedrive:
    def __init__(self, api: _Api) -> None:
        self._api = api

    def stages(self) -> Iterable[tuple[str, str]]:
        for page in self._pages("/api/v2/stages", {}):
            yield from ((str(stage["id"]), stage["name"]) for stage in page)

    def owners(self) -> Iterable[tuple[str, str]]:
        for user in self._api.ask("GET", "/api/v1/users")["data"]:
            yield str(user["id"]), user["email"]

    def changed(self, since: str | None) -> Iterator[list[Deal]]:
        wanted = {"sort_by": "update_time", "sort_direction": "asc"}
        if since:
            wanted["updated_since"] = since
        for path in ("/api/v2/deals", "/api/v2/deals/archived"):
            for page in self._pages(path, wanted):
                yield [
                    Deal(
                        str(entry["id"]),
                        str(entry["stage_id"]),
                        str(entry["owner_id"]),
                        entry["value"],
                        entry["update_time"],
                        (str(entry["person_id"]),) if entry["person_id"] else (),
                    )
                    for entry in page
                ]

    def deleted(self, since: str | None) -> Iterator[list[str]]:
        wanted = {"status": "deleted", **({"updated_since": since} if since else {})}
        for page in self._pages("/api/v2/deals", wanted):
            yield [str(entry["id"]) for entry in page]

    def _pages(self, path: str, wanted: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        params: dict[str, Any] = {**wanted, "limit": PIPEDRIVE_PAGE}
        while True:
            told = self._api.ask("GET", path, params=params)
            yield told["data"]
            params["cursor"] = told["additional_data"]["next_cursor"]
            if params["cursor"] is None:
                return
