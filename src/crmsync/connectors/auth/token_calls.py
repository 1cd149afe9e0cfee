"""The call that gives tokens: where it goes, how the app proves itself, what the answer says.

One request, never repeated once it left, since a refresh token may be good for a single use. No
redirects, one total deadline, and nothing of a secret in any error (`http.Transport`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from crmsync.connectors.addresses import answered_origin, is_loopback_url, origin_of
from crmsync.connectors.answers import Answer, Effect, Observer, Site
from crmsync.connectors.auth.vendors import Vendor
from crmsync.connectors.base import Connection
from crmsync.connectors.http import Transport
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.waits import retry_after
from crmsync.errors import ConfigError, ConnectionHalted, RateLimited, RetryLater, Unavailable

RETRY_SECONDS = 60.0
"""After a 429 that does not say how long to wait."""
PASSING = (
    # Salesforce, two renewals at once: recorded traffic of other integrators.
    ("already being processed", 2.0),
    # Zoho, more than 10 renewals in 10 minutes: www.zoho.com/crm/developer, read 2026-10.
    ("too many requests", 120.0),
    # Salesforce, about 3,600 logins per user and hour.
    ("login_rate_exceeded", 600.0),
)
"""Words of refusals that pass by themselves, and the seconds after which to ask again."""
LONGEST_LIFETIME_SECONDS = 86_400.0 * 30
MILLISECONDS_BEYOND = 100_000.0
"""A lifetime longer than this is in milliseconds: Zoho has given 3,600,000 for an hour."""
WORDS = 160
"""Characters of the CRM's own explanation that are worth repeating."""


class AlreadyRenewing(RetryLater):
    """The CRM is working on another renewal of the same grant."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token answer says."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    lifetime_seconds: float | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Client:
    """The app that asks."""

    id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TokenCalls:
    """The token endpoint of one connection."""

    connection: Connection
    vendor: Vendor
    client: Client
    observe: Observer

    def ask(
        self,
        form: Mapping[str, str],
        auth_host: str | None,
        within_seconds: float,
        *,
        with_client: bool = True,
    ) -> Granted:
        """Ask once. `auth_host`: what the CRM named as its authorisation server, if it did.

        Raises ConnectionHalted, RetryLater, and OutcomeUnknown when the answer was lost.
        """
        headers: dict[str, str] = {}
        sent = dict(form)
        if with_client and self.vendor.basic_client:
            headers["Authorization"] = _basic(self.client)
        elif with_client:
            sent["client_id"] = self.client.id
            sent |= {"client_secret": self.client.secret} if self.client.secret else {}
        answer = self._transport(auth_host, within_seconds).request(
            "POST",
            urlsplit(self.vendor.token_url).path,
            effect=Effect.TOKEN,
            form=sent,
            headers=headers,
        )
        return self._read(answer, [*sent.values(), self.client.secret or ""])

    def _transport(self, auth_host: str | None, within_seconds: float) -> Transport:
        """Return the way to the authorisation server; calls there count in no rate limit."""
        connection = self.connection
        timing = replace(connection.timing, request_deadline_seconds=within_seconds)
        own, usual = token_address(connection, self.vendor, auth_host)
        aimed = replace(connection, base_url=own, auth_url=None, timing=timing)
        site = Site(base_url=usual, host_suffixes=self.vendor.auth_suffixes)
        return Transport(aimed, site, MemoryThrottle(()), observe=self.observe)

    def _read(self, answer: Answer, secrets: list[str]) -> Granted:
        """Return what was granted; a status of 200 may be a refusal (Zoho)."""
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{answer.what}: answered {answer.status}")
        said = _object(answer)
        access = said.get("access_token")
        if not answer.ok or not isinstance(access, str) or not access:
            raise self._refusal(answer, said, secrets)
        refresh = said.get("refresh_token")
        return Granted(
            access=access,
            refresh=refresh if isinstance(refresh, str) and refresh else None,
            lifetime_seconds=_lifetime(said),
            host=self._host(said),
        )

    def _host(self, said: Mapping[str, Any]) -> str | None:
        """Return the address the answer names, after making sure that it is this CRM's."""
        host = said.get(self.vendor.host_member) if self.vendor.host_member else None
        if host is None:
            return None
        base = self.connection.base_url
        try:
            aim = origin_of(base, suffixes=(), operators_own=True) if base else None
            answered_origin(str(host), self.vendor.api_suffixes, aimed_at=aim)
        except ConfigError as error:
            raise ConnectionHalted(
                f"{self.vendor.label} sends '{self.connection.name}' elsewhere with its token:"
                f" {error.user_message}",
                cause="refused",
                hint="Check `auth_url` and `base_url` in crmsync.yaml; nothing was sent there.",
            ) from None
        return str(host).rstrip("/")

    def _refusal(
        self, answer: Answer, said: Mapping[str, Any], secrets: list[str]
    ) -> ConnectionHalted | RetryLater:
        """Return what an answer without a token means."""
        name, label = self.connection.name, self.vendor.label
        code = _code(said)
        words = _spoken(said, secrets)
        told = f"{code} {words}".lower()
        for sign, seconds in PASSING:
            if sign in told:
                kind = AlreadyRenewing if seconds == PASSING[0][1] else RateLimited
                return kind(f"{label} asks to wait: {words}", retry_after_seconds=seconds)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = retry_after(answer.headers.get("Retry-After"), RETRY_SECONDS)
            return RateLimited(f"{answer.what}: asks to wait", retry_after_seconds=seconds)
        # What needs no consent cannot be granted anew: then key, user or secret is wrong.
        if code in self.vendor.reconnect_codes and "oauth" in self.connection.auth:
            return ConnectionHalted(
                f"{label} no longer accepts what '{name}' was granted ({words or code})",
                cause="reauth_required",
                hint=f"run `crmsync connect {name}`",
            )
        return ConnectionHalted(
            f"{label} gives '{name}' no token ({answer.status} {words or code or 'unexplained'})",
            cause="refused",
            hint=f"Check `auth` and `auth_url` of '{name}' against the app in {label}, then run"
            f" `crmsync connect {name}`.",
        )


def token_address(
    connection: Connection, vendor: Vendor, auth_host: str | None
) -> tuple[str | None, str]:
    """Return where tokens are had: what the operator says, if anything, and else the vendor's.

    A simulated CRM answers for everything: where `base_url` is this machine, so are its tokens.
    """
    base = connection.base_url
    own = connection.auth_url
    if own is None and base and (vendor.own_domain or is_loopback_url(base)):
        own = base
    parts = urlsplit(vendor.token_url)
    usual = f"{parts.scheme}://{parts.netloc}"
    if own is None and auth_host is not None:
        try:
            return None, str(answered_origin(auth_host, vendor.auth_suffixes, aimed_at=None))
        except ConfigError as error:
            raise ConnectionHalted(
                f"the authorisation server of '{connection.name}': {error.user_message}",
                cause="refused",
                hint=f"run `crmsync connect {connection.name}`",
            ) from None
    return own, usual


def _basic(client: Client) -> str:
    # RFC 6749, 2.3.1: both parts are form-encoded first.
    pair = f"{quote(client.id, safe='')}:{quote(client.secret or '', safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _object(answer: Answer) -> Mapping[str, Any]:
    """Return the JSON object of an answer; one that holds none says nothing."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict):
        return said
    if answer.ok:
        raise Unavailable(f"{answer.what}: answered {answer.status} without a JSON object")
    return {}


def _lifetime(said: Mapping[str, Any]) -> float | None:
    """Return for how long the access token is good, if the answer says so believably."""
    for name in ("expires_in_sec", "expires_in"):
        try:
            seconds = float(said[name])
        except (KeyError, TypeError, ValueError):
            continue
        if seconds > MILLISECONDS_BEYOND:
            seconds /= 1000
        if 0 < seconds <= LONGEST_LIFETIME_SECONDS:
            return seconds
    return None


def _code(said: Mapping[str, Any]) -> str:
    code = said.get("error")
    return code if isinstance(code, str) and re.fullmatch(r"[\w .-]{1,60}", code) else ""


def _spoken(said: Mapping[str, Any], secrets: list[str]) -> str:
    """Return the CRM's own words on one line, without anything secret that it repeats."""
    words = str(said.get("error_description") or said.get("message") or said.get("error") or "")
    for secret in secrets:
        if len(secret) > 3:  # noqa: PLR2004 - shorter ones are words, not secrets
            words = words.replace(secret, "***")
    return " ".join(words.split())[:WORDS]
