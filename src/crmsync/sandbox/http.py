"""HTTP/1.1 on an asyncio transport, with the transport in reach so that answers can go wrong.

`Connection` parses requests (llhttp through httptools), hands each one to the function it was made
with, and offers the ways to answer: whole, cut short, dripping, or not at all. Requests on one
connection are answered one after the other.
"""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

import httptools
import orjson

JSON = "application/json;charset=utf-8"
HTML = "text/html;charset=utf-8"

Json = Any
"""Whatever JSON can say."""

HangUp = Literal["reset", "close", "half_close"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER for no seconds: closing sends RST instead of FIN."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    """Names in lower case; the last of repeated ones."""
    body: bytes
    keep_alive: bool
    at_end: list[Callable[[], object]] = field(default_factory=list, compare=False)
    """Called once the answer is out or never will be. A CRM that limits how many requests are
    under way at once adds to it what makes room again."""
    target: str = ""
    """Path and query as they came, for a CRM that tells `%2F` from `/`."""

    def one(self, name: str) -> str | None:
        """Return the value of a query parameter, or None."""
        values = self.query.get(name)
        return values[-1] if values else None

    def json(self) -> Json:
        """Return the parsed body; `orjson.JSONDecodeError` where it is not JSON."""
        return orjson.loads(self.body)

    def form(self) -> dict[str, str]:
        """Return the fields of a form-encoded body."""
        parsed = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in parsed.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to send."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Json, headers: dict[str, str] | None = None) -> Answer:
        """Answer with JSON."""
        return cls(status, orjson.dumps(value), JSON, headers or {})

    def head(self, *, keep_alive: bool) -> bytes:
        """Return the status line and the headers."""
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        if self.status != http.HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Type: {self.content_type}")
            lines.append(f"Content-Length: {len(self.body)}")
        if not keep_alive:
            lines.append("Connection: close")
        lines.extend(f"{name}: {value}" for name, value in self.headers.items())
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Connection(asyncio.Protocol):
    """One TCP connection of a client."""

    def __init__(
        self, take: Callable[[Request, Connection], None], open_ones: set[Connection]
    ) -> None:
        """Hand requests to `take`, which must see to it that `finish` is called for each."""
        self._take = take
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._keep_alive = True
        self._begin()

    # --- what asyncio calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio promises
        self._transport = transport
        self._open_ones.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what had not been answered."""
        del exc
        self._transport = None
        self._waiting.clear()
        self._open_ones.discard(self)

    def data_received(self, data: bytes) -> None:
        """Parse; what is not HTTP is answered with 400."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.hang_up("close")
        except httptools.HttpParserError:
            self.send(Answer(400, b"Bad Request", "text/plain"))
            self.hang_up("close")

    # --- what the parser calls --------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start on an empty request."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """Collect the target; it may come in pieces."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Tell a client that asked first to send the body."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Start on the request, or queue it behind the one under way."""
        target = self._target.decode("latin-1")
        path, _, query = target.partition("?")
        request = Request(
            method=self._parser.get_method().decode("ascii"),
            path=unquote(path) if "%" in path else path,
            query=parse_qs(query, keep_blank_values=True) if query else {},
            headers=self._headers,
            body=b"".join(self._body),
            keep_alive=self._parser.should_keep_alive(),
            target=target,
        )
        if self._busy:
            self._waiting.append(request)
        else:
            self._start(request)

    # --- ways to answer ---------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether anybody is still there to be answered."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, answer: Answer, body_bytes: int | None = None) -> int:
        """Send the head and the first `body_bytes` of the body, or all; return bytes sent."""
        if not self.open or self._transport is None:
            return 0
        payload = answer.head(keep_alive=self._keep_alive) + answer.body[:body_bytes]
        self._transport.write(payload)
        return len(payload)

    def send_more(self, piece: bytes) -> int:
        """Send a further piece of a body; return bytes sent."""
        if not self.open or self._transport is None:
            return 0
        self._transport.write(piece)
        return len(piece)

    def hang_up(self, how: HangUp) -> None:
        """End the connection: with RST, with FIN, or with FIN while still listening."""
        if self._transport is None:
            return
        if how == "reset":
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        elif how == "half_close":
            self._transport.write_eof()
        else:
            self._transport.close()

    def finish(self) -> None:
        """Be ready for the next request."""
        self._busy = False
        if not self._keep_alive:
            self.hang_up("close")
        elif self._waiting:
            self._start(self._waiting.popleft())

    def _start(self, request: Request) -> None:
        self._busy = True
        self._keep_alive = request.keep_alive
        self._take(request, self)

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Status"
