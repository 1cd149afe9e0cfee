"""Pipedrive's two rate limits, and what happens to those who do not heed them.

Calls per rolling 2 s and token, searches apart from all others; and the tokens of the day, which
the whole company shares and of which each call takes its price. A 429 does not say which of the two
it was. An API token that goes on regardless meets Cloudflare.
"""

from __future__ import annotations

import random

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.limits import DailyCount, RollingWindow, time_zone
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.accounts import Caller
from crmsync.sandbox.pipedrive.settings import PipedriveSettings

_BURST_SECONDS = 2.0
_REFUSAL_SECONDS = 10.0


class Quota:
    """What has been used of the limits of one company."""

    def __init__(self, clock: Clock, settings: PipedriveSettings, chance: random.Random) -> None:
        """Count from now on."""
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._windows: dict[tuple[str, bool], RollingWindow] = {}
        self._refusals: dict[str, RollingWindow] = {}
        self._blocked_until: dict[str, float] = {}
        self._day = DailyCount(time_zone(settings.time_zone))

    def configure(self, settings: PipedriveSettings) -> None:
        """Go on with other limits; what was used stays used, unless the time zone changes."""
        if settings.time_zone != self._settings.time_zone:
            self._day = DailyCount(time_zone(settings.time_zone))
        self._settings = settings

    def admit(self, caller: Caller, method: str, cost: int, *, search: bool) -> dict[str, str]:
        """Take a call's price and return the headers that tell what is left.

        A 429 if there is too little of either kind, `Blocked` once there were too many of those.
        The call that takes the last tokens of the day is let in, whatever its price.
        """
        settings = self._settings
        if not settings.limits:
            return {}
        now = self._clock.monotonic()
        if self._blocked_until.get(caller.key, now) > now:
            raise errors.Blocked
        window = self._windows.setdefault((caller.key, search), RollingWindow(_BURST_SECONDS))
        limit = settings.searches_per_2s if search else settings.burst_limit(oauth=caller.oauth)
        used, left_today = window.used(now), self.tokens_left()
        if used >= limit or left_today <= 0:
            self._note_refusal(caller, now)
            raise self._refused(limit, left_today)
        window.add(now)
        self._day.add(cost)
        headers = self._headers(limit, limit - used - 1, left_today - cost)
        if not caller.oauth and method in ("POST", "PUT"):
            headers["x-daily-requests-left"] = str(max(left_today - cost, 0))
        return headers

    def tokens_left(self) -> int:
        """Return what is left of the day's budget."""
        return self._settings.daily_budget - self._day.used(self._clock.time())

    def spend(self, tokens: int) -> None:
        """Take tokens of the day that somebody else in the company uses."""
        self._day.used(self._clock.time())
        self._day.add(tokens)

    def _note_refusal(self, caller: Caller, now: float) -> None:
        most = self._settings.refusals_before_block
        if caller.oauth or most is None:
            return
        window = self._refusals.setdefault(caller.key, RollingWindow(_REFUSAL_SECONDS))
        window.add(now)
        if window.used(now) >= most:
            self._blocked_until[caller.key] = now + self._settings.block_seconds

    def _refused(self, limit: int, left_today: int) -> errors.ApiError:
        error = errors.rate_limited()
        # The same headers for both limits, or the burst's would tell which one it was.
        error.headers = self._headers(limit, 0, left_today)
        if self._settings.retry_after_seconds is not None:
            error.headers["Retry-After"] = str(self._settings.retry_after_seconds)
        return error

    def _headers(self, limit: int, remaining: int, left_today: int) -> dict[str, str]:
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(remaining, 0)),
            "x-ratelimit-reset": str(int(_BURST_SECONDS)),
        }
        share = self._settings.daily_header_probability
        if share and self._chance.random() < share:
            headers["x-daily-ratelimit-token-limit"] = str(self._settings.daily_budget)
            headers["x-daily-ratelimit-token-remaining"] = str(max(left_today, 0))
        return headers
