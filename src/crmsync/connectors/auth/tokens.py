"""Where a connection's tokens are kept between calls, threads and processes.

The database keeps them for real (`store.tokens`, handed over by `bootstrap`: connectors know no
store); `MemoryTokens` keeps them for one process.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from crmsync.model import KeptTokens, Refusal, Tokens


class TokenStore(Protocol):
    """The tokens of one connection, with a version that grows by one each time they change."""

    def load(self) -> KeptTokens:
        """Return what is kept; version 0 where nothing is."""
        ...

    def claim(self, version: int, seconds: float) -> str | None:
        """Lease the right to renew the tokens of this version; return the lease.

        None: somebody else has it, or the version is no longer this.
        """
        ...

    def save(self, tokens: Tokens, after: int | None) -> int | None:
        """Keep new tokens in the place of version `after` (None: of any), ending every lease.

        Returns their version once they are durable; None where others were kept meanwhile.
        """
        ...

    def refuse(self, refusal: Refusal, version: int) -> bool:
        """Keep it that the CRM renews this version no more, until others are saved; ends the lease.

        Returns whether this is news, so that one of many callers raises the alarm.
        """
        ...

    def release(self, lease: str) -> None:
        """End a lease that led to nothing."""
        ...


class MemoryTokens:
    """The tokens of a connection that one process uses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = KeptTokens()
        self._granted_at = self._refused_at = clock()
        self._lease: tuple[str, float] | None = None

    def load(self) -> KeptTokens:
        """See TokenStore."""
        with self._lock:
            now = self._clock()
            return replace(
                self._kept,
                age_seconds=now - self._granted_at,
                refused_seconds_ago=now - self._refused_at,
            )

    def claim(self, version: int, seconds: float) -> str | None:
        """See TokenStore."""
        with self._lock:
            now = self._clock()
            if version != self._kept.version or (self._lease and self._lease[1] > now):
                return None
            self._lease = secrets.token_hex(16), now + seconds
            return self._lease[0]

    def save(self, tokens: Tokens, after: int | None) -> int | None:
        """See TokenStore."""
        with self._lock:
            if after not in {None, self._kept.version}:
                return None
            self._kept = KeptTokens(self._kept.version + 1, tokens)
            self._granted_at, self._lease = self._clock(), None
            return self._kept.version

    def refuse(self, refusal: Refusal, version: int) -> bool:
        """See TokenStore."""
        with self._lock:
            if version != self._kept.version:
                return False
            news = self._kept.refusal != refusal
            self._kept = replace(self._kept, refusal=refusal)
            self._refused_at, self._lease = self._clock(), None
            return news

    def release(self, lease: str) -> None:
        """See TokenStore."""
        with self._lock:
            if self._lease and self._lease[0] == lease:
                self._lease = None
