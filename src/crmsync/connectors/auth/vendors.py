"""How tokens are had from a CRM, as data: each connector has one of these beside it as `vendor`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Grant(StrEnum):
    """A way to get tokens, by its key under `auth:` in crmsync.yaml."""

    OAUTH = "oauth"
    """A person agrees once; the refresh token of that is used from then on."""
    JWT = "jwt"
    CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True)
class Vendor:
    """What one CRM's authorisation server wants to hear, and how it answers."""

    label: str
    """Its name, for messages."""
    authorize_url: str
    """The page where a person agrees."""
    token_url: str
    api_suffixes: tuple[str, ...]
    """Where the API of any account is; each begins with a dot."""
    auth_suffixes: tuple[str, ...]
    """Where its authorisation servers are."""
    scopes: tuple[str, ...] = ()
    """What is asked for; empty where the app itself says so."""
    scope_separator: str = " "
    consent: Mapping[str, str] = field(default_factory=dict)
    """What else the page must be told."""
    grants: frozenset[Grant] = frozenset({Grant.OAUTH})
    basic_client: bool = False
    """The client's id and secret travel by HTTP Basic, not as form fields."""
    pkce: bool = False
    host_member: str | None = None
    """The member of a token answer that names the account's own API address."""
    auth_host_parameter: str | None = None
    """What the redirect after the consent calls the account's own authorisation server."""
    own_domain: bool = False
    """Tokens can be had at the account's own API address (`base_url`) too."""
    login_hosts: frozenset[str] = frozenset()
    """The servers that all accounts share: they grant no client_credentials."""
    audience_of: Callable[[str], str] = str
    """Returns whom a JWT assertion is for, given the host that it is sent to."""
    reconnect_codes: frozenset[str] = frozenset({"invalid_grant"})
    """The errors after which only a person's consent helps; others are mistakes in the app."""
    margin_seconds: float = 300.0
    """How long before its end an access token is renewed, at most a sixth of its life."""
