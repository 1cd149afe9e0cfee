"""The transport against a real socket: deadlines, lost answers, budgets, silence on secrets."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import traceback

import orjson
import pytest

from crmsync.connectors import sockets
from crmsync.connectors.answers import Effect, Exchange, Site
from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Limit
from crmsync.connectors.http import Transport
from crmsync.connectors.throttle import Grant, MemoryThrottle
from crmsync.errors import BatchRejected, ConfigError, OutcomeUnknown, RateLimited, Unavailable
from crmsync.model import Timing
from tests.unit.connectors.raw_server import RawServer, answer, drip, raw_server, reset, send

SITE = Site("https://api.example.com", (".example.com",), "X-Correlation")
TOKEN = "very-secret-token"  # noqa: S105 (a canary)
PERSON = "ann@person.example"


def transport(
    url: str, *, seconds: float = 5.0, observe=lambda _: None, limits=(), auth_url=None
) -> Transport:
    """A transport to that address, whose retries do not wait."""
    connection = Connection(
        "crm",
        "test",
        {"token": TOKEN},
        base_url=url,
        auth_url=auth_url,
        timing=Timing(request_deadline_seconds=seconds),
    )
    return Transport(
        connection,
        SITE,
        MemoryThrottle(limits),
        authorisation=FixedToken(TOKEN),
        observe=observe,
        sleep=lambda _: None,
    )


def test_a_request_arrives_as_written():
    """Method, path, query, token and JSON body travel; the answer comes back whole."""
    with raw_server(send(answer(b'{"a": 1}', 207))) as server:
        got = transport(server.url).request(
            "POST", "/x/y", effect=Effect.WRITE, json={"é": None}, params={"q": "a b"}
        )
        assert (got.status, got.ok, got.json()) == (207, True, {"a": 1})
        sent = server.requests[0]
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x/y?q=a+b HTTP/1.1\r\n")
    assert b"Authorization: Bearer very-secret-token" in head
    assert body == orjson.dumps({"é": None})
    assert b"Cookie" not in head


def test_connections_are_kept_and_cookies_are_not():
    """Two requests share one connection, and the second carries no cookie of the first."""
    cookie = "Set-Cookie: session=abc\r\n"
    with raw_server(send(answer(headers=cookie))) as server:
        http = transport(server.url)
        http.request("GET", "/1", effect=Effect.READ)
        http.request("GET", "/2", effect=Effect.READ)
        assert server.connections == 1
        assert b"session=abc" not in server.requests[1]


def test_redirects_are_not_followed():
    """A redirect is an answer like any other; its target is never asked."""
    with (
        raw_server(send(answer())) as other,
        raw_server(send(answer(status=302, headers=f"Location: {other.url}/\r\n"))) as server,
    ):
        got = transport(server.url).request("GET", "/", effect=Effect.READ)
        assert got.status == 302
        assert other.requests == []


def test_the_environment_is_not_consulted(monkeypatch):
    """A proxy in the environment is not used."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with raw_server(send(answer())) as server:
        assert transport(server.url).request("GET", "/", effect=Effect.READ).ok


# --- failures on the way ------------------------------------------------------------------

TRUNCATED = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
CHUNK_CUT = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"
BAD_GZIP = answer(b"not gzip", headers="Content-Encoding: gzip\r\n")
LOST = {
    "reset": reset,
    "closed": send(b"", keep=False),
    "truncated": send(TRUNCATED, keep=False),
    "chunk cut": send(CHUNK_CUT, keep=False),
    "not http": send(b"220 smtp ready\r\n", keep=False),
    "bad gzip": send(BAD_GZIP),
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
def test_a_lost_answer_to_a_write_is_ambiguous_and_not_repeated(script):
    """After a request was sent, a write whose answer is lost is OutcomeUnknown, sent once."""
    with raw_server(script) as server:
        with pytest.raises(OutcomeUnknown):
            transport(server.url).request("POST", "/x", effect=Effect.WRITE, json={})
        assert len(server.requests) == 1


@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
def test_a_lost_answer_to_a_read_is_asked_for_again(script):
    """A read is repeated twice, then Unavailable; nothing was changed."""
    with raw_server(script) as server:
        with pytest.raises(Unavailable):
            transport(server.url).request("GET", "/x", effect=Effect.READ)
        assert len(server.requests) == 3


def test_a_read_recovers():
    """A read whose first answer is lost returns the second one."""
    with raw_server(reset, send(answer(b"[]"))) as server:
        assert transport(server.url).request("GET", "/", effect=Effect.READ).json() == []


def test_a_token_call_is_not_repeated_once_it_left():
    """A token may be used once: a lost answer to a token call is OutcomeUnknown at once."""
    with raw_server(reset) as server:
        with pytest.raises(OutcomeUnknown):
            transport(server.url).request("POST", "/t", effect=Effect.TOKEN, form={"a": "b"})
        assert len(server.requests) == 1


@pytest.mark.parametrize("effect", Effect)
def test_a_refused_connection_was_surely_not_applied(effect):
    """Nothing listens: Unavailable even for a write, since not one byte left."""
    with raw_server(send(answer())) as server:
        url = server.url
    with pytest.raises(Unavailable, match="the connection was refused"):
        transport(url).request("POST", "/x", effect=effect, json={})


@pytest.mark.parametrize("body", [b"<html>502</html>", b"", b'{"a":', b'{"a": "\xff"}', b"NaN"])
@pytest.mark.parametrize(
    ("effect", "error"), [(Effect.WRITE, OutcomeUnknown), (Effect.READ, Unavailable)]
)
def test_a_success_without_json_is_a_lost_answer(body, effect, error):
    """HTML, nothing, half a body and a wrong charset under 200 are never taken for success."""
    with raw_server(send(answer(body))) as server:
        got = transport(server.url).request("POST", "/x", effect=effect, json={})
        with pytest.raises(error):
            got.json()


# --- the total deadline -------------------------------------------------------------------


@pytest.mark.parametrize("dripping", [answer(b"x" * 1000), answer()], ids=["body", "head"])
def test_a_dripping_answer_ends_at_the_deadline(dripping):
    """One byte at a time never trips a receive timeout; the total deadline ends it all the same."""
    holder: list[RawServer] = []
    script = drip(dripping, lambda: holder[0].stop, 0.05)
    with raw_server(script) as server:
        holder.append(server)
        with pytest.raises(OutcomeUnknown, match="before the deadline"):
            transport(server.url, seconds=0.4).request("POST", "/", effect=Effect.WRITE, json={})


def test_a_silent_server_ends_at_the_deadline():
    """A server that takes the request and says nothing leaves a write ambiguous."""
    with raw_server(lambda _: True) as server:
        with pytest.raises(OutcomeUnknown, match="before the deadline"):
            transport(server.url, seconds=0.2).request("POST", "/", effect=Effect.WRITE, json={})
        assert server.requests


def test_a_server_that_reads_slowly_ends_at_the_deadline():
    """A body that leaves piece by piece ends at the total deadline, not at one per piece."""
    heard: list[Exchange] = []
    size = 30_000_000
    with raw_server(send(answer())) as server:

        def read_slowly(connection: socket.socket) -> bytes:
            while not server.stop.wait(0.02):
                with contextlib.suppress(TimeoutError):
                    connection.recv(100_000)
            return b""

        server._read = read_slowly  # type: ignore[method-assign]  # a server that dawdles
        http = transport(server.url, seconds=0.4, observe=heard.append)
        with pytest.raises(OutcomeUnknown, match="before the deadline"):
            http.request("POST", "/", effect=Effect.WRITE, json=["x" * size])
    assert heard[0].bytes_sent < size


def test_a_bomb_is_not_swallowed(monkeypatch):
    """A body that decompresses past the cap is a lost answer, not memory."""
    monkeypatch.setattr("crmsync.connectors.http.MAX_BODY_BYTES", 10_000)
    bomb = answer(gzip.compress(b"0" * 10_000_000), headers="Content-Encoding: gzip\r\n")
    with raw_server(send(bomb)) as server, pytest.raises(OutcomeUnknown, match="too large"):
        transport(server.url).request("POST", "/", effect=Effect.WRITE, json={})


def test_a_compressed_answer_is_read():
    """A gzip body is asked for and understood."""
    packed = answer(gzip.compress(b"[1]"), headers="Content-Encoding: gzip\r\n")
    with raw_server(send(packed)) as server:
        assert transport(server.url).request("GET", "/", effect=Effect.READ).json() == [1]


# --- kept connections ---------------------------------------------------------------------


def test_a_connection_the_server_closed_is_not_used_for_a_write():
    """A close between requests is noticed before sending, so the write is not left ambiguous."""
    with raw_server(send(answer(), keep=False)) as server:
        http = transport(server.url)
        for _ in range(3):
            assert http.request("POST", "/", effect=Effect.WRITE, json={}).ok
            assert server.hung_up.acquire(timeout=5)
        assert server.connections == 3


def test_an_idle_connection_is_opened_anew(monkeypatch):
    """A connection older than the idle limit is replaced before a server can close it under us."""
    with raw_server(send(answer())) as server:
        http = transport(server.url)
        http.request("GET", "/", effect=Effect.READ)
        monkeypatch.setattr(sockets, "MAX_IDLE_SECONDS", -1.0)
        http.request("GET", "/", effect=Effect.READ)
        assert server.connections == 2


def test_threads_do_not_share_a_connection():
    """Each thread keeps a socket of its own."""
    with raw_server(send(answer())) as server:
        http = transport(server.url)
        for _ in range(2):
            thread = threading.Thread(
                target=http.request, args=("GET", "/"), kwargs={"effect": Effect.READ}
            )
            thread.start()
            thread.join(5)
        assert server.connections == 2


def test_a_fork_does_not_share_a_connection(monkeypatch):
    """Another process id means another connection."""
    with raw_server(send(answer())) as server:
        http = transport(server.url)
        http.request("GET", "/", effect=Effect.READ)
        monkeypatch.setattr("os.getpid", lambda: -1)
        http.request("GET", "/", effect=Effect.READ)
        assert server.connections == 2


# --- budget, log, secrets -----------------------------------------------------------------


class CountingThrottle(MemoryThrottle):
    """Remembers what it gave and took back."""

    def __init__(self):
        super().__init__([Limit("a", 100, 10)])
        self.given: list[Grant] = []
        self.returned: list[Grant] = []

    def acquire(self, call, **how):
        self.given.append(super().acquire(call, **how))
        return self.given[-1]

    def release(self, grant):
        self.returned.append(grant)
        super().release(grant)


@pytest.mark.parametrize("script", [send(answer()), reset])
def test_every_try_takes_leave_and_gives_it_back(script):
    """Each request sent holds one grant, returned however it ends; a retry takes another."""
    throttle = CountingThrottle()
    with raw_server(script) as server:
        http = Transport(
            Connection("crm", "test", {}, base_url=server.url),
            SITE,
            throttle,
            sleep=lambda _: None,
        )
        with contextlib.suppress(Unavailable):
            http.request("GET", "/", effect=Effect.READ, scope="search")
        assert len(throttle.given) == len(server.requests)
    assert throttle.returned == throttle.given
    assert {grant.call.scope for grant in throttle.given} == {"search"}


def test_a_write_that_surely_never_left_is_not_repeated_either():
    """Even a refused connection is the caller's affair: one try, one grant."""
    throttle = CountingThrottle()
    http = Transport(Connection("crm", "test", {}, base_url="http://127.0.0.1:9"), SITE, throttle)
    with pytest.raises(Unavailable):
        http.request("POST", "/", effect=Effect.WRITE, json={})
    assert len(throttle.given) == 1


def test_our_own_limit_is_said_before_anything_is_sent():
    """When the budget does not allow a call within the deadline, RateLimited says how long."""
    with raw_server(send(answer())) as server:
        http = transport(server.url, seconds=1.0, limits=[Limit("a", 1, 60)])
        http.request("GET", "/", effect=Effect.READ)
        with pytest.raises(RateLimited) as caught:
            http.request("POST", "/", effect=Effect.WRITE, json={})
        assert 50 < caught.value.retry_after_seconds <= 61
        assert len(server.requests) == 1


def test_the_observer_hears_of_every_exchange():
    """Status, sizes, route and correlation id of an answer, and the reason of a failure."""
    heard: list[Exchange] = []
    with raw_server(send(answer(b"[]", headers="X-Correlation: c-1\r\n")), reset) as server:
        http = transport(server.url, observe=heard.append)
        http.request("GET", f"/a/{PERSON}", effect=Effect.READ, route="/a/{id}")
        with pytest.raises(OutcomeUnknown):
            http.request("POST", "/b", effect=Effect.WRITE, json=[1], params={"email": PERSON})
        first, second = heard
        assert first.bytes_sent == len(server.requests[0])
    assert (first.status, first.route, first.correlation_id) == (200, "/a/{id}", "c-1")
    assert first.bytes_received > 0
    assert (second.status, second.route) == (None, "/b")
    assert second.failure in {
        "the connection was reset",
        "the connection was closed before an answer",
    }
    assert PERSON not in repr(heard)
    assert TOKEN not in repr(heard)


@pytest.mark.parametrize("script", [*LOST.values(), None])
def test_errors_hold_no_secret_and_no_person(script):
    """Neither an error's text nor its printed chain holds token, query values or body."""
    with raw_server(script or reset) as server:
        url = server.url if script else "http://127.0.0.1:9"
        with pytest.raises((OutcomeUnknown, Unavailable)) as caught:
            transport(url).request(
                "POST", "/x", effect=Effect.WRITE, json={"email": PERSON}, params={"q": PERSON}
            )
    printed = "".join(traceback.format_exception(caught.value))
    assert PERSON not in printed
    assert TOKEN not in printed


def test_the_token_goes_to_its_own_host_alone():
    """A call to `auth_url` carries no Authorization of the API."""
    with raw_server(send(answer())) as api, raw_server(send(answer())) as login:
        http = transport(api.url, auth_url=login.url)
        http.request("POST", f"{login.url}/token", effect=Effect.TOKEN, form={"grant": "x"})
        assert b"Authorization" not in login.requests[0]
        assert b"\r\n\r\ngrant=x" in login.requests[0]


def test_a_strange_host_is_refused():
    """A whole URL outside the vendor's domains is refused before anything is looked up."""
    with pytest.raises(ConfigError, match="not a host of this CRM"):
        transport("http://127.0.0.1:9").request("GET", "https://evil.test/", effect=Effect.READ)


def test_a_wrong_base_url_names_the_connection():
    """The message of a refused address says which key of which connection."""
    with pytest.raises(ConfigError, match="connection 'crm', base_url"):
        transport("http://example.org")


def test_a_body_that_is_no_text_is_refused_as_a_batch():
    """A lone surrogate cannot be encoded: nothing is sent and the batch can be split."""
    with raw_server(send(answer())) as server:
        with pytest.raises(BatchRejected):
            transport(server.url).request("POST", "/", effect=Effect.WRITE, json=["\ud800"])
        assert server.requests == []


@pytest.mark.parametrize(
    ("effect", "error"), [(Effect.READ, Unavailable), (Effect.WRITE, OutcomeUnknown)]
)
def test_a_chunk_of_a_negative_size_is_a_lost_answer(effect, error):
    """Whatever the libraries below make of it."""
    odd = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nxx\r\n"
    with raw_server(send(odd, keep=False)) as server, pytest.raises(error):
        transport(server.url).request("POST", "/x", effect=effect, json={})
