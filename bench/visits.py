"""The traffic of the ingest measurement: what 2,000 people's browsers send, in the order of time.

Visitors look around, two in three say who they are, and come back; about one call in seven is an
`identify`, one in two a `page`, one in three a `track`. Deterministic for its arguments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.contacts import traits

PEOPLE = 2_000
CALLS_A_BODY = 100
_SHARE_KNOWN = 0.67
_SHARES = {"identify": 0.1, "page": 0.55, "track": 0.35}
_PATHS = ("/", "/pricing", "/features", "/docs/start", "/blog/launch", "/app", "/app/reports")
_EVENTS = ("report_opened", "report_shared", "search_done", "file_uploaded", "plan_upgraded")
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


def bodies(events: int, seed: int = 11) -> Iterator[dict[str, Any]]:
    """Yield the bodies of `POST /v1/batch`, a hundred calls each."""
    dice = random.Random(seed)  # noqa: S311 - made-up visits, not secrets
    at = datetime.now(UTC) - timedelta(seconds=5 * events)
    known: set[int] = set()
    some: list[dict[str, Any]] = []
    for serial in range(events):
        at += timedelta(seconds=dice.uniform(1, 8))
        some.append(_call(dice, serial, dice.randrange(PEOPLE), at, known))
        if len(some) == CALLS_A_BODY:
            yield {"batch": some}
            some = []
    if some:
        yield {"batch": some}


def _call(
    dice: random.Random, serial: int, person: int, at: datetime, known: set[int]
) -> dict[str, Any]:
    path = dice.choice(_PATHS)
    page = {"path": path, "url": f"https://www.lumenboard.example{path}", "title": "Lumenboard"}
    call: dict[str, Any] = {
        "messageId": f"visit-{serial:08}",
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "anonymousId": f"browser-{person:05}",
        "context": {
            "library": {"name": "analytics.js", "version": "2.1.0"},
            "userAgent": _USER_AGENT,
            "locale": "en-GB",
            "page": page,
        },
    }
    (kind,) = dice.choices(list(_SHARES), list(_SHARES.values()))
    may_sign_up = person < PEOPLE * _SHARE_KNOWN
    if kind == "identify" and may_sign_up:
        known.add(person)
    if person in known:
        call["userId"] = f"user-{person}"
    if kind == "identify" and person in known:
        return {**call, "type": kind, "traits": traits(person, dice.randrange(3), "visits")}
    if kind == "track":
        properties = {"path": path, "seconds": dice.randrange(300), "revenue": 49}
        return {**call, "type": kind, "event": dice.choice(_EVENTS), "properties": properties}
    return {**call, "type": "page", "name": path, "properties": page}
