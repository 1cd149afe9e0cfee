"""The floor of a push: as fast as plain `requests` can post what was prepared beforehand."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

import requests

from bench.children import Said
from bench.contacts import everybody
from bench.crm import TOKEN
from bench.figures import Figures, measured

BATCH = 100
TIMEOUT_SECONDS = 60.0


def post_ready_made(
    url: str, ids: list[str], edition: int, population: str, threads: int
) -> tuple[Figures, Said]:
    """Post whole contacts, all ten fields, in ready-made batches."""
    bodies: SimpleQueue[bytes] = SimpleQueue()
    wanted = list(everybody(len(ids), edition, population))
    inputs = [{"id": i, "properties": p} for i, p in zip(ids, wanted, strict=True)]
    for start in range(0, len(inputs), BATCH):
        body = json.dumps({"inputs": inputs[start : start + BATCH]}, separators=(",", ":"))
        bodies.put(body.encode())
    sessions = [_session() for _ in range(threads)]
    address = f"{url}/crm/v3/objects/contacts/batch/update"

    def post(session: requests.Session) -> int:
        posted = 0
        while True:
            try:
                body = bodies.get_nowait()
            except Empty:
                return posted
            session.post(address, body, timeout=TIMEOUT_SECONDS).raise_for_status()
            posted += 1

    with ThreadPoolExecutor(threads) as pool, measured() as figures:
        posted = sum(pool.map(post, sessions))
    return figures, {"calls": posted}


def _session() -> requests.Session:
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    return session
