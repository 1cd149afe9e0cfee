"""The floor of a push: as fast as plain `requests` can send what was prepared beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypedDict

import requests

from bench.children import Said
from bench.contacts import everybody
from bench.crms import CRMS, HUBSPOT, SALESFORCE, TOKEN
from bench.figures import Figures, measured

TIMEOUT_SECONDS = 60.0
Row = tuple[str, Mapping[str, str]]
"""What names a record, and all its fields."""


class Contacts(TypedDict):
    """Contacts that are there."""

    names: list[str]
    population: str


@dataclass(frozen=True, slots=True)
class Bulk:
    """A CRM's plain call for many records."""

    method: str
    path: str
    records: int
    """Most of one call."""
    body: Callable[[Sequence[Row]], Any]
    by_key: bool = False
    """Whether our unique field names the records, not the CRM's id."""


def _inputs(rows: Sequence[Row]) -> dict[str, Any]:
    return {"inputs": [{"id": name, "properties": fields} for name, fields in rows]}


def collection(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the body of a Salesforce collection."""
    attributes = {"type": SALESFORCE.object_type}
    records = [{"attributes": attributes, SALESFORCE.key: name, **fields} for name, fields in rows]
    return {"allOrNone": False, "records": records}


COLLECTION = f"composite/sobjects/{SALESFORCE.object_type}/{SALESFORCE.key}"
BULKS = {
    HUBSPOT.name: Bulk("POST", "/crm/v3/objects/contacts/batch/update", 100, _inputs),
    SALESFORCE.name: Bulk(
        "PATCH", f"/services/data/v59.0/{COLLECTION}", 200, collection, by_key=True
    ),
}
"""By the CRM's name."""


def send_ready_made(
    crm: str, url: str, contacts: Contacts, edition: int, threads: int
) -> tuple[Figures, Said]:
    """Send whole contacts, all ten fields, in ready-made batches; the answers are not read."""
    names, population = contacts["names"], contacts["population"]
    bulk = BULKS[crm]
    bodies: SimpleQueue[bytes] = SimpleQueue()
    people = map(CRMS[crm].record, everybody(len(names), edition, population))
    rows = list(zip(names, people, strict=True))
    for start in range(0, len(rows), bulk.records):
        body = bulk.body(rows[start : start + bulk.records])
        bodies.put(json.dumps(body, separators=(",", ":")).encode())
    sessions = [_session() for _ in range(threads)]

    def send(session: requests.Session) -> int:
        sent = 0
        while True:
            try:
                body = bodies.get_nowait()
            except Empty:
                return sent
            answer = session.request(
                bulk.method, url + bulk.path, data=body, timeout=TIMEOUT_SECONDS
            )
            answer.raise_for_status()
            sent += 1

    with ThreadPoolExecutor(threads) as pool, measured() as figures:
        sent = sum(pool.map(send, sessions))
    return figures, {"calls": sent}


def _session() -> requests.Session:
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    return session
