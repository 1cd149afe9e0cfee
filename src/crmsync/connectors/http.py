"""How every connector speaks HTTP: one deadline, one budget, no write sent twice, no surprises.

`Transport.request` takes leave from the throttle, sends one request and returns its answer
whatever its status; what a status means is each connector's own table. A failure on the way is
classified here, by whether the CRM can have seen the request:

- surely not sent (refused, not resolved, TLS not accepted): `Unavailable`;
- perhaps seen (reset, deadline, cut short, unreadable body): `OutcomeUnknown` for what writes,
  `Unavailable` for what reads.

No cookies, redirects, proxies or netrc; certificates are always verified. Exceptions hold method,
host and route: never a token, a query or a body.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn, cast
from urllib.parse import urlencode

import certifi
import orjson
import requests
import tenacity
import urllib3.exceptions
from requests.models import PreparedRequest

from crmsync.connectors.addresses import Origin, answered_origin, origin_of
from crmsync.connectors.answers import Answer, Effect, Exchange, Observer, Site, lost, unobserved
from crmsync.connectors.auth.authorisation import Access, Authorisation, Headers, bearer
from crmsync.connectors.base import Connection
from crmsync.connectors.departures import note_write
from crmsync.connectors.failures import reason_of
from crmsync.connectors.sockets import Adapters, Attempt
from crmsync.connectors.throttle import Throttle, is_background
from crmsync.connectors.waits import moment_of
from crmsync.connectors.windows import Call
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    Unavailable,
)

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Of an answer after decompression; the largest honest one is about 200 records of 64 KiB."""
TOKEN_PATIENCE_SECONDS = 20.0
"""How long a call waits for its token to be renewed, by itself or by another worker."""
TRIES = 3
"""Of a request that may be repeated; all of them within its one deadline."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One request, ready to be sent."""

    origin: Origin
    target: str
    """Path and query."""
    method: str
    route: str
    effect: Effect
    call: Call
    headers: Mapping[str, str]
    body: bytes | None = field(repr=False)

    @property
    def what(self) -> str:
        return f"{self.method} {self.origin.authority}{self.route}"


class Transport:
    """The HTTP of one connection. Safe to use from many threads; each keeps its own socket."""

    def __init__(  # noqa: PLR0913 (two seams of the outside and three of a test)
        self,
        connection: Connection,
        site: Site,
        throttle: Throttle,
        *,
        authorisation: Authorisation | None = None,
        headers_of: Headers = bearer,
        observe: Observer = unobserved,
        ca_bundle: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the addresses, open nothing. Raises ConfigError.

        `authorisation` says who we are, `headers_of` how; told to the API's own origin alone.
        `ca_bundle`: a file of certificates to trust instead of the public ones.
        """
        self.connection = connection
        self._site = site
        base_url = connection.base_url or site.base_url
        self._origin = self._operators_origin("base_url", base_url) if base_url else None
        self._aim = self._origin if connection.base_url else None
        auth_url = connection.auth_url
        self._auth_origin = self._operators_origin("auth_url", auth_url) if auth_url else None
        self._throttle = throttle
        self._authorisation = authorisation
        self._headers_of = headers_of
        self._observe = observe
        self._adapters = Adapters(ca_bundle or certifi.where())
        self._sleep = sleep

    def request(  # noqa: PLR0913 (the parts of a request)
        self,
        method: str,
        url: str,
        *,
        effect: Effect,
        json: Any = None,  # noqa: ANN401 (any JSON)
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str = "call",
        costs: Mapping[str, int] | None = None,
        route: str | None = None,
    ) -> Answer:
        """Send one request and return its answer, whatever its status.

        `url`: a path of the API, or a whole URL on an allowed host. `route`: the path without ids,
        needed only where the path holds one. `scope` and `costs`: which limits count the call,
        and what it costs by their units. Returns or raises within `timing.longest_call_seconds`.
        Where the CRM refuses the access token, the call is sent once more with a renewed one.
        Raises RateLimited (our own budget), Unavailable, OutcomeUnknown, ConnectionHalted.
        """
        give_up_at = time.monotonic() + self._seconds + self._patience
        who = self._authorisation
        access = who.access(self._token_patience) if who else None

        call = Call(scope, costs or {}, is_background())

        def send(access: Access | None) -> Answer:
            return self._sent(
                self._prepare(
                    access, method, url, effect, json, form, params, headers, call, route
                ),
                give_up_at,
            )

        answer = send(access)
        if who and access and self._site.refuses_token(answer):
            renewed = who.renewed(access, self._token_patience)
            if renewed is not None:
                return send(renewed)
        return answer

    def _sent(self, request: _Request, give_up_at: float) -> Answer:
        """Send a request, again where that is safe, with what is left of the time."""
        if request.effect is Effect.WRITE:
            left = give_up_at - time.monotonic()
            if left <= 0:
                raise Unavailable(f"{request.what}: no time was left to send it", was_sent=False)
            return self._send(request, min(self._seconds, left))
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unavailable),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
            sleep=self._sleep,
            reraise=True,
        )
        for one_try in tries:
            with one_try:
                left = give_up_at - time.monotonic()
                return self._send(request, min(self._seconds, max(left, 0.001)))
        raise AssertionError("tenacity returns or raises")  # pragma: no cover

    @property
    def _patience(self) -> float:
        return self.connection.timing.patience_seconds

    @property
    def _token_patience(self) -> float:
        return min(TOKEN_PATIENCE_SECONDS, self._seconds)

    @property
    def _seconds(self) -> float:
        return self.connection.timing.request_deadline_seconds

    def _operators_origin(self, key: str, url: str) -> Origin:
        try:
            return origin_of(url, suffixes=self._site.host_suffixes, operators_own=True)
        except ConfigError as error:
            raise ConfigError(
                f"connection '{self.connection.name}', {key}: {error.user_message}"
            ) from None

    def _prepare(  # noqa: PLR0913, PLR0917 (see request)
        self,
        access: Access | None,
        method: str,
        url: str,
        effect: Effect,
        json: Any,  # noqa: ANN401
        form: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        call: Call,
        route: str | None,
    ) -> _Request:
        """Encode a request. Raises BatchRejected for a body that cannot be encoded."""
        home = self._home(access)
        origin, path = self._resolve(url, home)
        sent = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "crmsync"}
        if access and origin == home:
            sent |= self._proof(access)
        body: bytes | None = None
        if json is not None:
            body = _encoded(json)
            sent["Content-Type"] = "application/json"
        elif form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        if body is not None or method in {"POST", "PUT", "PATCH"}:
            sent["Content-Length"] = str(len(body or b""))
        return _Request(
            origin=origin,
            target=f"{path}?{urlencode(params)}" if params else path,
            method=method,
            route=route or path.partition("?")[0],
            effect=effect,
            call=call,
            headers=sent | dict(headers or {}),
            body=body,
        )

    def _proof(self, access: Access) -> Mapping[str, str]:
        """Return the headers that say who we are; ConnectionHalted for what fits into none."""
        proof = self._headers_of(access)
        if all(value.isascii() and value.isprintable() for value in proof.values()):
            return proof
        raise ConnectionHalted(
            f"the token of '{self.connection.name}' holds characters that no token has",
            cause="reauth_required",
            hint=self.connection.remedy or f"run `crmsync connect {self.connection.name}`",
        )

    def _home(self, access: Access | None) -> Origin:
        """Return where the API is: where crmsync.yaml says, else where the token came with."""
        answered = access.host if access else None
        try:
            if answered is not None:
                return answered_origin(answered, self._site.host_suffixes, aimed_at=self._aim)
        except ConfigError as error:
            raise ConnectionHalted(
                f"the token of '{self.connection.name}' leads elsewhere: {error.user_message}",
                cause="refused",
                hint="Check `base_url` and `auth_url`; nothing was sent there.",
            ) from None
        if self._origin is None:
            raise ConnectionHalted(
                f"the address of '{self.connection.name}' is not known",
                cause="refused",
                hint="Set `base_url` in crmsync.yaml: this token does not come with an address.",
            )
        return self._origin

    def _resolve(self, url: str, home: Origin) -> tuple[Origin, str]:
        """Return where a path or URL leads; a whole URL must be on an allowed host."""
        if url.startswith("/"):
            return home, url
        known = (home, self._auth_origin)
        origin = next((o for o in known if o and url.startswith(f"{o}/")), None)
        if origin is None:
            origin = origin_of(url, suffixes=self._site.host_suffixes, operators_own=False)
        path = url.partition("://")[2].partition("/")[2]
        return origin, f"/{path}"

    def _send(self, request: _Request, seconds: float) -> Answer:
        """Take leave, send once, tell the observer."""
        asked, patience = time.monotonic(), min(seconds, self._patience)
        grant = self._throttle.acquire(
            request.call, hold_seconds=self._seconds, patience_seconds=patience
        )
        if request.effect is Effect.WRITE:
            note_write()
        started_at, started = datetime.now(UTC), time.monotonic()
        # A throttle whose place of counting was lost midway took longer: that much less is left.
        attempt = Attempt(min(started, asked + patience) + seconds)
        answer: Answer | None = None
        failure = ""
        try:
            answer = self._exchange(request, attempt)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            failure = reason_of(error)
        except (http.client.HTTPException, OSError, ValueError) as error:
            # ValueError: http.client's own, of a chunk whose size is negative.
            failure = reason_of(error)
        finally:
            self._throttle.release(grant)
        self._observe(
            Exchange(
                connection=self.connection.name,
                method=request.method,
                route=request.route,
                scope=request.call.scope,
                started_at=started_at,
                waited_seconds=started - asked,
                duration_seconds=time.monotonic() - started,
                bytes_sent=attempt.bytes_sent,
                bytes_received=attempt.bytes_received,
                status=answer.status if answer else None,
                failure=failure,
                correlation_id=answer.headers.get(self._site.correlation_header, "")
                if answer
                else "",
                answered_at=moment_of(answer.headers.get("Date")) if answer else None,
                quota=self._site.quota_in(answer.headers) if answer else None,
            )
        )
        if answer is None:
            _fail(request, attempt, failure)
        return answer

    def _exchange(self, request: _Request, attempt: Attempt) -> Answer:
        """Send one request and read its answer to the end."""
        prepared = PreparedRequest()
        prepared.method = request.method
        prepared.url = f"{request.origin}{request.target}"
        prepared.headers = cast("Any", dict(request.headers))
        prepared.body = request.body
        response = self._adapters.to(request.origin).exchange(prepared, attempt)
        try:
            body = _read_body(response.raw)
        except BaseException:
            response.raw.close()
            raise
        return Answer(
            response.status_code,
            response.headers,
            body,
            request.effect,
            request.what,
            self.connection.remedy or f"run `crmsync connect {self.connection.name}`",
        )


def _fail(request: _Request, attempt: Attempt, reason: str) -> NoReturn:
    """Raise what a failure on the way means. Called outside of `except`: causes hold URLs."""
    message = f"{request.what}: {reason}"
    if attempt.surely_unsent:
        raise Unavailable(message, was_sent=False)
    raise lost(request.effect, message)


def _read_body(raw: Any) -> bytes:  # noqa: ANN401 (urllib3's answer, or a test double's)
    """Read and decompress a whole body; raises DecodeError past the cap."""
    pieces: list[bytes] = []
    size = 0
    while piece := raw.read(MAX_BODY_BYTES + 1, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise urllib3.exceptions.DecodeError("the answer is too large")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _encoded(value: Any) -> bytes:  # noqa: ANN401 (any JSON)
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise BatchRejected(
            "a value cannot be written as JSON",
            code="UNENCODABLE",
            hint="The value holds characters that are not text (a lone surrogate).",
        ) from error
