"""From `auth:` in crmsync.yaml to a connection's authorisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crmsync.connectors.answers import Observer, unobserved
from crmsync.connectors.auth.authorisation import Authorisation, FixedToken, KeptToken
from crmsync.connectors.auth.grants import (
    ClientCredentialsGrant,
    Granting,
    JwtGrant,
    RefreshGrant,
    fingerprint,
)
from crmsync.connectors.auth.renewal import CALL_SECONDS, Renewing
from crmsync.connectors.auth.token_calls import Client, TokenCalls, token_address
from crmsync.connectors.auth.tokens import TokenStore
from crmsync.connectors.auth.vendors import Grant, Vendor
from crmsync.connectors.base import Connection
from crmsync.errors import ConfigError


def authorise(
    connection: Connection,
    vendor: Vendor | None,
    tokens: TokenStore,
    observe: Observer = unobserved,
) -> Authorisation:
    """Return who a connection is to its CRM; calls nobody.

    Raises ConfigError for a kind of `auth` that the CRM does not have, and for a key file that
    cannot be read.
    """
    auth = connection.auth
    token = auth.get("token")
    if "token" in auth or vendor is None:
        _demand_static(connection)
        return FixedToken(token.strip()) if token else KeptToken(connection.name, tokens)
    grant = grant_of(connection, vendor, observe)
    return Renewing(
        connection.name,
        grant,
        tokens,
        margin_seconds=vendor.margin_seconds,
        call_seconds=min(CALL_SECONDS, connection.timing.request_deadline_seconds),
    )


def grant_of(connection: Connection, vendor: Vendor, observe: Observer = unobserved) -> Granting:
    """Return how a connection gets its tokens; raises ConfigError."""
    kind, keys = _kind(connection, vendor)
    calls = TokenCalls(connection, vendor, client_of(connection, vendor), observe)
    match kind:
        case Grant.OAUTH:
            return RefreshGrant(
                connection.name, calls, calls.client.id, keys.get("refresh_token") or None
            )
        case Grant.JWT:
            return JwtGrant(
                calls=calls,
                client_id=calls.client.id,
                username=keys["username"],
                private_key=_private_key(connection.name, keys["private_key_file"]),
                audience=vendor.audience_of(_aimed_host(connection, vendor)),
            )
        case Grant.CLIENT_CREDENTIALS:
            _demand_own_domain(connection, vendor)
            given = fingerprint(calls.client.id, calls.client.secret or "")
            return ClientCredentialsGrant(calls, calls.client.id, given)


def client_of(connection: Connection, vendor: Vendor) -> Client:
    """Return the app that a connection names; raises ConfigError where it names none."""
    kind, keys = _kind(connection, vendor)
    if not keys.get("client_id") or (kind is not Grant.JWT and not keys.get("client_secret")):
        raise ConfigError(
            f"connection '{connection.name}': auth: {{{kind}: ...}} needs the client_id and the "
            f"client_secret of your app in {vendor.label}"
        )
    return Client(keys["client_id"], keys.get("client_secret"))


def _kind(connection: Connection, vendor: Vendor) -> tuple[Grant, Mapping[str, Any]]:
    known = ["token", *sorted(vendor.grants)]
    for kind in Grant:
        if kind in connection.auth and kind in vendor.grants:
            return kind, connection.auth[kind]
    found = next(iter(connection.auth), None)
    what = f": {vendor.label} has no auth: {{{found}: ...}}" if found else " needs auth"
    raise ConfigError(
        f"connection '{connection.name}'{what}; there are {', '.join(known)} (docs/connecting.md)"
    )


def _demand_static(connection: Connection) -> None:
    """Refuse what a connector without a `vendor` cannot do."""
    other = next((kind for kind in Grant if kind in connection.auth), None)
    if other is not None:
        raise ConfigError(
            f"connection '{connection.name}': the connector '{connection.connector}' has no auth: "
            f"{{{other}: ...}}; it takes a token"
        )


def _private_key(name: str, file: str) -> str:
    """Return the PEM text of an RSA key; raises ConfigError that names the file."""
    try:
        text = Path(file).expanduser().read_text(encoding="ascii")
        is_rsa = isinstance(load_pem_private_key(text.encode(), None), RSAPrivateKey)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except (ValueError, TypeError):
        problem = "is no unencrypted private key in PEM form"
    else:
        if is_rsa:
            return text
        problem = "holds no RSA key (the signature is RS256)"
    raise ConfigError(f"connection '{name}', private_key_file: {file} {problem}") from None


def _aimed_host(connection: Connection, vendor: Vendor) -> str:
    own, usual = token_address(connection, vendor, None)
    return urlsplit(own or usual).hostname or ""


def _demand_own_domain(connection: Connection, vendor: Vendor) -> None:
    """Refuse client credentials at the servers that never grant them."""
    aimed = connection.auth_url or connection.base_url
    if aimed is None or urlsplit(aimed).hostname in vendor.login_hosts:
        raise ConfigError(
            f"connection '{connection.name}': {vendor.label} grants client_credentials at your own "
            "domain only: set base_url to it"
        )
