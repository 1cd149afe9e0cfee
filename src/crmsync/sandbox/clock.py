"""The time a simulated CRM lives in: real time, plus what a test has advanced it by.

Advancing makes tokens expire, quotas reset, search indexes catch up and late writes land, without
anybody waiting for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Real time plus an offset that only grows."""

    def __init__(self) -> None:
        """Start at the real time."""
        self.advanced_seconds = 0.0
        self._pending: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.advanced_seconds

    def milliseconds(self) -> int:
        """Whole milliseconds since 1970."""
        return int((time.time() + self.advanced_seconds) * 1000)

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic() + self.advanced_seconds

    def advance(self, seconds: float) -> None:
        """Move on, and do at once what has thereby become due."""
        self.advanced_seconds += seconds
        self._run_due()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call in so many seconds of this clock. For use on the event loop."""
        self._pending.append((self.monotonic() + seconds, call))
        asyncio.get_running_loop().call_later(seconds, self._run_due)

    def forget(self) -> None:
        """Drop what is still to come."""
        self._pending.clear()

    def _run_due(self) -> None:
        now = self.monotonic()
        due = sorted((entry for entry in self._pending if entry[0] <= now), key=lambda e: e[0])
        self._pending = [entry for entry in self._pending if entry[0] > now]
        for _, call in due:
            call()
