"""Who we are to a CRM: what it granted us, and what it refused."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a CRM granted a connection; kept sealed."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    """None where the grant is asked for anew each time, or cannot be."""
    lifetime_seconds: float | None = None
    """Of the access token, from when it was granted; None where the CRM does not say."""
    host: str | None = None
    """The API's address, as the CRM named it."""
    auth_host: str | None = None
    """Where tokens are renewed, where that is not the vendor's usual place."""
    client_id: str = ""
    """The app it was granted to; empty for a token that a person copied out of the CRM."""
    given: str | None = field(default=None, repr=False)
    """A hash of the secrets that stood in crmsync.yaml, so that others there are taken up."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a CRM grants a connection nothing any more; see `errors.ConnectionHalted`."""

    cause: str
    message: str
    hint: str
    client_id: str = ""
    given: str | None = field(default=None, repr=False)
    """As in Tokens: whose refusal it is."""


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """A connection's tokens as they are kept, by the clock of whoever keeps them."""

    version: int = 0
    tokens: Tokens | None = None
    age_seconds: float = 0.0
    """Since the tokens were kept."""
    refusal: Refusal | None = None
    """Set where the CRM does not renew this version."""
    refused_seconds_ago: float = 0.0
