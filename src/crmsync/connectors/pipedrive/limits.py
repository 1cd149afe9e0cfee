"""What calls cost, how many a company grants, and which of its two limits a 429 is about.

Source: pipedrive.readme.io, "Rate limiting", and `x-token-cost` in the OpenAPI file, read 2026-10.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from crmsync.connectors.base import Connection, Limit
from crmsync.connectors.waits import MAX_WAIT_SECONDS, retry_after
from crmsync.connectors.windows import DAY_SECONDS, with_overrides

READ_ONE, READ_ME, DELETE, WRITE, LIST, LIST_ARCHIVED, SEARCH = 1, 2, 3, 5, 10, 20, 20
LIST_SHORT, LIST_USERS, MERGE = 5, 20, 40
LIST_WEBHOOKS, ADD_WEBHOOK, DELETE_WEBHOOK = 10, 10, 6
"""Tokens of the day that a call costs, whatever the size of its page."""
BURST_SECONDS = 2.0
TOKEN_BURST, OAUTH_BURST, SEARCH_BURST = 20, 80, 10
"""Calls per rolling 2 s of one user, on the lowest plan (Lite)."""
DAILY_TOKENS = 30_000
"""Of a company with one seat on the lowest plan; everybody in the company uses them up."""
REFUSALS_OF_A_BURST = 5
"""How often in a row a burst is waited out, twice as long each time, before a 429 is taken to mean
that the day's tokens are spent: the two look alike, and no burst lasts a minute."""
TOKENS_LEFT = "x-daily-ratelimit-token-remaining"
"""An undocumented header, sometimes there."""


def limits_of(connection: Connection) -> tuple[Limit, ...]:
    """Return the account's limits: the lowest plan's where crmsync.yaml says nothing."""
    burst = OAUTH_BURST if "oauth" in connection.auth else TOKEN_BURST
    defaults = (
        Limit("calls_per_2s", burst, BURST_SECONDS),
        Limit("search_per_2s", SEARCH_BURST, BURST_SECONDS, scope="search"),
        Limit("daily_tokens", DAILY_TOKENS, DAY_SECONDS, unit="token"),
    )
    return with_overrides(defaults, connection.limits)


class Refusals:
    """The 429s in a row of one connection in this process. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any."""
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._counted_until = 0.0

    def end(self) -> None:
        """Note that a call was let in."""
        self._count = 0

    def wait_seconds(self, headers: Mapping[str, str]) -> float:
        """Return how long to leave the CRM alone after a 429.

        Calls that were under way at the same time are one refusal: a new one begins only when the
        wait for the one before is over.
        """
        if headers.get(TOKENS_LEFT) == "0":
            return MAX_WAIT_SECONDS
        with self._lock:
            now = self._clock()
            if now >= self._counted_until:
                self._count += 1
                self._counted_until = now + self._wait
            return retry_after(headers.get("Retry-After"), self._wait)

    @property
    def _wait(self) -> float:
        if self._count > REFUSALS_OF_A_BURST:
            return MAX_WAIT_SECONDS
        return BURST_SECONDS * 2.0 ** max(self._count - 1, 0)
