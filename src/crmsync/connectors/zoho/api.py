"""Calls to Zoho's API: what each costs, what it counts as, and what its answer means.

Credits: zoho.com/crm/developer/docs/api/v8/api-limits.html, read 2026-11. A 429 does not say
whether the day's credits or the places for calls under way are used up; the header that tells how
many credits are left does, which Zoho sends once half of them are used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from crmsync.connectors.answers import Answer, Effect, Site, lost, told_by
from crmsync.connectors.auth.authorisation import Access
from crmsync.connectors.base import Limit
from crmsync.connectors.http import Transport
from crmsync.connectors.waits import MAX_WAIT_SECONDS, moment_of
from crmsync.connectors.zoho.errors import BUSY_SECONDS, envelope_of, refuse, refuses_token
from crmsync.connectors.zoho.oauth import VENDOR
from crmsync.connectors.zoho.values import written

CREDITS_LEFT = "X-API-CREDITS-REMAINING"
"""Sent only once half of the day's credits are used."""
SITE = Site(
    base_url=None,  # every data centre has its own, which comes with the token
    host_suffixes=VENDOR.api_suffixes,
    refuses_token=refuses_token,
    quota_in=told_by(CREDITS_LEFT),
)
HEAVY = "heavy"
LIMITS = (
    Limit("daily_credits", 5_000, 86_400, unit="credit"),
    Limit("concurrent_calls", 5, 0),
    Limit("concurrent_heavy_calls", 10, 0, scope=HEAVY),
)
"""The lowest edition's (Free); a write of more than 10 records and a query are heavy calls."""
RECORDS_A_CREDIT = 10
"""Of a write; most other calls cost one credit."""


def headers_of(access: Access) -> Mapping[str, str]:
    """Return the header Zoho takes a token in, whatever type a token answer calls it."""
    return {"Authorization": f"Zoho-oauthtoken {access.token}"}


class Api:
    """The API of one account. Safe to use from many threads."""

    def __init__(self, http: Transport) -> None:
        """Open nothing yet."""
        self._http = http
        self._credits_left = math.inf
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the time by Zoho's clock, as its last answer told it; by ours where none did."""
        return datetime.now(UTC) + self._ahead

    def read(  # noqa: PLR0913 (the parts of a request)
        self,
        path: str,
        *,
        needs: str,
        params: Mapping[str, str] | None = None,
        query: str | None = None,
        since: datetime | None = None,
        credits_: int = 1,
        route: str | None = None,
    ) -> Mapping[str, Any] | None:
        """Return what Zoho answers to a GET, or to a query; None where there is nothing.

        `since`: of a list, only what is newer.

        `needs`: the scopes of the call. Raises as `errors.refuse` does.
        """
        body = None if query is None else {"select_query": query}
        answer = self._http.request(
            "GET" if query is None else "POST",
            path,
            effect=Effect.READ,
            params=params,
            json=body,
            headers=None if since is None else {"If-Modified-Since": written(since)},
            scope="call" if query is None else HEAVY,
            costs={"credit": credits_},
            route=route,
        )
        self._note(answer)
        if answer.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            return None
        if not answer.ok:
            self._refuse(answer, needs, credits_)
        payload = answer.json()
        if not isinstance(payload, dict):
            raise misshapen(answer)
        return payload

    def write(  # noqa: PLR0913 (the parts of a request)
        self,
        method: str,
        path: str,
        member: str,
        *,
        needs: str,
        records: int,
        json: Any = None,  # noqa: ANN401 (any JSON)
        params: Mapping[str, str] | None = None,
        route: str | None = None,
    ) -> tuple[Answer, Sequence[Mapping[str, Any]]]:
        """Send a write; return the entries under `member`, whatever the status says of them.

        Zoho answers 200, 201, 202 or 207 where some were done, 400 where none was, and a mixture
        under 200 has been seen: only the entries count. Raises as `errors.refuse` does.
        """
        credits_ = math.ceil(records / RECORDS_A_CREDIT)
        answer = self._http.request(
            method,
            path,
            effect=Effect.WRITE,
            json=json,
            params=params,
            scope=HEAVY if records > RECORDS_A_CREDIT else "call",
            costs={"credit": credits_},
            route=route,
        )
        self._note(answer)
        said = answer.json() if answer.ok else envelope_of(answer)
        entries = said.get(member) if isinstance(said, dict) else None
        if isinstance(entries, list) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return answer, entries
        if not answer.ok:
            self._refuse(answer, needs, credits_)
        raise misshapen(answer)

    def _note(self, answer: Answer) -> None:
        """Remember how many credits are left and what time it is, where the answer tells."""
        left = answer.headers.get(CREDITS_LEFT, "")
        if left.isdecimal():
            self._credits_left = int(left)
        elif answer.ok:
            self._credits_left = math.inf
        told = moment_of(answer.headers.get("Date"))
        if told is not None:
            self._ahead = told - datetime.now(UTC)

    def _refuse(self, answer: Answer, needs: str, credits_: int) -> None:
        spent = self._credits_left < credits_
        busy_seconds = MAX_WAIT_SECONDS if spent else BUSY_SECONDS
        refuse(answer, needs=needs, busy_seconds=busy_seconds)


def misshapen(answer: Answer) -> Exception:
    """Return the error for a success whose body is not what Zoho documents: a lost answer."""
    return lost(answer.effect, f"{answer.what}: the answer has another shape than documented")
