"""Credits of a rolling day, and places for calls under way at once.

Sources: zoho.com/crm/developer/docs/api/v8/api-limits.html. A call is charged when it is let in,
whatever becomes of it; one that is refused here costs nothing. Whether that is so is not confirmed.
"""

from __future__ import annotations

from collections import deque

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Request
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.settings import ZohoSettings

_DAY_SECONDS = 86_400.0
_TOLD_FROM = 0.5
"""Share of the credits after which answers tell what is left."""


class Quota:
    """What has been used of the limits of one organisation."""

    def __init__(self, clock: Clock, settings: ZohoSettings) -> None:
        """Count from now on."""
        self._clock = clock
        self.settings = settings
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0
        self._under_way = 0
        self._heavy_under_way = 0

    @property
    def used(self) -> int:
        """Credits spent in the 24 hours that end now."""
        start = self._clock.monotonic() - _DAY_SECONDS
        while self._spent and self._spent[0][0] <= start:
            self._used -= self._spent.popleft()[1]
        return self._used

    def admit(self, request: Request, cost: int, *, heavy: bool) -> dict[str, str]:
        """Let a call in and return the headers that tell what is left; 429 if there is no room."""
        settings = self.settings
        if not settings.limits:
            return {}
        limit, used = settings.credit_limit, self.used
        if (
            used + cost > limit
            or self._under_way >= settings.concurrency_limit
            or (heavy and self._heavy_under_way >= settings.sub_concurrency)
        ):
            raise errors.too_many_requests()
        self.spend(cost)
        self._begin(request, heavy=heavy)
        used += cost
        return {"X-API-CREDITS-REMAINING": str(limit - used)} if used >= limit * _TOLD_FROM else {}

    def spend(self, cost: int) -> None:
        """Use up credits, as other apps of the organisation do too."""
        self._spent.append((self._clock.monotonic(), cost))
        self._used += cost

    def _begin(self, request: Request, *, heavy: bool) -> None:
        self._under_way += 1
        self._heavy_under_way += heavy

        def end() -> None:
            self._under_way -= 1
            self._heavy_under_way -= heavy

        request.at_end.append(end)
