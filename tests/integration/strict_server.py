"""An authorisation server that takes the reuse of a refresh token for theft, and its small API.

Each renewal gives another refresh token. Whoever presents one a second time loses the whole grant,
as RFC 9700 (4.14.2) recommends and vendors do. The API answers 401 to all but the newest access
token.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

FIRST = "first-refresh-token"


class StrictServer:
    """What the server knows, and what was asked of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.url = ""
        self.access = ""
        self.refresh = FIRST
        self.spent: set[str] = set()
        self.revoked = False
        self.renewals = 0
        """Token calls, whatever became of them."""
        self.refused_calls = 0
        """Calls to the API under a token that is not the newest."""
        self.meeting: threading.Barrier | None = None
        """Where the first token calls wait for each other, if they are to come at once."""

    def expire(self) -> None:
        """Let the access token end now."""
        with self.lock:
            self.access = ""

    def renew(self, given: str) -> tuple[int, dict[str, Any]]:
        """Answer a token call."""
        if self.meeting is not None:
            with suppress(threading.BrokenBarrierError):
                self.meeting.wait(timeout=20.0)
            self.meeting = None
        with self.lock:
            self.renewals += 1
            self.revoked = self.revoked or given in self.spent
            if self.revoked or given != self.refresh:
                return 400, {"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"}
            self.spent.add(given)
            self.refresh, self.access = secrets.token_hex(8), secrets.token_hex(8)
            return 200, {
                "access_token": self.access, "refresh_token": self.refresh, "expires_in": 1800,
            }  # fmt: skip

    def call(self, authorization: str) -> tuple[int, dict[str, Any]]:
        """Answer a call to the API."""
        with self.lock:
            if self.access and authorization == f"Bearer {self.access}":
                return 200, {}
            self.refused_calls += 1
            return 401, {"category": "EXPIRED_AUTHENTICATION"}


@contextmanager
def strict_server() -> Iterator[StrictServer]:
    """Run one while the block runs."""
    state = StrictServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(*state.renew(parse_qs(body)["refresh_token"][0]))

        def do_GET(self) -> None:
            self._answer(*state.call(self.headers["Authorization"]))

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
