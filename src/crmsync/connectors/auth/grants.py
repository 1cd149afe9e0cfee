"""Asking a CRM for tokens: one call of each grant, and what its answer means.

A grant knows what crmsync.yaml says; it keeps nothing. `renewal.py` decides when one is asked and
keeps what it answers, `consent.py` begins an `oauth` one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import jwt
import orjson

from crmsync.connectors.auth.token_calls import TokenCalls
from crmsync.errors import ConnectionHalted
from crmsync.model import Tokens

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SECONDS = 180
"""How long an assertion is good for: salesforce.com accepts about 3 minutes (read 2026-10)."""


class Granting(Protocol):
    """One way of one connection to get tokens."""

    @property
    def client_id(self) -> str:
        """The app that asks."""
        ...

    @property
    def given(self) -> str | None:
        """A hash of the secrets in crmsync.yaml that the first tokens come from, if any do."""
        ...

    def lacks(self, kept: Tokens | None) -> ConnectionHalted | None:
        """Return what says that there is nothing to ask with yet; None where there is."""
        ...

    def ask(self, kept: Tokens | None, within_seconds: float) -> Tokens:
        """Return new tokens, given those that there were.

        Raises ConnectionHalted when the CRM refuses; RetryLater, and OutcomeUnknown when the answer
        was lost, so that a refresh token may have been used up.
        """
        ...


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """`oauth`: a refresh token, of a person's consent or the first one out of crmsync.yaml."""

    connection: str
    calls: TokenCalls
    client_id: str
    first: str | None = field(repr=False)

    @property
    def given(self) -> str | None:
        """See Granting."""
        return fingerprint(self.first) if self.first else None

    def lacks(self, kept: Tokens | None) -> ConnectionHalted | None:
        """See Granting."""
        if self.first or (kept and kept.refresh):
            return None
        return ConnectionHalted(
            f"connection '{self.connection}' is not authorised yet",
            cause="reauth_required",
            hint=f"run `crmsync connect {self.connection}`",
        )

    def ask(self, kept: Tokens | None, within_seconds: float) -> Tokens:
        """See Granting. The CRM may answer with another refresh token, or with none."""
        refresh = (kept.refresh if kept else None) or self.first or ""
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        got = self.calls.ask(form, kept.auth_host if kept else None, within_seconds)
        return Tokens(
            access=got.access,
            refresh=got.refresh or refresh,
            lifetime_seconds=got.lifetime_seconds,
            host=got.host or (kept.host if kept else None),
            auth_host=kept.auth_host if kept else None,
            client_id=self.client_id,
            given=self.given,
        )


@dataclass(frozen=True, slots=True)
class JwtGrant:
    """`jwt`: an assertion signed with the app's private key; nothing to keep."""

    calls: TokenCalls
    client_id: str
    username: str
    private_key: str = field(repr=False)
    audience: str
    clock: Callable[[], float] = time.time

    @property
    def given(self) -> str:
        """See Granting."""
        return fingerprint(self.username, self.private_key)

    def lacks(self, kept: Tokens | None) -> None:
        """See Granting: the key is enough."""

    def ask(self, kept: Tokens | None, within_seconds: float) -> Tokens:  # noqa: ARG002 - asked anew
        """See Granting."""
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience,
            "exp": int(self.clock()) + JWT_SECONDS,
        }
        assertion = jwt.encode(claims, self.private_key, algorithm="RS256")
        form = {"grant_type": JWT_GRANT, "assertion": assertion}
        got = self.calls.ask(form, None, within_seconds, with_client=False)
        return Tokens(
            access=got.access,
            lifetime_seconds=got.lifetime_seconds,
            host=got.host,
            client_id=self.client_id,
            given=self.given,
        )


@dataclass(frozen=True, slots=True)
class ClientCredentialsGrant:
    """`client_credentials`: the app itself, running as the user it is set to; nothing to keep."""

    calls: TokenCalls
    client_id: str
    given: str = field(repr=False)

    def lacks(self, kept: Tokens | None) -> None:
        """See Granting: the secret is enough."""

    def ask(self, kept: Tokens | None, within_seconds: float) -> Tokens:  # noqa: ARG002 - asked anew
        """See Granting."""
        got = self.calls.ask({"grant_type": "client_credentials"}, None, within_seconds)
        return Tokens(
            access=got.access,
            lifetime_seconds=got.lifetime_seconds,
            host=got.host,
            client_id=self.client_id,
            given=self.given,
        )


def fingerprint(*secrets: str) -> str:
    """Return a hash that tells secrets apart; kept only inside of what is sealed."""
    return hashlib.sha256(orjson.dumps(secrets)).hexdigest()
