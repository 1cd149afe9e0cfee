"""The org's allowance of API calls: in 24 hours, and of long ones at once.

There is no limit per second, and no answer says when to come back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Request
from crmsync.sandbox.limits import RollingWindow
from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.settings import SalesforceSettings

_DAY_SECONDS = 86_400.0
LONG_CALL_SECONDS = 20.0
"""From when on a call that is under way counts as a long one."""


class Usage:
    """What the org has used of its allowance."""

    def __init__(self, clock: Clock, settings: Callable[[], SalesforceSettings]) -> None:
        """Count from now on."""
        self._clock = clock
        self._settings = settings
        self._calls = RollingWindow(_DAY_SECONDS)
        self._started: dict[int, float] = {}
        """When each call that is under way began, in monotonic seconds."""
        self._last = 0

    def admit(self, request: Request) -> None:
        """Count a call; 403 where the org has none left or too many long ones are under way."""
        now = self._clock.monotonic()
        if self._settings().limits:
            if self._calls.used(now) >= self._settings().daily_limit:
                raise errors.daily_limit()
            long_ones = sum(now - begun >= LONG_CALL_SECONDS for begun in self._started.values())
            if long_ones >= self._settings().long_call_limit:
                raise errors.concurrent_limit()
        self._calls.add(now)
        self._last += 1
        number = self._last
        self._started[number] = now
        request.at_end.append(lambda: self._started.pop(number, None))

    def spend(self, calls: int) -> None:
        """Let other integrations of the org have made so many calls just now."""
        for _ in range(calls):
            self._calls.add(self._clock.monotonic())

    def header(self) -> str:
        """Return what `Sforce-Limit-Info` says."""
        settings = self._settings()
        usage = f"{self._used()}/{settings.daily_limit}"
        if settings.app_name is None:
            return f"api-usage={usage}"
        return f"api-usage={usage}; per-app-api-usage={usage}(appName={settings.app_name})"

    def report(self) -> dict[str, Any]:
        """Return what the limits call answers."""
        limit = self._settings().daily_limit
        calls = {"Max": limit, "Remaining": max(limit - self._used(), 0)}
        return {
            "DailyApiRequests": calls,
            "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            "DataStorageMB": {"Max": 1024, "Remaining": 1024},
        }

    def _used(self) -> int:
        return self._calls.used(self._clock.monotonic())
