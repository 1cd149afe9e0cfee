"""A person's consent: the page to send them to, and the tokens for the code they come back with.

OAuth's authorisation code flow. The random `state` ties the redirect to this one request, PKCE
(where the vendor has it) ties the code to whoever asked. Nothing is kept here; the command line
runs it (`cli.consenting`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from crmsync.connectors.auth.credentials import grant_of
from crmsync.connectors.auth.grants import RefreshGrant
from crmsync.connectors.auth.token_calls import token_address
from crmsync.connectors.auth.vendors import Vendor
from crmsync.connectors.base import Connection
from crmsync.errors import ConfigError, CrmsyncError
from crmsync.model import Tokens

EXCHANGE_SECONDS = 30.0


class WrongRedirect(CrmsyncError):
    """This address does not belong to this authorisation."""


class ConsentRefused(CrmsyncError):
    """The authorisation was refused."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One request for a person's consent."""

    vendor: Vendor
    grant: RefreshGrant
    redirect_uri: str
    """Where the CRM sends the browser back to; must stand in the app's settings there."""
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)

    @classmethod
    def of(cls, connection: Connection, vendor: Vendor | None, redirect_uri: str) -> Consent:
        """Return a fresh question about a connection; ConfigError where it takes no consent."""
        grant = grant_of(connection, vendor) if vendor else None
        if vendor is None or not isinstance(grant, RefreshGrant):
            raise ConfigError(f"connection '{connection.name}' is not authorised by OAuth consent")
        return cls(vendor, grant, redirect_uri)

    @property
    def url(self) -> str:
        """Return the page where the person agrees."""
        vendor = self.vendor
        query = {
            "response_type": "code",
            "client_id": self.grant.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            **vendor.consent,
        }
        if vendor.scopes:
            query["scope"] = vendor.scope_separator.join(vendor.scopes)
        if vendor.pkce:
            digest = hashlib.sha256(self.verifier.encode()).digest()
            query["code_challenge"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            query["code_challenge_method"] = "S256"
        page = urlsplit(vendor.authorize_url)
        own, _ = token_address(self.grant.calls.connection, vendor, None)
        host = own or f"{page.scheme}://{page.netloc}"
        return f"{host}{page.path}?{urlencode(query, quote_via=quote)}"

    def redeem(self, redirected: str) -> Tokens:
        """Exchange the code in the address the person was sent back to.

        Raises WrongRedirect for an address of something else, ConsentRefused, and what a token call
        raises.
        """
        said = _query(redirected)
        if not hmac.compare_digest(said.get("state", "").encode(), self.state.encode()):
            raise WrongRedirect(
                "this address belongs to another authorisation (its state differs): open the page "
                "above and use the address it ends at"
            )
        if "code" not in said:
            why = said.get("error_description") or said.get("error") or "no reason given"
            raise ConsentRefused(f"{self.vendor.label} was not authorised: {why[:200]}")
        form = {
            "grant_type": "authorization_code",
            "code": said["code"],
            "redirect_uri": self.redirect_uri,
        }
        if self.vendor.pkce:
            form["code_verifier"] = self.verifier
        parameter = self.vendor.auth_host_parameter
        auth_host = said.get(parameter) if parameter else None
        got = self.grant.calls.ask(form, auth_host, EXCHANGE_SECONDS)
        if got.refresh is None:
            raise ConsentRefused(
                f"{self.vendor.label} granted access without a refresh token, so it would end "
                "within hours: see docs/connecting.md for what the app must be allowed"
            )
        return Tokens(
            access=got.access,
            refresh=got.refresh,
            lifetime_seconds=got.lifetime_seconds,
            host=got.host,
            auth_host=auth_host,
            client_id=self.grant.client_id,
            given=self.grant.given,
        )


def _query(redirected: str) -> Mapping[str, str]:
    try:
        fields = parse_qs(urlsplit(redirected.strip()).query)
    except ValueError:
        fields = {}
    return {name: values[-1] for name, values in fields.items()}
