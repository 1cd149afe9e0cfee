"""Who we are to a CRM: what each call is made with, and what to do when the CRM refuses it.

`http.Transport` asks `access` before each call and `renewed` when the CRM does not accept it; a
connector only says which headers carry a token. Where tokens come from is decided in
`credentials.py`; how several workers renew one grant without revoking it, in `renewal.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from crmsync.connectors.auth.tokens import TokenStore
from crmsync.errors import ConnectionHalted


@dataclass(frozen=True, slots=True)
class Access:
    """What a call is made with."""

    token: str = field(repr=False)
    version: int = 0
    """Of the stored tokens; 0 for a token that stands in crmsync.yaml."""
    host: str | None = None
    """The API's own address as the CRM named it with the token (`instance_url`, `api_domain`)."""


Headers = Callable[[Access], Mapping[str, str]]
"""Returns the headers that prove who we are."""


def bearer(access: Access) -> Mapping[str, str]:
    """Return the header most CRMs take a token in."""
    return {"Authorization": f"Bearer {access.token}"}


class Authorisation(Protocol):
    """A connection's credentials. Safe to use from many threads."""

    def access(self, within_seconds: float) -> Access:
        """Return what to call with, renewed first where it is about to expire.

        Raises ConnectionHalted when a person must act, Unavailable when no token could be had
        within the time.
        """
        ...

    def renewed(self, refused: Access, within_seconds: float) -> Access | None:
        """Return what to call with after the CRM refused an access; None: there is nothing else.

        Raises as `access` does.
        """
        ...


class FixedToken:
    """A token that stands in crmsync.yaml, by way of the environment."""

    def __init__(self, token: str) -> None:
        """Use this token."""
        self._access = Access(token)

    def access(self, within_seconds: float) -> Access:  # noqa: ARG002 - nothing to wait for
        """See Authorisation."""
        return self._access

    def renewed(self, refused: Access, within_seconds: float) -> None:
        """See Authorisation: only a person can give another."""


class KeptToken:
    """A token that `crmsync connect` was given; a newer one is found without a restart."""

    def __init__(self, connection: str, tokens: TokenStore) -> None:
        """Read the token of a connection on first use."""
        self._connection = connection
        self._tokens = tokens
        self._access: Access | None = None

    def access(self, within_seconds: float) -> Access:  # noqa: ARG002 - nothing to wait for
        """See Authorisation."""
        access = self._access or self._read()
        if access is None:
            raise ConnectionHalted(
                f"connection '{self._connection}' has no token",
                cause="reauth_required",
                hint=f"set the variable that crmsync.yaml takes it from, or run `crmsync connect"
                f" {self._connection}`",
            )
        return access

    def renewed(self, refused: Access, within_seconds: float) -> Access | None:  # noqa: ARG002
        """See Authorisation."""
        access = self._read()
        return access if access is not None and access.version > refused.version else None

    def _read(self) -> Access | None:
        kept = self._tokens.load()
        if kept.tokens is not None and not kept.tokens.client_id:
            self._access = Access(kept.tokens.access, kept.version)
        return self._access
