"""HubSpot's API as the other modules here call it: paths, reads, and success told from failure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from crmsync.connectors.answers import UNREADABLE, Answer, Effect, lost
from crmsync.connectors.http import Transport
from crmsync.connectors.hubspot.errors import refuse
from crmsync.connectors.hubspot.values import milliseconds
from crmsync.errors import Unavailable

ASSOCIATIONS_VERSION = "v4"
"""Beside records of v3; a dated family has one version for all."""


class Api:
    """One account's API in one family of paths: `v3`, or a dated one such as `2026-09`."""

    def __init__(self, http: Transport, version: str) -> None:
        """Call over this transport."""
        self.http = http
        self.version = version

    def objects(self, object_type: str, rest: str = "") -> str:
        """Return a path of the records of an object type."""
        return self._path("objects", self.version, f"/{quote(object_type, safe='')}{rest}")

    def associations(self, source: str, target: str, rest: str) -> str:
        """Return a path of the associations from one object type to another."""
        pair = f"/{quote(source, safe='')}/{quote(target, safe='')}{rest}"
        return self._path("associations", ASSOCIATIONS_VERSION, pair)

    def sales(self, area: str) -> str:
        """Return the path of the owners, or of the pipelines of deals."""
        return self._path(area, self.version, "/deals" if area == "pipelines" else "/")

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        object_type: str = "",
        route: str | None = None,
    ) -> tuple[Answer, Mapping[str, Any]]:
        """Read by GET; raise what anything but a JSON object under a success means."""
        answer = self.http.request(
            "GET", path, effect=Effect.READ, params=params or {}, route=route
        )
        return answer, payload_of(answer, object_type)

    def ask(
        self,
        path: str,
        body: Mapping[str, Any],
        object_type: str,
        params: Mapping[str, str] | None = None,
    ) -> tuple[Answer, Mapping[str, Any]]:
        """Read by POST, likewise."""
        answer = self.http.request("POST", path, effect=Effect.READ, json=body, params=params)
        return answer, payload_of(answer, object_type)

    def search(self, object_type: str, body: Mapping[str, Any]) -> tuple[Answer, Mapping[str, Any]]:
        """Read what the index holds, which lags; counted by a limit of its own."""
        path = self.objects(object_type, "/search")
        answer = self.http.request("POST", path, effect=Effect.READ, json=body, scope="search")
        return answer, payload_of(answer, object_type, search=True)

    def _path(self, area: str, version: str, rest: str) -> str:
        if self.version.startswith("v"):
            return f"/crm/{version}/{area}{rest}"
        return f"/crm/{area}/{self.version}{rest}"


def payload_of(answer: Answer, object_type: str, *, search: bool = False) -> Mapping[str, Any]:
    """Return the JSON object of a successful answer; raise what any other means."""
    if not answer.ok:
        refuse(answer, object_type=object_type, search=search)
    payload = answer.json()
    if not isinstance(payload, dict):
        raise misshapen(answer)
    return payload


@contextmanager
def shape_of(answer: Answer) -> Iterator[None]:
    """Take what goes wrong in reading an answer's parts for a lost answer."""
    try:
        yield
    except UNREADABLE:
        raise misshapen(answer) from None


@contextmanager
def shape_of_records(object_type: str) -> Iterator[None]:
    """Do the same for records that were read a while ago, by several answers."""
    try:
        yield
    except UNREADABLE:
        raise Unavailable(
            f"records of '{object_type}' have another shape than HubSpot documents"
        ) from None


def misshapen(answer: Answer) -> Exception:
    """Return the error for a success whose body is not what HubSpot documents: a lost answer."""
    return lost(answer.effect, f"{answer.what}: the answer has another shape than documented")


def answered_ms(answer: Answer) -> int:
    """Return when HubSpot answered, by its own clock where it says: epoch milliseconds."""
    said = answer.headers.get("Date")
    try:
        return milliseconds(parsedate_to_datetime(said or ""))
    except (TypeError, ValueError):
        return time.time_ns() // 1_000_000


def following(payload: Mapping[str, Any]) -> str | None:
    """Return where the next page of a list begins; None on its last one."""
    after = ((payload.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)
