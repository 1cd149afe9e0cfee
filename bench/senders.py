"""Those who send events: a few clients with a kept-alive connection each, in one process."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from bench.children import Said
from bench.figures import Figures, measured
from bench.visits import bodies

TIMEOUT_SECONDS = 60.0


class NotTaken(Exception):
    """The API did not take all of a batch."""


def send(url: str, key: str, events: int, clients: int) -> tuple[Figures, Said]:
    """Send all bodies, made beforehand; every answer must say that all calls were taken."""
    waiting: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    for body in bodies(events):
        waiting.put((len(body["batch"]), json.dumps(body, separators=(",", ":")).encode()))
    headers = {"X-Crmsync-Key": key, "Content-Type": "application/json"}

    def client(_: int) -> list[float]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
        waits: list[float] = []
        while True:
            try:
                calls, body = waiting.get_nowait()
            except Empty:
                connection.close()
                return waits
            started = time.perf_counter()
            connection.request("POST", "/v1/batch", body, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            waits.append(time.perf_counter() - started)
            if answer.status != http.client.OK or said["taken"] != calls:
                raise NotTaken(f"{answer.status}: {said}")

    with ThreadPoolExecutor(clients) as pool, measured() as figures:
        waits = sorted(wait for some in pool.map(client, range(clients)) for wait in some)
    return figures, {"median": waits[len(waits) // 2], "longest": waits[-1]}
