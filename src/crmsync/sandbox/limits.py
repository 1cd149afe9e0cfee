"""Counting calls the way CRMs do: in a window that rolls, and in days that end at midnight."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class RollingWindow:
    """The calls of the last so many seconds."""

    def __init__(self, seconds: float) -> None:
        """Count over so many seconds."""
        self.seconds = seconds
        self._calls: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return how many calls lie in the window that ends now (monotonic seconds)."""
        calls = self._calls
        while calls and calls[0] <= now - self.seconds:
            calls.popleft()
        return len(calls)

    def add(self, now: float) -> None:
        """Count a call."""
        self._calls.append(now)


class DailyCount:
    """The calls since midnight in one time zone."""

    def __init__(self, zone: tzinfo) -> None:
        """Count days of this time zone."""
        self._zone = zone
        self._day = 0
        self._calls = 0

    def used(self, now: float) -> int:
        """Return the calls of the day that is under way (seconds since 1970)."""
        day = datetime.fromtimestamp(now, self._zone).toordinal()
        if day != self._day:
            self._day, self._calls = day, 0
        return self._calls

    def add(self, calls: int = 1) -> None:
        """Count calls of the day last asked about."""
        self._calls += calls


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name; `ValueError` where there is none such."""
    if name == "UTC":
        return UTC  # works on machines without a time zone database
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"time_zone: no such time zone here: {name}") from None
