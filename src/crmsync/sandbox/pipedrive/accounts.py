"""Who may call: API tokens, and OAuth with its codes, access tokens and refresh tokens.

A grant is what one user gave the app when it was installed. It has one refresh token at a time and
any number of access tokens, and all of them die with it.
"""

from __future__ import annotations

import base64
import binascii
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Answer
from crmsync.sandbox.ledger import fingerprint
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.settings import PipedriveSettings

_CODE_SECONDS = 300
_API_TOKEN = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a token belongs to."""

    key: str
    """Whose calls are counted together."""
    oauth: bool
    """Whether the token is an app's, which has scopes, or a user's own, which has none."""


@dataclass(slots=True, eq=False)
class _Grant:
    key: str
    """What its calls are counted under."""
    refresh_token: str
    """The one that is good; earlier ones were rotated away."""
    used_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class _Access:
    grant: _Grant
    expires_at: float


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    expires_at: float


class TokenRefused(Exception):
    """A token call is refused. The members of the body are not confirmed, the texts are."""

    def __init__(self, error: str, message: str) -> None:
        """Take a code and the words."""
        super().__init__(message)
        self.answer = Answer.of(400, {"success": False, "error": error, "message": message})


class Accounts:
    """The tokens of one company."""

    def __init__(
        self, clock: Clock, settings: Callable[[], PipedriveSettings], chance: random.Random
    ) -> None:
        """Start with the tokens the settings name."""
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self._opened_at = clock.time()
        self._api_token: str | None = None
        """The only API token that is good, once it was regenerated."""
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._grants: dict[str, _Grant] = {}
        """By every refresh token they ever had."""

    # --- calls to the API -------------------------------------------------------------------

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Return whose token this is; 401 for whatever is wrong with it."""
        api_token = headers.get("x-api-token")
        if api_token is not None:
            if not self._is_api_token(api_token):
                raise errors.unauthorized()
            return Caller(fingerprint(api_token), oauth=False)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        access = self._access.get(token) if scheme.lower() == "bearer" else None
        if access is None or access.grant.revoked or access.expires_at <= self._clock.time():
            raise errors.unauthorized()
        return Caller(access.grant.key, oauth=True)

    def regenerate_api_token(self) -> str:
        """Make a new API token; no other is good any more."""
        self._api_token = f"{self._chance.getrandbits(160):040x}"
        return self._api_token

    # --- OAuth ------------------------------------------------------------------------------

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """Do what the user's click on "Allow and install" does: send them back with a code."""
        settings, redirect_uri = self._settings(), query.get("redirect_uri", "")
        known = redirect_uri and settings.redirect_uri in (None, redirect_uri)
        if query.get("client_id") != settings.client_id or not known:
            return Answer(400, b"<h1>The app or its callback URL is unknown</h1>", "text/html")
        code = self._secret()
        self._codes[code] = _Code(redirect_uri, self._clock.time() + _CODE_SECONDS)
        fields = {"code": code}
        if "state" in query:
            fields["state"] = query["state"]
        joint = "&" if "?" in redirect_uri else "?"
        return Answer(302, headers={"Location": f"{redirect_uri}{joint}{urlencode(fields)}"})

    def token(self, authorization: str, form: Mapping[str, str], address: str) -> dict[str, Any]:
        """Exchange a code or a refresh token; `TokenRefused` says why not.

        `address` is where the company was called, which is what the answer names as `api_domain`
        unless the settings name another.
        """
        if "grant_type" not in form:
            raise TokenRefused("invalid_request", "Missing parameter: grant_type")
        self._check_client(authorization)
        if form["grant_type"] == "authorization_code":
            grant = self._redeem(form)
        elif form["grant_type"] == "refresh_token":
            grant = self._refresh(form.get("refresh_token", ""))
        else:
            raise TokenRefused(
                "unsupported_grant_type", "Unsupported grant type: grant_type is invalid"
            )
        return self._issue(grant, address)

    def expire_access_tokens(self) -> None:
        """Let every access token have expired."""
        now = self._clock.time()
        self._access = {token: _Access(a.grant, now) for token, a in self._access.items()}

    def revoke_grants(self) -> None:
        """Revoke every grant with all its tokens, as an uninstall does."""
        for token in self._settings().refresh_tokens:
            self._grant_of(token)
        for grant in self._grants.values():
            grant.revoked = True

    # --- inside -----------------------------------------------------------------------------

    def _is_api_token(self, token: str) -> bool:
        if self._api_token is not None:
            return token == self._api_token
        tokens = self._settings().tokens
        return token in tokens if tokens else bool(_API_TOKEN.fullmatch(token))

    def _check_client(self, authorization: str) -> None:
        settings = self._settings()
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if scheme.lower() != "basic" or given != f"{settings.client_id}:{settings.client_secret}":
            raise TokenRefused("invalid_client", "Invalid client: client is invalid")

    def _redeem(self, form: Mapping[str, str]) -> _Grant:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None:
            raise TokenRefused("invalid_grant", "Invalid grant: authorization_code is invalid")
        if code.expires_at <= self._clock.time():
            raise TokenRefused("invalid_grant", "Invalid grant: authorization_code has expired")
        if code.redirect_uri != form.get("redirect_uri"):
            raise TokenRefused("invalid_request", "Invalid request: redirect_uri is invalid")
        return self._new_grant(self._secret("1:1:"), self._clock.time())

    def _refresh(self, token: str) -> _Grant:
        grant, settings, now = self._grant_of(token), self._settings(), self._clock.time()
        if grant is not None and token != grant.refresh_token and settings.reuse_revokes_grant:
            grant.revoked = True
        idle = grant is not None and grant.used_at + settings.refresh_idle_seconds <= now
        if grant is None or grant.revoked or token != grant.refresh_token or idle:
            raise TokenRefused("invalid_grant", "Invalid grant: refresh_token is invalid")
        grant.used_at = now
        if settings.rotate_refresh_tokens:
            grant.refresh_token = self._secret("1:1:")
            self._grants[grant.refresh_token] = grant
        return grant

    def _grant_of(self, refresh_token: str) -> _Grant | None:
        known = self._grants.get(refresh_token)
        if known is None and refresh_token in self._settings().refresh_tokens:
            return self._new_grant(refresh_token, self._opened_at)
        return known

    def _new_grant(self, refresh_token: str, used_at: float) -> _Grant:
        grant = _Grant(fingerprint(refresh_token), refresh_token, used_at)
        self._grants[refresh_token] = grant
        return grant

    def _issue(self, grant: _Grant, address: str) -> dict[str, Any]:
        settings = self._settings()
        token = self._secret("v1u:")
        self._access[token] = _Access(grant, self._clock.time() + settings.access_token_seconds)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "refresh_token": grant.refresh_token,
            "scope": ",".join(settings.scopes),
            "expires_in": settings.access_token_seconds,
            "api_domain": settings.api_domain or address,
        }

    def _secret(self, prefix: str = "") -> str:
        return prefix + base64.urlsafe_b64encode(self._chance.randbytes(48)).decode()
