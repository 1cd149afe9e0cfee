"""The connections under `http.Transport`: every byte of a request obeys one total deadline.

A "read timeout" of requests or urllib3 is per receive, so a server that drips one byte every few
seconds holds a worker for ever. Here the time that is left is set on the socket before each
connect, send and receive. The same place knows whether anything of a request has left, which
decides whether a failure is surely not applied or ambiguous.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import threading
import time
from typing import Any, cast

import requests.adapters
import urllib3
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from crmsync.connectors.addresses import Origin, public_addresses

CONNECT_SECONDS = 5.0
"""For each address of a host, and for the TLS handshake."""
MAX_IDLE_SECONDS = 15.0
"""A kept-alive connection older than this is opened anew rather than used: a server that closes it
while a write is on its way would leave that write ambiguous. Load balancers close after 60 s."""
READ_BUFFER_BYTES = 65_536
SEND_BYTES = 65_536
"""Sent under one timeout. TLS counts a timeout per record, so a large body goes in pieces."""


class Attempt:
    """One request on its way: how long it may still take and how far it got."""

    __slots__ = ("bytes_received", "bytes_sent", "deadline", "opened")

    def __init__(self, deadline: float) -> None:
        """Take the moment, by `time.monotonic`, at which everything must be over."""
        self.deadline = deadline
        self.opened = False
        self.bytes_sent = 0
        self.bytes_received = 0

    @property
    def surely_unsent(self) -> bool:
        """True when a connection was sought and not one byte of the request left."""
        return self.opened and not self.bytes_sent

    def remaining(self) -> float:
        """Return the seconds left; raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request's deadline has passed")
        return left


class _TimedReader(io.RawIOBase):
    """A socket's bytes, each receive limited to what is left of the whole request's time."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 (io.RawIOBase says Any)
        self._sock.settimeout(self._attempt.remaining())
        count: int | None = self._raw.readinto(buffer)
        self._attempt.bytes_received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What `http.client.HTTPResponse` asks of a socket: a file to read."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._attempt = attempt

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._attempt), READ_BUFFER_BYTES)


class _Timed(HTTPConnection):
    """A connection that belongs to one attempt at a time."""

    attempt: Attempt
    origin: Origin
    idle_since = 0.0

    def _new_conn(self) -> socket.socket:
        """Connect to the first reachable of the host's allowed addresses."""
        name = self._dns_host
        try:
            addresses = public_addresses(self.origin, name, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(name, self, error) from error
        except PermissionError as error:
            raise NewConnectionError(self, str(error)) from error
        try:
            for address in addresses[:-1]:
                try:
                    return self._connect_to(address)
                except (NewConnectionError, ConnectTimeoutError):
                    continue
            return self._connect_to(addresses[-1])
        finally:
            self._dns_host = name

    def _connect_to(self, address: str) -> socket.socket:
        self._dns_host = address
        self.timeout = min(CONNECT_SECONDS, self.attempt.remaining())
        return super()._new_conn()

    def send(self, data: Any) -> None:  # noqa: ANN401 (http.client says Any)
        if self.sock is None:
            self.connect()
        sock = cast(socket.socket, self.sock)
        view = memoryview(data)
        for start in range(0, len(view), SEND_BYTES):
            piece = view[start : start + SEND_BYTES]
            sock.settimeout(self.attempt.remaining())
            # Counted before it is sent: part of it may leave even when this raises.
            self.attempt.bytes_sent += len(piece)
            sock.sendall(piece)

    def response_class(  # type: ignore[override]  # a class there, called the same way
        self,
        sock: socket.socket,
        **options: Any,  # noqa: ANN401 (http.client's own)
    ) -> http.client.HTTPResponse:
        """Build the reader of an answer; http.client keeps a class under this name."""
        timed = cast(socket.socket, _TimedSocket(sock, self.attempt))
        return http.client.HTTPResponse(timed, **options)


class _TimedTls(_Timed, HTTPSConnection):
    """The same over TLS; host name and certificate are always verified."""


class _Pool(urllib3.HTTPConnectionPool):
    """The one connection a thread keeps open to one origin."""

    ConnectionCls = _Timed
    attempt: Attempt
    origin: Origin

    def _get_conn(self, timeout: float | None = None) -> Any:  # noqa: ANN401 (as urllib3)
        self.attempt.opened = True
        conn = cast(_Timed, super()._get_conn(timeout))
        if time.monotonic() - conn.idle_since > MAX_IDLE_SECONDS:
            conn.close()
        conn.attempt, conn.origin = self.attempt, self.origin
        return conn

    def _put_conn(self, conn: Any) -> None:  # noqa: ANN401 (as urllib3)
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class _TlsPool(_Pool, urllib3.HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _TimedTls


class Adapter(requests.adapters.HTTPAdapter):
    """A requests adapter bound to one origin and one thread.

    `requests.Session.request` costs about twice the CPU of this (0.42 against 0.24 ms a call), for
    cookies, proxies, redirects, netrc and the choice of a pool: all things that must not happen.
    Calling the adapter with a request that is already prepared leaves them out, and `responses`
    can still stand in for it.
    """

    def __init__(self, origin: Origin, ca_bundle: str) -> None:
        """Open nothing yet."""
        super().__init__(max_retries=0)
        if origin.scheme == "https":
            self.pool: _Pool = _TlsPool(
                origin.host, origin.port, cert_reqs="CERT_REQUIRED", ca_certs=ca_bundle
            )
        else:
            self.pool = _Pool(origin.host, origin.port)
        self.pool.origin = origin
        self._prefix = len(str(origin))

    def exchange(self, request: PreparedRequest, attempt: Attempt) -> Response:
        """Send one request and return its answer with the body yet to be read."""
        self.pool.attempt = attempt
        return self.send(request, stream=True, timeout=attempt.remaining())

    # What HTTPAdapter.send asks for on the way:

    def get_connection_with_tls_context(self, *_: object, **__: object) -> _Pool:
        """Give the one pool: no proxies, no choice by URL."""
        return self.pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """Leave alone what the pool was built with: verification cannot be turned off."""

    def request_url(self, request: PreparedRequest, _proxies: object) -> str:
        """Give the path and query."""
        return cast(str, request.url)[self._prefix :]

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:  # noqa: ANN401
        """Wrap urllib3's answer, without a cookie jar."""
        response = Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.url = cast(str, req.url)
        response.request = req
        return response


class Adapters:
    """One adapter per origin and thread, opened lazily and never shared across a fork."""

    def __init__(self, ca_bundle: str) -> None:
        """Trust the certificates in this file."""
        self._ca_bundle = ca_bundle
        self._local = threading.local()

    def to(self, origin: Origin) -> Adapter:
        """Return this thread's adapter for an origin."""
        local = self._local
        if getattr(local, "pid", None) != os.getpid():
            local.pid, local.by_origin = os.getpid(), {}
        adapter: Adapter | None = local.by_origin.get(origin)
        if adapter is None:
            adapter = local.by_origin[origin] = Adapter(origin, self._ca_bundle)
        return adapter
