"""An address that webhooks are delivered to: it keeps what comes and answers as told.

with receiving() as receiver:
    control.act("subscribe", url=receiver.url, secret="...")
    [request] = receiver.wait(1)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from crmsync.connectors.base import Delivery

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request that came."""

    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Any:
        """Return its body."""
        return orjson.loads(self.body)

    def delivery(self, url: str) -> Delivery:
        """Return it as the API hands it to a connector, come to this address just now."""
        return Delivery("POST", url, self.headers, self.body, datetime.now(UTC))


class Receiver:
    """Keeps requests; answers each with the next of `statuses`, and 204 where there is none."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.received: list[Received] = []
        self._came = threading.Condition()

    def wait(self, count: int) -> list[Received]:
        """Wait until so many have come; return all."""
        with self._came:
            there = self._came.wait_for(lambda: len(self.received) >= count, PATIENCE_SECONDS)
            assert there, f"{len(self.received)} deliveries came, not {count}"
            return list(self.received)

    def take(self, request: Received) -> int:
        """Keep a request; return the status to answer with."""
        with self._came:
            self.received.append(request)
            self._came.notify_all()
            return self.statuses.pop(0) if self.statuses else 204


@contextmanager
def receiving(path: str = "/hooks/crm") -> Iterator[Receiver]:
    """Listen on loopback while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Received(self.path, headers, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}{path}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_SECONDS)
