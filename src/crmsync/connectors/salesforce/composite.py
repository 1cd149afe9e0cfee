"""Several calls as one: Salesforce takes up to 25, of which five may be collections or queries.

The whole counts as one API call. It answers 200 whatever became of the calls inside, each of which
has a status and a body of its own. REST API guide, "Composite", read 2026-10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.http import Transport
from crmsync.connectors.salesforce.errors import refuse
from crmsync.connectors.salesforce.library import BASE

PATH = f"{BASE}/composite"
CALLS = 5
"""Collections and queries that one composite takes."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, to be made by itself or with others."""

    method: str
    url: str
    """A path of the API, with its query."""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def send(http: Transport, calls: Sequence[Call], effect: Effect) -> list[Answer | None]:
    """Make the calls as one HTTP request; return an answer to each, None where there is none.

    One call is made by itself, and its answer may be a refusal. Of several, a refusal of the whole
    is raised as `errors.refuse` says. Raises LookupError, TypeError, ValueError or AttributeError
    for an answer of another shape.
    """
    if len(calls) == 1:
        [call] = calls
        answer = http.request(
            call.method, call.url, effect=effect, json=call.body, headers=call.headers
        )
        return [answer]
    outer = http.request("POST", PATH, effect=effect, json=_body_of(calls))
    if not outer.ok:
        refuse(outer)
    inner = {entry["referenceId"]: entry for entry in outer.json()["compositeResponse"]}
    entries = [inner.get(f"call{place}") for place in range(len(calls))]
    return [_inner_answer(outer, entry) if entry else None for entry in entries]


def _body_of(calls: Sequence[Call]) -> dict[str, Any]:
    requests = []
    for place, call in enumerate(calls):
        request: dict[str, Any] = {
            "referenceId": f"call{place}",
            "method": call.method,
            "url": call.url,
        }
        if call.headers:
            # A composite passes on none of its own but those of authorisation.
            request["httpHeaders"] = call.headers
        if call.body is not None:
            request["body"] = call.body
        requests.append(request)
    return {"allOrNone": False, "compositeRequest": requests}


def _inner_answer(outer: Answer, entry: Mapping[str, Any]) -> Answer:
    status, body = int(entry["httpStatusCode"]), entry.get("body")
    return replace(outer, status=status, headers={}, body=orjson.dumps(body))
