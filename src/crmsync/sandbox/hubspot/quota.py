"""HubSpot's rate limits: calls per 10 s and token, per day and account, and searches per second."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.hubspot.errors import ApiError
from crmsync.sandbox.hubspot.settings import HubSpotSettings
from crmsync.sandbox.limits import DailyCount, RollingWindow, time_zone

Pool = Literal["api", "search", "associations"]

_BURST_SECONDS = 10.0
_SEARCH_SECONDS = 1.0
_ASSOCIATIONS_A_DAY = 500_000


@dataclass(frozen=True, slots=True)
class _Policy:
    name: str
    words: str


_TEN_SECONDLY = _Policy("TEN_SECONDLY_ROLLING", "ten_secondly_rolling")
_SECONDLY = _Policy("SECONDLY", "secondly")
_DAILY = _Policy("DAILY", "daily")


class Quota:
    """What has been used of the limits of one portal."""

    def __init__(self, clock: Clock, settings: HubSpotSettings, chance: random.Random) -> None:
        """Count from now on."""
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._windows: dict[tuple[str, str], RollingWindow] = {}
        self._days: dict[Pool, DailyCount] = {}
        self.configure(settings)

    def configure(self, settings: HubSpotSettings) -> None:
        """Go on with other limits; what was used stays used, unless the time zone changes."""
        if not self._days or settings.time_zone != self._settings.time_zone:
            zone = time_zone(settings.time_zone)
            self._days = {"api": DailyCount(zone), "associations": DailyCount(zone)}
        self._settings = settings

    def admit(self, pool: Pool, app: str) -> dict[str, str]:
        """Count a call of an app and return the headers that tell what is left; 429 if too many."""
        settings = self._settings
        if not settings.limits:
            return {}
        owner, seconds, limit, policy = self._rolling(pool, app)
        window = self._windows.setdefault((pool, owner), RollingWindow(seconds))
        day, daily_limit = self._daily(pool)
        now, today = self._clock.monotonic(), self._clock.time()
        used, used_today = window.used(now), day.used(today)
        refusal = None
        if daily_limit is not None and used_today >= daily_limit:
            refusal = _DAILY
        elif used >= limit:
            refusal = policy
        if refusal is None or settings.refused_calls_count:
            window.add(now)
            if pool != "search" or settings.search_counts_daily:
                day.add()
        if refusal is not None:
            raise self._refused(pool, refusal, self._headers(pool, limit, limit, used_today))
        return self._headers(pool, limit, used + 1, used_today + 1)

    def _rolling(self, pool: Pool, app: str) -> tuple[str, float, int, _Policy]:
        settings = self._settings
        if pool == "search":
            # All apps of the account together.
            return "", _SEARCH_SECONDS, settings.search_per_second, _SECONDLY
        if pool == "associations":
            return app, _BURST_SECONDS, settings.association_limit, _TEN_SECONDLY
        return app, _BURST_SECONDS, settings.burst_limit, _TEN_SECONDLY

    def _daily(self, pool: Pool) -> tuple[DailyCount, int | None]:
        if pool == "associations":
            return self._days["associations"], _ASSOCIATIONS_A_DAY
        return self._days["api"], self._settings.daily_limit

    def _headers(self, pool: Pool, limit: int, used: int, used_today: int) -> dict[str, str]:
        _, daily_limit = self._daily(pool)
        daily = {}
        if daily_limit is not None:
            daily = {
                "X-HubSpot-RateLimit-Daily": str(daily_limit),
                "X-HubSpot-RateLimit-Daily-Remaining": str(max(daily_limit - used_today, 0)),
            }
        if pool == "search":
            share = self._settings.search_daily_header_probability
            return daily if share and self._chance.random() < share else {}
        return {
            **daily,
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(limit),
            "X-HubSpot-RateLimit-Remaining": str(max(limit - used, 0)),
            "X-HubSpot-RateLimit-Secondly": str(limit // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(max((limit - used) // 10, 0)),
        }

    def _refused(self, pool: Pool, policy: _Policy, headers: dict[str, str]) -> ApiError:
        more = {"errorType": "RATE_LIMIT", "policyName": policy.name}
        if pool == "search" and self._settings.search_429_bare:
            more = {}
        error = ApiError(429, f"You have reached your {policy.words} limit.", **more)
        error.headers = headers
        if self._settings.retry_after_seconds is not None:
            error.headers = {**headers, "Retry-After": str(self._settings.retry_after_seconds)}
        return error
