"""Who may call: static tokens, and OAuth with its codes, access tokens and refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.settings import HubSpotSettings
from crmsync.sandbox.hubspot.wire import iso

USER_ID = 9586504
APP_ID = 1_160_452
_CODE_SECONDS = 300
_STATIC_PREFIX = "pat-"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a token belongs to."""

    app: str
    """Whose calls are counted together."""
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Access:
    token: str
    expires_at: float
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    expires_at: float


class TokenRefused(Exception):
    """A token call is refused: HTTP 400 with RFC 6749 members and HubSpot's own."""

    def __init__(self, error: str, status: str, message: str) -> None:
        """Take the RFC's code, HubSpot's code and the words."""
        super().__init__(message)
        self.answer = Answer.of(
            400,
            {
                "error": error,
                "error_description": message,
                "status": status,
                "message": message,
            },
        )


class Accounts:
    """The tokens of one portal."""

    def __init__(
        self, clock: Clock, settings: Callable[[], HubSpotSettings], chance: random.Random
    ) -> None:
        """Start with the refresh tokens the settings name."""
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, tuple[str, ...]] = {}
        self._retired: set[str] = set()
        """Refresh tokens that were revoked or rotated away."""

    # --- calls to the API -------------------------------------------------------------------

    def caller(self, authorization: str | None) -> Caller:
        """Return whose token this is; 401 in HubSpot's several ways."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise errors.unauthenticated()
        settings = self._settings()
        if token.startswith(_STATIC_PREFIX):
            if settings.tokens and token not in settings.tokens:
                raise errors.unauthenticated()
            return Caller(token, settings.scopes)
        if token in settings.tokens:
            return Caller(token, settings.scopes)
        access = self._access.get(token)
        now = self._clock.time()
        expires_at = access.expires_at if access is not None else 0.0
        if access is None or expires_at <= now:
            raise errors.expired(int(now - expires_at), iso(int(expires_at * 1000)))
        return Caller("oauth", access.scopes)

    # --- OAuth ------------------------------------------------------------------------------

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """Do what the user's click on "Connect app" does: send them back with a code."""
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != self._settings().client_id or not redirect_uri:
            return Answer(400, b"Authorization failed: unknown client id", "text/html")
        granted = self._settings().scopes
        asked = f"{query.get('scope', '')} {query.get('optional_scope', '')}".split()
        scopes = tuple(scope for scope in asked if scope in granted) or granted
        code = self._secret("na1-")
        challenge = query.get("code_challenge")
        expires_at = self._clock.time() + _CODE_SECONDS
        self._codes[code] = _Code(redirect_uri, scopes, challenge, expires_at)
        fields = {"code": code}
        if "state" in query:
            fields["state"] = query["state"]
        joint = "&" if "?" in redirect_uri else "?"
        return Answer(302, headers={"Location": f"{redirect_uri}{joint}{urlencode(fields)}"})

    def token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Exchange a code or a refresh token; `TokenRefused` says why not."""
        self._check_client(form)
        grant = form.get("grant_type")
        if grant == "authorization_code":
            scopes = self._redeem(form)
            return self._issue(scopes, self._new_refresh_token(scopes))
        if grant == "refresh_token":
            given = form.get("refresh_token", "")
            known = self._refresh_scopes(given)
            if known is None:
                text = "refresh token is invalid, expired or revoked"
                raise TokenRefused("invalid_grant", "BAD_REFRESH_TOKEN", text)
            if not self._settings().rotate_refresh_tokens:
                return self._issue(known, given)
            self._retired.add(given)
            return self._issue(known, self._new_refresh_token(known))
        raise TokenRefused("unsupported_grant_type", "BAD_GRANT_TYPE", "unknown grant type")

    def introspect(self, token: str) -> dict[str, Any]:
        """Say what a token is good for, by OAuth v3."""
        info = self.access_info(token) or self.refresh_info(token)
        return {"active": False} if info is None else {"active": True, **info}

    def revoke(self, token: str) -> None:
        """Revoke a token. Access tokens of a revoked refresh token live on."""
        self._access.pop(token, None)
        self._retired.add(token)

    def access_info(self, token: str) -> dict[str, Any] | None:
        """Describe an access token that is good, or return None."""
        access = self._access.get(token)
        now = self._clock.time()
        if access is None or access.expires_at <= now:
            return None
        return {
            **self._owner(token, access.scopes, "access"),
            "app_id": APP_ID,
            "expires_in": int(access.expires_at - now),
        }

    def refresh_info(self, token: str) -> dict[str, Any] | None:
        """Describe a refresh token that is good, or return None."""
        scopes = self._refresh_scopes(token)
        if scopes is None:
            return None
        return {
            **self._owner(token, scopes, "refresh"),
            "client_id": self._settings().client_id,
        }

    def expire_access_tokens(self) -> None:
        """Let every access token have expired a second ago."""
        past = self._clock.time() - 1
        for token, access in self._access.items():
            self._access[token] = _Access(token, past, access.scopes)

    def retire_refresh_tokens(self) -> None:
        """Revoke every refresh token, as an uninstall does."""
        self._retired.update(self._refresh, self._settings().refresh_tokens)

    # --- inside -----------------------------------------------------------------------------

    def _check_client(self, form: Mapping[str, str]) -> None:
        settings = self._settings()
        if form.get("client_id") != settings.client_id:
            raise TokenRefused("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id")
        if form.get("client_secret") != settings.client_secret:
            raise TokenRefused(
                "invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret"
            )
        if not settings.hub_connected:
            raise TokenRefused("access_denied", "BAD_HUB", "the account is no longer connected")

    def _redeem(self, form: Mapping[str, str]) -> tuple[str, ...]:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires_at <= self._clock.time():
            text = "missing or unknown auth code"
            raise TokenRefused("invalid_grant", "BAD_AUTH_CODE", text)
        if code.redirect_uri != form.get("redirect_uri"):
            text = "missing or invalid redirect_uri"
            raise TokenRefused("invalid_grant", "BAD_REDIRECT_URI", text)
        if code.challenge is not None and code.challenge != _challenge(form.get("code_verifier")):
            raise TokenRefused("invalid_grant", "BAD_AUTH_CODE", "code verifier does not match")
        return code.scopes

    def _issue(self, scopes: tuple[str, ...], refresh_token: str) -> dict[str, Any]:
        settings = self._settings()
        token = self._secret("CL")
        expires_at = self._clock.time() + settings.access_token_seconds
        self._access[token] = _Access(token, expires_at, scopes)
        return {
            "token_type": "bearer",
            "access_token": token,
            "refresh_token": refresh_token,
            "expires_in": settings.access_token_seconds,
            "hub_id": settings.portal_id,
            "user_id": USER_ID,
            "scopes": list(scopes),
            "token_use": "access_token",
        }

    def _new_refresh_token(self, scopes: tuple[str, ...]) -> str:
        token = self._secret("na1-")
        self._refresh[token] = scopes
        return token

    def _refresh_scopes(self, token: str) -> tuple[str, ...] | None:
        if token in self._retired:
            return None
        if token in self._settings().refresh_tokens:
            return self._settings().scopes
        return self._refresh.get(token)

    def _owner(self, token: str, scopes: tuple[str, ...], kind: str) -> dict[str, Any]:
        return {
            "token": token,
            "token_type": kind,
            "hub_id": self._settings().portal_id,
            "user_id": USER_ID,
            "user": "ada.sales@portal.example",
            "hub_domain": "portal.example",
            "scopes": list(scopes),
        }

    def _secret(self, prefix: str) -> str:
        return prefix + base64.urlsafe_b64encode(self._chance.randbytes(96)).decode()


def _challenge(verifier: str | None) -> str:
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
