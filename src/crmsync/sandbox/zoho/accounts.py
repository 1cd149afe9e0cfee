"""Who may call: Zoho's OAuth, with grant codes, refresh tokens and access tokens.

Refusals of token calls are answered with HTTP 200 and an `error` member.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Request
from crmsync.sandbox.limits import RollingWindow
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.settings import ZohoSettings

CODE_SECONDS = 180
MAX_ACCESS_TOKENS = 15
MAX_REFRESH_TOKENS = 20
_WINDOW_SECONDS = 600.0
_REFRESHES_A_WINDOW = 10
_CODES_A_WINDOW = 10
_NEW_GRANTS_A_MINUTE = 5


class TokenRefused(Exception):
    """A token call is refused."""

    def __init__(self, error: str, **more: str) -> None:
        """Take Zoho's code."""
        super().__init__(error)
        self.body = {**more, "error": error}


@dataclass(slots=True, eq=False)
class Grant:
    """What a user agreed to: one refresh token and what came of it."""

    refresh_token: str
    scopes: tuple[str, ...]
    former: set[str] = field(default_factory=set)
    """Refresh tokens that were rotated away."""
    access: dict[str, float] = field(default_factory=dict)
    """Access tokens, oldest first, with their ends (seconds since 1970)."""
    refreshes: RollingWindow = field(default_factory=lambda: RollingWindow(_WINDOW_SECONDS))
    refreshing: int = 0
    """Refreshes under way."""


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    scopes: tuple[str, ...]
    offline: bool
    expires_at: float


class Accounts:
    """The tokens of one organisation and app."""

    def __init__(
        self, clock: Clock, settings: Callable[[], ZohoSettings], chance: random.Random
    ) -> None:
        """Start with the tokens the settings name."""
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self._codes: dict[str, _Code] = {}
        self._code_window = RollingWindow(_WINDOW_SECONDS)
        self._grant_window = RollingWindow(60.0)
        self._consented = False
        self._static_dead = False
        first = settings()
        self._grants = [Grant(token, first.scopes) for token in first.refresh_tokens]

    # --- calls to the API -------------------------------------------------------------------

    def scopes_of(self, authorization: str | None) -> tuple[str, ...]:
        """Return what a caller may do; 401 for whoever is not one."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Zoho-oauthtoken" or not token:
            raise errors.unauthenticated()
        settings = self._settings()
        if token in settings.access_tokens and not self._static_dead:
            return settings.scopes
        now = self._clock.time()
        for grant in self._grants:
            if grant.access.get(token, 0.0) > now:
                return grant.scopes
        raise errors.dead_token()

    # --- OAuth ------------------------------------------------------------------------------

    def grant_code(self, query: Mapping[str, str]) -> str:
        """Do what the user's click on "Accept" does; `TokenRefused` where there is no page."""
        settings = self._settings()
        if query.get("client_id") != settings.client_id:
            raise TokenRefused("invalid_client")
        redirect_uri = query.get("redirect_uri", "")
        known = settings.redirect_uris
        if not redirect_uri or (known and redirect_uri not in known):
            raise TokenRefused("invalid_redirect_uri")
        if query.get("response_type") != "code":
            raise TokenRefused("invalid_response_type")
        scopes = tuple(scope for scope in query.get("scope", "").split(",") if scope)
        if not scopes or any(" " in s or not within(s, settings.scopes) for s in scopes):
            raise TokenRefused("invalid_scope")
        self._count(self._code_window, _CODES_A_WINDOW)
        # A user who agreed before is only asked again, and only then is there a refresh token.
        asked = not self._consented or query.get("prompt") == "consent"
        offline = query.get("access_type") == "offline" and asked
        self._consented = True
        code = self._secret()
        expires_at = self._clock.time() + CODE_SECONDS
        self._codes[code] = _Code(redirect_uri, scopes, offline, expires_at)
        return code

    def token(self, form: Mapping[str, str], request: Request, own_url: str) -> dict[str, Any]:
        """Exchange a code or a refresh token; `TokenRefused` says why not."""
        self._check_client(form)
        grant_type = form.get("grant_type")
        if grant_type == "authorization_code":
            return self._exchange(form, own_url)
        if grant_type == "refresh_token":
            return self._refresh(form.get("refresh_token", ""), request, own_url)
        raise TokenRefused("unsupported_grant_type")

    def expire_access_tokens(self) -> None:
        """Let every access token be dead."""
        self._static_dead = True
        for grant in self._grants:
            grant.access.clear()

    def revoke_refresh_tokens(self) -> None:
        """Revoke every refresh token; access tokens live on until their time is up."""
        for grant in self._grants:
            grant.former.clear()
            grant.refresh_token = ""

    # --- inside -----------------------------------------------------------------------------

    def _check_client(self, form: Mapping[str, str]) -> None:
        settings = self._settings()
        if form.get("client_id") != settings.client_id:
            raise TokenRefused("invalid_client")
        if form.get("client_secret") != settings.client_secret:
            raise TokenRefused("invalid_client_secret")

    def _exchange(self, form: Mapping[str, str], own_url: str) -> dict[str, Any]:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires_at <= self._clock.time():
            raise TokenRefused("invalid_code")
        if code.redirect_uri != form.get("redirect_uri"):
            raise TokenRefused("invalid_redirect_uri")
        if not code.offline:
            # An access token of its own, without a grant to renew it by.
            return self._issue(self._keep(Grant("", code.scopes)), own_url)
        self._count(self._grant_window, _NEW_GRANTS_A_MINUTE)
        grant = self._keep(Grant(self._secret(), code.scopes))
        renewable = [one for one in self._grants if one.refresh_token]
        if len(renewable) > MAX_REFRESH_TOKENS:
            self._grants.remove(renewable[0])
        return {**self._issue(grant, own_url), "refresh_token": grant.refresh_token}

    def _refresh(self, token: str, request: Request, own_url: str) -> dict[str, Any]:
        settings = self._settings()
        grant = self._holder_of(token)
        if grant is None:
            raise TokenRefused("invalid_code")
        if settings.reuse_revokes_grant and (token in grant.former or grant.refreshing):
            self._grants.remove(grant)
            raise TokenRefused("invalid_code")
        if token in grant.former:
            raise TokenRefused("invalid_code")
        self._count(grant.refreshes, _REFRESHES_A_WINDOW)
        grant.refreshing += 1
        request.at_end.append(lambda: _end_of_refresh(grant))
        answer = self._issue(grant, own_url)
        if settings.rotate_refresh_tokens:
            grant.former.add(token)
            grant.refresh_token = self._secret()
            answer["refresh_token"] = grant.refresh_token
        return answer

    def _count(self, window: RollingWindow, most: int) -> None:
        now = self._clock.monotonic()
        if self._settings().limits and window.used(now) >= most:
            raise _too_often()
        window.add(now)

    def _holder_of(self, token: str) -> Grant | None:
        held = (
            g for g in self._grants if token and (g.refresh_token == token or token in g.former)
        )
        return next(held, None)

    def _keep(self, grant: Grant) -> Grant:
        self._grants.append(grant)
        return grant

    def _issue(self, grant: Grant, own_url: str) -> dict[str, Any]:
        settings = self._settings()
        token = self._secret()
        now, seconds = self._clock.time(), settings.access_token_seconds
        for old in [old for old, end in grant.access.items() if end <= now]:
            del grant.access[old]
        grant.access[token] = now + seconds
        if len(grant.access) > MAX_ACCESS_TOKENS:
            del grant.access[next(iter(grant.access))]
        answer: dict[str, Any] = {
            "access_token": token,
            "scope": " ".join(grant.scopes),
            "api_domain": settings.api_domain or own_url,
            "token_type": "Bearer",
        }
        share = settings.expires_in_missing_probability
        if share and self._chance.random() < share:
            return answer
        if settings.expires_in_sec:
            return {**answer, "expires_in_sec": seconds, "expires_in": seconds * 1000}
        return {**answer, "expires_in": seconds}

    def _secret(self) -> str:
        return f"1000.{self._chance.randbytes(16).hex()}.{self._chance.randbytes(16).hex()}"


def within(scope: str, granted: tuple[str, ...]) -> bool:
    """Say whether granted scopes contain one: `X.ALL` contains `X.READ` and `X.Contacts.READ`."""
    area, _, operation = scope.lower().rpartition(".")
    for held in granted:
        held_area, _, held_operation = held.lower().rpartition(".")
        if f"{area}.".startswith(f"{held_area}.") and held_operation in ("all", operation):
            return True
    return False


def _end_of_refresh(grant: Grant) -> None:
    grant.refreshing -= 1


def _too_often() -> TokenRefused:
    text = "You have made too many requests continuously. Please try again after some time."
    return TokenRefused("Access Denied", error_description=text, status="failure")
