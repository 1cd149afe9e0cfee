"""Webhooks as a simulated CRM sends them: real POSTs, from one task behind the server.

A delivery that is not answered 2xx in time is made again after the vendor's waits, then given up.
On order deliveries are lost, come twice, late, in another order, again, or altered: `actions` is
that order book for the control API. Everything happens on the event loop of the server.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.crm import ControlError

TIMEOUT_SECONDS = 5.0
_REMEMBERED = 1000
_OK = range(200, 300)

Content = tuple[bytes, Mapping[str, str]]
"""Body and headers."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What befalls deliveries on their way."""

    drop: float = 0.0
    """The share that is lost and never made again."""
    repeat: int = 0
    """How many more times each one is made."""
    delay_seconds: float = 0.0
    """How long each one waits, by the simulated clock."""
    shuffle: bool = False
    """Whether those that wait go in any order."""


@dataclass(frozen=True, slots=True, eq=False)
class _Parcel:
    """One delivery to make."""

    number: int
    url: str
    compose: Callable[[int], Content]
    attempt: int = 0
    heard: Callable[[int, int | None], None] | None = None
    """Told of each attempt's number and status."""


@dataclass(frozen=True, slots=True)
class _Made:
    """One delivery as it was made."""

    parcel: _Parcel
    content: Content
    at: float
    status: int | None
    """None where there was no answer in time."""


class Deliveries:
    """What one simulated CRM sends to other people's addresses."""

    def __init__(
        self,
        clock: Clock,
        *,
        retry_seconds: Sequence[float] = (),
        timeout_seconds: float = TIMEOUT_SECONDS,
        seed: int = 0,
    ) -> None:
        """Send nothing yet. `retry_seconds`: the wait before each further attempt."""
        self._clock = clock
        self._retry_seconds = tuple(retry_seconds)
        self._timeout_seconds = timeout_seconds
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._faults = Faults()
        self._sent = 0
        self._late: set[_Parcel] = set()
        self._queue: deque[_Parcel] = deque()
        self._under_way: _Parcel | None = None
        self._made: deque[_Made] = deque(maxlen=_REMEMBERED)
        self._task: asyncio.Task[None] | None = None

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """POST a body in the background; `ControlError` for an address that is not loopback."""
        self.send_composed(url, lambda _attempt: (body, headers))

    def send_composed(
        self,
        url: str,
        compose: Callable[[int], Content],
        heard: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """POST what `compose` makes of the attempt's number, counted from 0.

        `heard` is told the number and status of each attempt; None where no answer came in time.
        """
        check_loopback(url)
        self._sent += 1
        parcel = _Parcel(self._sent, url, compose, heard=heard)
        if self._faults.drop and self._chance.random() < self._faults.drop:
            return
        for _ in range(1 + self._faults.repeat):
            self._put(replace(parcel), self._faults.delay_seconds)

    def settings(
        self,
        drop: float = 0.0,
        repeat: int = 0,
        delay_seconds: float = 0.0,
        shuffle: bool = False,  # noqa: FBT001, FBT002 - named by the control API
    ) -> dict[str, Any]:
        """Say what befalls deliveries from now on: nothing, where nothing is named."""
        self._faults = Faults(drop, repeat, delay_seconds, shuffle)
        return asdict(self._faults)

    def pending(self) -> int:
        """Return how many deliveries wait or are under way."""
        return len(self._late) + len(self._queue) + (self._under_way is not None)

    def log(self) -> list[dict[str, Any]]:
        """Return what was sent, oldest first; status is null where there was no answer in time."""
        return [
            {
                "number": made.parcel.number,
                "url": made.parcel.url,
                "attempt": made.parcel.attempt,
                "at": made.at,
                "status": made.status,
            }
            for made in self._made
        ]

    def redeliver(self, number: int, body: str | None = None) -> None:
        """Send an old delivery again, with the proof it had; with another body it is forged."""
        made = next((made for made in self._made if made.parcel.number == number), None)
        if made is None:
            raise ControlError(f"no delivery {number} was made")
        old_body, headers = made.content
        self.send(made.parcel.url, old_body if body is None else body.encode(), headers)

    def forget(self) -> None:
        """Drop what is on its way, what was delivered, and the faults."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._chance.seed(self._seed)
        self._late.clear()
        self._queue.clear()
        self._made.clear()
        self._faults = Faults()

    def actions(self) -> dict[str, Callable[..., Any]]:
        """Return what the control API offers of this."""
        return {
            "delivery_faults": self.settings,
            "pending_deliveries": self.pending,
            "delivery_log": self.log,
            "redeliver": self.redeliver,
        }

    # --- on the way -------------------------------------------------------------------------

    def _put(self, parcel: _Parcel, delay_seconds: float) -> None:
        if delay_seconds <= 0:
            self._enqueue(parcel)
            return
        self._late.add(parcel)
        self._clock.later(delay_seconds, lambda: self._arrive(parcel))

    def _arrive(self, parcel: _Parcel) -> None:
        if parcel in self._late:
            self._late.remove(parcel)
            self._enqueue(parcel)

    def _enqueue(self, parcel: _Parcel) -> None:
        self._queue.append(parcel)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        # One turn, so that everything a request brings about is in the queue to be shuffled.
        await asyncio.sleep(0)
        while self._queue:
            if self._faults.shuffle:
                self._chance.shuffle(self._queue)
            parcel = self._under_way = self._queue.popleft()
            try:
                await self._deliver(parcel)
            finally:
                self._under_way = None

    async def _deliver(self, parcel: _Parcel) -> None:
        content = parcel.compose(parcel.attempt)
        at = self._clock.time()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await _post(parcel.url, *content)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            status = None
        self._made.append(_Made(parcel, content, at, status))
        if parcel.heard is not None:
            parcel.heard(parcel.attempt, status)
        if status not in _OK and parcel.attempt < len(self._retry_seconds):
            again = replace(parcel, attempt=parcel.attempt + 1)
            self._put(again, self._retry_seconds[parcel.attempt])


def check_loopback(url: str) -> None:
    """Raise `ControlError` unless the address is plain HTTP on this very machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if parts.scheme != "http" or not inside:
        raise ControlError(f"a simulated CRM delivers to http on loopback only, not to {url}")


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Return the status of the answer; its body is of no interest."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    head = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        **headers,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        await writer.drain()
        status_line = await reader.readuntil(b"\r\n")
    finally:
        writer.close()
    return int(status_line.split(b" ", 2)[1])
