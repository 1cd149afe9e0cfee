"""Who may call: OAuth with its grants, access tokens that die unannounced, and refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.salesforce.jwt import AssertionRefused, verify
from crmsync.sandbox.salesforce.settings import SalesforceSettings
from crmsync.sandbox.salesforce.wire import API_USER_ID, ORGANIZATION_ID

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CODE_SECONDS = 900
_OFFLINE = ("refresh_token", "offline_access")
_PUBLIC_LOGINS = ("login.", "test.")
_DEAD = "expired access/refresh token"


class TokenRefused(Exception):
    """A token call is refused: HTTP 400 with an object, where all else has arrays."""

    def __init__(self, error: str, description: str) -> None:
        """Take the OAuth code and Salesforce's words."""
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(slots=True, eq=False)
class _Grant:
    """One authorisation: what a user gave an app once."""

    refresh_token: str | None
    """The one that is good now."""
    retired: set[str] = field(default_factory=set)
    """Those that were rotated away."""
    sessions: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    expires_at: float


class Authorisations:
    """The grants, codes and access tokens of one org."""

    def __init__(
        self,
        clock: Clock,
        settings: Callable[[], SalesforceSettings],
        chance: random.Random,
        is_active_user: Callable[[object], bool],
    ) -> None:
        """Start with the tokens the settings name; users are asked about by username."""
        self._clock = clock
        self._settings_now = settings
        self._chance = chance
        self._is_active_user = is_active_user
        self._codes: dict[str, _Code] = {}
        self._sessions: dict[str, float] = {}
        """When each access token that was issued expires."""
        self._dead: set[str] = set()
        """Access tokens of the settings that are good no longer."""
        self._refreshing: set[str] = set()
        self._given: set[str] = set()
        """Refresh tokens of the settings that have been made grants."""
        self._grants: list[_Grant] = []
        """Oldest first."""

    def configure(self) -> None:
        """Take up refresh tokens that the settings have named since."""
        for token in self._settings.refresh_tokens:
            if token not in self._given:
                self._given.add(token)
                self._grants.append(_Grant(token))

    # --- calls to the API -------------------------------------------------------------------

    def knows(self, token: str) -> bool:
        """Whether an access token is good now."""
        if token in self._settings.access_tokens:
            return token not in self._dead
        return self._sessions.get(token, 0.0) > self._clock.time()

    # --- OAuth ------------------------------------------------------------------------------

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """Do what the user's click on "Allow" does: send them back with a code."""
        settings, redirect_uri = self._settings, query.get("redirect_uri", "")
        if query.get("client_id") != settings.client_id:
            return _page("error=invalid_client_id&error_description=client%20identifier%20invalid")
        allowed = settings.redirect_uris
        if not redirect_uri or (allowed and redirect_uri not in allowed):
            return _page(
                "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20"
                "configuration"
            )
        back = {"state": query["state"]} if "state" in query else {}
        refusal = self._authorize_refusal(query)
        if refusal is not None:
            error, description = refusal
            return _redirect(
                redirect_uri, {"error": error, "error_description": description, **back}
            )
        code = self._secret("aPrx")
        self._codes[code] = _Code(
            redirect_uri,
            tuple(query.get("scope", "").split()),
            query.get("code_challenge"),
            self._clock.time() + _CODE_SECONDS,
        )
        return _redirect(redirect_uri, {"code": code, **back})

    def token(self, request: Request, own_url: str) -> dict[str, Any]:
        """Hand out tokens; `TokenRefused` says why not."""
        form = request.form()
        grant_type = form.get("grant_type")
        if grant_type == "authorization_code":
            self._check_client(request, form, secret=self._settings.require_client_secret)
            return self._redeem(form, own_url)
        if grant_type == "refresh_token":
            self._check_client(request, form, secret=self._settings.require_client_secret)
            return self._refresh(request, form.get("refresh_token", ""), own_url)
        if grant_type == "client_credentials":
            if request.headers.get("host", "").startswith(_PUBLIC_LOGINS):
                raise TokenRefused("invalid_grant", "request not supported on this domain")
            self._check_client(request, form, secret=True)
            return self._answer(_Grant(None), own_url)
        if grant_type == JWT_BEARER:
            self._check_assertion(form.get("assertion", ""), own_url)
            return self._answer(_Grant(None), own_url)
        raise TokenRefused("unsupported_grant_type", "grant type not supported")

    def revoke(self, token: str) -> bool:
        """Revoke an access or refresh token; say whether it was good."""
        for grant in self._grants:
            if grant.refresh_token == token:
                self._revoke(grant)
                return True
        known = self.knows(token)
        self._sessions.pop(token, None)
        self._dead.add(token)
        return known

    def expire_access_tokens(self) -> None:
        """Let every access token be dead, those of the settings too."""
        self._sessions.clear()
        self._dead.update(self._settings.access_tokens)

    def revoke_refresh_tokens(self) -> None:
        """Revoke every authorisation, and the access tokens that came of it."""
        for grant in list(self._grants):
            self._revoke(grant)

    # --- the grants -------------------------------------------------------------------------

    def _redeem(self, form: Mapping[str, str], own_url: str) -> dict[str, Any]:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires_at <= self._clock.time():
            raise TokenRefused("invalid_grant", "expired authorization code")
        if form.get("redirect_uri") != code.redirect_uri:
            raise TokenRefused("redirect_uri_mismatch", "redirect_uri must match configuration")
        if code.challenge is not None:
            given = _challenge(form.get("code_verifier", ""))
            if not hmac.compare_digest(given, code.challenge):
                raise TokenRefused("invalid_grant", "invalid code verifier")
        offline = not code.scopes or any(scope in code.scopes for scope in _OFFLINE)
        grant = _Grant(self._secret("5Aep861") if offline else None)
        if offline:
            self._grants.append(grant)
            while len(self._grants) > self._settings.authorisations_per_user:
                self._revoke(self._grants[0])
        answer = self._answer(grant, own_url)
        answer["scope"] = " ".join(code.scopes) or "refresh_token api"
        if offline:
            answer["refresh_token"] = grant.refresh_token
        return answer

    def _refresh(self, request: Request, token: str, own_url: str) -> dict[str, Any]:
        settings = self._settings
        if settings.refuse_simultaneous_refreshes:
            if token in self._refreshing:
                raise TokenRefused("invalid_grant", "token request is already being processed")
            self._refreshing.add(token)
            request.at_end.append(lambda: self._refreshing.discard(token))
        for grant in self._grants:
            if token == grant.refresh_token:
                if not settings.rotate_refresh_tokens:
                    return self._answer(grant, own_url)
                grant.retired.add(token)
                grant.refresh_token = self._secret("5Aep861")
                return self._answer(grant, own_url) | {"refresh_token": grant.refresh_token}
            if token in grant.retired and settings.reuse_revokes_grant:
                self._revoke(grant)
                break
        raise TokenRefused("invalid_grant", _DEAD)

    def _answer(self, grant: _Grant, own_url: str) -> dict[str, Any]:
        """Open a session and return what every token answer has: no word of when it ends."""
        settings, now = self._settings, self._clock.time()
        token = f"{ORGANIZATION_ID[:15]}!{self._secret('AQ')}"
        self._sessions[token] = now + settings.session_seconds
        grant.sessions.add(token)
        issued_at, user = str(int(now * 1000)), f"{own_url}/id/{ORGANIZATION_ID}/{API_USER_ID}"
        secret = settings.client_secret.encode()
        digest = hmac.digest(secret, f"{user}{issued_at}".encode(), "sha256")
        return {
            "access_token": token,
            "signature": base64.b64encode(digest).decode(),
            "instance_url": settings.instance_url or own_url,
            "id": user,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }

    def _revoke(self, grant: _Grant) -> None:
        self._grants.remove(grant)
        for token in grant.sessions:
            self._sessions.pop(token, None)

    # --- who asks ---------------------------------------------------------------------------

    def _authorize_refusal(self, query: Mapping[str, str]) -> tuple[str, str] | None:
        if query.get("response_type") != "code":
            return "unsupported_response_type", "response type not supported"
        method = query.get("code_challenge_method", "S256")
        if self._settings.require_pkce and not query.get("code_challenge"):
            return "invalid_request", "missing required code challenge"
        if method != "S256":
            return "invalid_request", "invalid code challenge method"
        if not self._settings.user_agrees:
            return "access_denied", "end-user denied authorization"
        return None

    def _check_client(self, request: Request, form: Mapping[str, str], *, secret: bool) -> None:
        client_id, client_secret = _basic(request) or (
            form.get("client_id", ""),
            form.get("client_secret"),
        )
        if client_id != self._settings.client_id:
            raise TokenRefused("invalid_client_id", "client identifier invalid")
        if (secret or client_secret is not None) and client_secret != self._settings.client_secret:
            raise TokenRefused("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str, own_url: str) -> None:
        settings, clock = self._settings, self._clock
        audiences = ("https://login.salesforce.com", "https://test.salesforce.com", own_url)
        # Clients write real times: they know nothing of the simulator's advanced clock.
        now = clock.time() - clock.advanced_seconds
        try:
            claims = verify(assertion, settings.jwt_public_key, audiences, now)
        except AssertionRefused as refused:
            raise TokenRefused("invalid_grant", str(refused)) from None
        if claims.get("iss") != settings.client_id:
            raise TokenRefused("invalid_client_id", "client identifier invalid")
        if not self._is_active_user(claims.get("sub")):
            raise TokenRefused("invalid_grant", "user hasn't approved this consumer")

    @property
    def _settings(self) -> SalesforceSettings:
        return self._settings_now()

    def _secret(self, prefix: str) -> str:
        return prefix + base64.urlsafe_b64encode(self._chance.randbytes(48)).decode()


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client_id, secret


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _page(text: str) -> Answer:
    return Answer(400, text.encode(), "text/html;charset=utf-8")


def _redirect(uri: str, fields: Mapping[str, str]) -> Answer:
    joint = "&" if urlsplit(uri).query else "?"
    return Answer(302, headers={"Location": f"{uri}{joint}{urlencode(fields)}"})
