"""Renewing tokens once, however many workers need them.

A refresh token that is used twice can cost the whole grant, so whoever renews holds a lease in the
database, and keeps what the CRM answered before anybody uses it. The others wait for that, or go on
with the old token where it is still good. A worker killed between the answer and its keeping leaves
a refresh token that the CRM may not accept again: that ends in a halt, never in a loop
(docs/connecting.md, "What can go wrong").
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import structlog

from crmsync.connectors.auth.authorisation import Access
from crmsync.connectors.auth.grants import Granting
from crmsync.connectors.auth.token_calls import AlreadyRenewing
from crmsync.connectors.auth.tokens import TokenStore
from crmsync.errors import (
    ConnectionHalted,
    OutcomeUnknown,
    RetryLater,
    SealBroken,
    StoreUnavailable,
    Unavailable,
)
from crmsync.model import KeptTokens, Refusal, Tokens

CALL_SECONDS = 15.0
"""Of one token call, or a request's deadline where that is shorter. Not cut short for a caller who
is in a hurry: an answer that is not waited for can cost the grant."""
LEASE_SLACK_SECONDS = 5.0
"""A lease outlives the call it is for."""
GRACE_SECONDS = 10.0
"""How long a token that could not be renewed early is used before that is tried again."""
LOOK_SECONDS = 60.0
"""How old our knowledge of the kept tokens may be. A worker that slept through two renewals would
otherwise be refused twice in one call, and take the second refusal for the last word."""
REFUSED_SECONDS = 900.0
"""How long a mistake in the app is taken to last; a withdrawn grant lasts until `connect`."""
FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 0.05, 1.0
"""Between looks at what another worker's renewal came to."""

log = structlog.get_logger()


class Renewing:
    """The authorisation of a connection whose tokens expire. See `authorisation.Authorisation`."""

    def __init__(  # noqa: PLR0913 - what it joins, two times and two seams of a test
        self,
        connection: str,
        grant: Granting,
        tokens: TokenStore,
        *,
        margin_seconds: float,
        call_seconds: float = CALL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask for nothing yet."""
        self._connection = connection
        self._grant = grant
        self._tokens = tokens
        self._margin = margin_seconds
        self._call_seconds = call_seconds
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._access: Access | None = None
        self._good_until = 0.0
        self._unkept: tuple[Tokens, int] | None = None
        """What the CRM granted while the database was away, and the version it replaces."""

    def access(self, within_seconds: float) -> Access:
        """See Authorisation."""
        access = self._access
        if access is not None and self._clock() < self._good_until:
            return access
        return self._obtain(-1, within_seconds)

    def renewed(self, refused: Access, within_seconds: float) -> Access:
        """See Authorisation: of any version but the one that was refused, or older."""
        return self._obtain(refused.version, within_seconds)

    def _obtain(self, spent: int, within_seconds: float) -> Access:
        """Return an access newer than version `spent`; one thread at a time."""
        give_up_at = self._clock() + within_seconds
        if not self._lock.acquire(timeout=within_seconds):
            raise self._too_late()
        try:
            return self._newer(spent, give_up_at)
        except StoreUnavailable as away:
            raise Unavailable(away.user_message, was_sent=False) from away
        except SealBroken as broken:
            raise ConnectionHalted(
                f"the tokens of '{self._connection}' cannot be opened",
                cause="reauth_required",
                hint=f"give the old key to CRMSYNC_KEYS, or run `crmsync connect"
                f" {self._connection}`",
            ) from broken
        finally:
            self._lock.release()

    def _newer(self, spent: int, give_up_at: float) -> Access:
        """Find or renew; whoever cannot have the lease looks again until somebody has renewed."""
        pause = FIRST_LOOK_SECONDS
        while True:
            if self._unkept is not None:
                self._keep(*self._unkept)
            kept = self._tokens.load()
            mine = kept.tokens if kept.tokens is not None and self._is_ours(kept.tokens) else None
            usable = mine is not None and kept.version > spent
            if mine and usable and kept.age_seconds < self._renew_after(mine):
                return self._take(mine, kept)
            self._stop_if_refused(kept)
            if lack := self._grant.lacks(mine):
                raise lack
            lease = self._tokens.claim(kept.version, self._call_seconds + LEASE_SLACK_SECONDS)
            if lease is not None:
                return self._renew(lease, kept, mine, usable=usable)
            if mine and usable and _lasts(mine, kept):
                return self._take(mine, kept, early=True)
            left = give_up_at - self._clock()
            if left <= 0:
                raise self._too_late()
            self._sleep(min(pause * random.uniform(0.5, 1), left))  # noqa: S311 - only jitter
            pause = min(pause * 2, LAST_LOOK_SECONDS)

    def _renew(self, lease: str, kept: KeptTokens, mine: Tokens | None, *, usable: bool) -> Access:
        """Ask the CRM, under the lease."""
        try:
            # Somebody may have been refused, and ended the lease, since we looked.
            self._stop_if_refused(self._tokens.load())
        except BaseException:
            self._tokens.release(lease)
            raise
        try:
            tokens = self._ask(mine)
        except ConnectionHalted as refusal:
            return self._refused(refusal, kept)
        except (RetryLater, OutcomeUnknown) as trouble:
            self._tokens.release(lease)
            if mine and usable and _lasts(mine, kept):
                return self._take(mine, kept, early=True)
            if isinstance(trouble, RetryLater):
                raise
            raise Unavailable(trouble.user_message) from trouble
        except BaseException:
            self._tokens.release(lease)
            raise
        return self._keep(tokens, kept.version)

    def _ask(self, mine: Tokens | None) -> Tokens:
        """Ask once, or twice where another renewal is under way; all within the lease."""
        ends_at = self._clock() + self._call_seconds
        try:
            return self._grant.ask(mine, self._call_seconds)
        except AlreadyRenewing as busy:
            left = ends_at - self._clock() - busy.retry_after_seconds
            if left < self._call_seconds / 2:
                raise
            self._sleep(busy.retry_after_seconds)
            return self._grant.ask(mine, left)

    def _keep(self, tokens: Tokens, after: int) -> Access:
        """Keep new tokens, then use them; those of somebody else who was faster come first."""
        self._unkept = tokens, after
        version = self._tokens.save(tokens, after)
        self._unkept = None
        if version is not None:
            return self._take(tokens, KeptTokens(version, tokens))
        kept = self._tokens.load()
        return self._take(kept.tokens or tokens, kept)

    def _refused(self, refusal: ConnectionHalted, kept: KeptTokens) -> Access:
        """Use what somebody else has got meanwhile; else keep the refusal and halt."""
        now = self._tokens.load()
        if now.version > kept.version and now.tokens is not None and self._is_ours(now.tokens):
            return self._take(now.tokens, now)
        stated = Refusal(
            refusal.cause,
            refusal.user_message,
            refusal.hint,
            self._grant.client_id,
            self._grant.given,
        )
        if self._tokens.refuse(stated, kept.version):
            log.error("halted", connection=self._connection, cause=refusal.cause,
                      why=refusal.user_message, hint=refusal.hint)  # fmt: skip
        raise refusal

    def _stop_if_refused(self, kept: KeptTokens) -> None:
        """Halt without a call where the CRM has refused these very credentials."""
        refusal = kept.refusal
        if refusal is None or not self._is_ours(refusal):
            return
        lasts = refusal.cause == "reauth_required" or kept.refused_seconds_ago < REFUSED_SECONDS
        if lasts:
            raise ConnectionHalted(refusal.message, cause=refusal.cause, hint=refusal.hint)

    def _is_ours(self, kept: Tokens | Refusal) -> bool:
        """Whether it concerns the credentials that stand in crmsync.yaml now."""
        grant = self._grant
        return kept.client_id == grant.client_id and grant.given in {None, kept.given}

    def _take(self, tokens: Tokens, kept: KeptTokens, *, early: bool = False) -> Access:
        """Use tokens from now on; `early`: they are about to expire."""
        left = GRACE_SECONDS if early else self._renew_after(tokens) - kept.age_seconds
        self._good_until = self._clock() + min(left, LOOK_SECONDS)
        self._access = Access(tokens.access, kept.version, tokens.host)
        return self._access

    def _renew_after(self, tokens: Tokens) -> float:
        """Return the age in seconds from which tokens are renewed early."""
        if tokens.lifetime_seconds is None:
            return float("inf")
        return tokens.lifetime_seconds - min(self._margin, tokens.lifetime_seconds / 6)

    def _too_late(self) -> Unavailable:
        message = f"the token of '{self._connection}' is still being renewed"
        return Unavailable(message, was_sent=False)


def _lasts(tokens: Tokens, kept: KeptTokens) -> bool:
    """Whether an access token is good for a moment yet."""
    return tokens.lifetime_seconds is None or kept.age_seconds < tokens.lifetime_seconds - 1
