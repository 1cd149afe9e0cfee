"""The ledger: every request received, what it was answered, and whether it took effect.

Tests, the demo and the benchmarks judge by it, never by what a client says about itself.
Times are those of the simulated CRM's clock.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

import orjson

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Answer, Json, Request

_KEPT_HEADERS = ("content-type", "user-agent", "content-encoding")
_SECRET_FIELDS = frozenset(
    {
        "access_token",
        "assertion",
        "client_secret",
        "code",
        "code_verifier",
        "http_auth_password",
        "refresh_token",
        "token",
    }
)

_SECRET_IN_ANSWERS = _SECRET_FIELDS - {"code"}
"""In an answer a `code` tells what went wrong; grant codes travel in addresses and requests."""


@dataclass(slots=True, eq=False)
class Entry:
    """One request and its answer."""

    seq: int
    """From 1, in order of arrival; never reused."""
    received_at: float
    """Monotonic seconds."""
    received_time: float
    """Seconds since 1970."""
    request: Request
    route: str
    """The path with what varies in braces, `/crm/v3/objects/{type}/{id}`; as it came if unknown."""
    bytes_in: int
    """Of the body."""
    answer: Answer | None = None
    """What was sent; None while under way and where the client was left without an answer."""
    applied: bool = False
    """Whether the CRM carried it out with success, whatever the client was told."""
    fault: int | None = None
    """Which fault took it."""
    bytes_out: int = 0
    """Head and body."""
    duration_seconds: float | None = None
    """From arrival to the end of the answer, or to the hanging up; None while under way."""

    def report(self, *, bodies: bool = True) -> dict[str, Any]:
        """Return the entry as JSON."""
        request, answer = self.request, self.answer
        return {
            "seq": self.seq,
            "received_at": self.received_at,
            "received_time": datetime.fromtimestamp(self.received_time, UTC).isoformat(),
            "method": request.method,
            "path": _without_token(self.route, request.path),
            "query": _without_secrets(request.query),
            "route": self.route,
            "headers": _kept(request.headers),
            "body": _readable(request.body, request.headers) if bodies else None,
            "status": answer.status if answer else None,
            "answer_headers": dict(answer.headers) if answer else {},
            "answer_type": answer.content_type if answer else None,
            "answer": _readable(answer.body, {}, _SECRET_IN_ANSWERS) if bodies and answer else None,
            "applied": self.applied,
            "fault": self.fault,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "duration_seconds": self.duration_seconds,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries a reader asks for; everything left out matches all."""

    since: int = 0
    """Only entries with a greater `seq`."""
    method: str | None = None
    path: str | None = None
    """Shell pattern over the path."""
    status: int | None = None
    applied: bool | None = None
    finished: bool | None = None

    def matches(self, entry: Entry) -> bool:
        """Say whether the entry is asked for."""
        status = entry.answer.status if entry.answer else None
        return (
            entry.seq > self.since
            and self.method in (None, entry.request.method)
            and (self.path is None or fnmatchcase(entry.request.path, self.path))
            and self.status in (None, status)
            and self.applied in (None, entry.applied)
            and self.finished in (None, entry.duration_seconds is not None)
        )


class Ledger:
    """Every request received, newest last."""

    def __init__(self, clock: Clock, *, entries: int, bodies: bool) -> None:
        """Remember so many entries, with or without their bodies."""
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=entries)
        self._bodies = bodies
        self._counts: Counter[tuple[str, str, int | None]] = Counter()
        self._seq = 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def received(self) -> int:
        """How many requests have ever arrived, forgotten ones included."""
        return self._seq

    def keep(self, *, entries: int, bodies: bool) -> None:
        """Remember more or less from now on."""
        self._bodies = bodies
        if entries != self._entries.maxlen:
            self._entries = deque(self._entries, maxlen=entries)

    def open(self, request: Request, route: str) -> Entry:
        """Note the arrival of a request."""
        self._seq += 1
        clock = self._clock
        entry = Entry(self._seq, clock.monotonic(), clock.time(), request, route, len(request.body))
        self._entries.append(entry)
        self._tell()
        return entry

    def applied(self, entry: Entry) -> None:
        """Note that a request took effect."""
        entry.applied = True
        self._tell()

    def close(self, entry: Entry, answer: Answer | None, bytes_out: int) -> None:
        """Note the end of an exchange."""
        entry.bytes_out = bytes_out
        entry.duration_seconds = self._clock.monotonic() - entry.received_at
        status = answer.status if answer else None
        self._counts[entry.request.method, entry.route, status] += 1
        if self._bodies:
            entry.answer = answer
        else:
            entry.answer = answer and Answer(answer.status, headers=answer.headers)
            entry.request = _without_body(entry.request)
        self._tell()

    def select(self, wanted: Wanted) -> Iterator[Entry]:
        """Yield the entries asked for, oldest first."""
        return (entry for entry in self._entries if wanted.matches(entry))

    def counts(self) -> list[dict[str, Any]]:
        """Return how many exchanges ended how, per method and route, forgotten ones included."""
        return [
            {"method": method, "route": route, "status": status, "calls": calls}
            for (method, route, status), calls in sorted(self._counts.items(), key=str)
        ]

    def peak(self, wanted: Wanted, window_seconds: float) -> int:
        """Return the most requests that arrived in any window of so many seconds."""
        window: deque[float] = deque()
        most = 0
        for entry in self.select(wanted):
            window.append(entry.received_at)
            while window[0] <= entry.received_at - window_seconds:
                window.popleft()
            most = max(most, len(window))
        return most

    async def wait(self, wanted: Wanted, calls: int, timeout_seconds: float) -> bool:
        """Wait until so many entries match; return whether they do."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while sum(1 for _ in self.select(wanted)) < calls:
                    await self._next_change()
        except TimeoutError:
            return False
        return True

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        self._entries.clear()
        self._counts.clear()

    def _next_change(self) -> asyncio.Future[None]:
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        return change

    def _tell(self) -> None:
        for change in self._waiting:
            if not change.done():
                change.set_result(None)
        self._waiting.clear()


def fingerprint(secret: str) -> str:
    """Return a short name by which a secret can be told from others, and not be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def _kept(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if secret:
        kept["authorization"] = f"{scheme} sha256:{fingerprint(secret)}"
    if "x-api-token" in headers:
        kept["x-api-token"] = f"sha256:{fingerprint(headers['x-api-token'])}"
    return kept


def _readable(
    body: bytes, headers: dict[str, str], secret: frozenset[str] = _SECRET_FIELDS
) -> Json:
    if not body:
        return None
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        return _masked(form, secret)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
    return _masked(value, secret) if isinstance(value, dict) else value


def _without_token(route: str, path: str) -> str:
    if not route.endswith("/{token}"):
        return path
    before, _, token = path.rpartition("/")
    return f"{before}/sha256:{fingerprint(token)}"


def _masked(fields: dict[str, Any], secret: frozenset[str]) -> dict[str, Any]:
    return {
        name: f"sha256:{fingerprint(value)}" if name in secret and isinstance(value, str) else value
        for name, value in fields.items()
    }


def _without_secrets(query: dict[str, list[str]]) -> dict[str, list[str]]:
    return {
        name: [f"sha256:{fingerprint(value)}" for value in values]
        if name in _SECRET_FIELDS
        else values
        for name, values in query.items()
    }


def _without_body(request: Request) -> Request:
    return Request(
        request.method, request.path, request.query, request.headers, b"", request.keep_alive
    )
