"""What the transport does with an access: where it is shown, and what a refusal of it leads to."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from crmsync.connectors import http
from crmsync.connectors.answers import Effect, Site
from crmsync.connectors.auth.authorisation import Access
from crmsync.connectors.base import Connection
from crmsync.connectors.http import Transport
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConnectionHalted, OutcomeUnknown, Unavailable
from crmsync.model import Timing
from tests.unit.connectors.raw_server import answer, raw_server, reset, send

SITE = Site(None, (".example.com",))
DEAD = send(answer(b"{}", 401))
FINE = send(answer(b"{}"))


class Who:
    """An authorisation whose accesses are given; the last one lasts."""

    def __init__(self, *accesses):
        self.left = list(accesses)
        self.refused: list[Access] = []

    def access(self, within_seconds):
        assert 0 < within_seconds <= 20
        return self.left[0]

    def renewed(self, refused, within_seconds):
        assert 0 < within_seconds <= 20
        self.refused.append(refused)
        if len(self.left) == 1:
            return None
        if isinstance(self.left[1], Exception):
            raise self.left[1]
        return self.left.pop(0) and self.left[0]


def transport(who, base_url=None, site=SITE, **keys):
    """A transport with these credentials."""
    connection = Connection(
        "crm", "test", {}, base_url=base_url, timing=Timing(request_deadline_seconds=5), **keys
    )
    return Transport(connection, site, MemoryThrottle(()), authorisation=who, sleep=lambda _: None)


def tokens(server):
    """The tokens that a server was shown, in order."""
    lines = [line for request in server.requests for line in request.split(b"\r\n")]
    return [line.split()[-1].decode() for line in lines if line.startswith(b"Authorization")]


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
def test_a_refused_token_is_renewed_and_the_call_sent_again_once(effect):
    """A 401 was surely not applied: the same body goes again, once, under the new token."""
    with raw_server(DEAD, FINE) as server:
        who = Who(Access("old", 1), Access("new", 2))
        got = transport(who, server.url).request("POST", "/x", effect=effect, json={"a": 1})
        assert got.ok
        assert tokens(server) == ["old", "new"]
        assert [request.split(b"\r\n\r\n")[1] for request in server.requests] == [b'{"a":1}'] * 2
        assert who.refused == [Access("old", 1)]


def test_a_renewed_token_that_is_refused_too_is_the_connectors_affair():
    """There is no third call: the second 401 is returned as it is."""
    with raw_server(DEAD) as server:
        who = Who(Access("old", 1), Access("new", 2), Access("newer", 3))
        got = transport(who, server.url).request("POST", "/x", effect=Effect.WRITE, json={})
        assert got.status == 401
        assert tokens(server) == ["old", "new"]


def test_where_there_is_no_other_token_the_refusal_is_returned():
    """A static token is sent once."""
    with raw_server(DEAD) as server:
        got = transport(Who(Access("only")), server.url).request("GET", "/", effect=Effect.READ)
        assert got.status == 401
        assert tokens(server) == ["only"]


def test_a_halt_while_renewing_reaches_the_caller():
    """The grant is gone: the call ends as surely not applied, with what a person must do."""
    with raw_server(DEAD) as server:
        who = Who(Access("old", 1), ConnectionHalted(cause="reauth_required", hint="connect"))
        with pytest.raises(ConnectionHalted):
            transport(who, server.url).request("POST", "/x", effect=Effect.WRITE, json={})
        assert len(server.requests) == 1


def test_a_write_whose_answer_is_lost_under_the_new_token_is_not_repeated():
    """Sending again after a 401 does not make a write repeatable."""
    with raw_server(DEAD, reset) as server:
        who = Who(Access("old", 1), Access("new", 2))
        with pytest.raises(OutcomeUnknown):
            transport(who, server.url).request("POST", "/x", effect=Effect.WRITE, json={})
        assert len(server.requests) == 2


def test_what_a_refused_token_is_may_be_the_vendors_own():
    """A 401 for want of a scope is not cured by another token (Zoho), so none is asked for."""
    site = Site(None, (".example.com",), refuses_token=lambda got: b"INVALID" in got.body)
    with raw_server(send(answer(b"SCOPE", 401)), send(answer(b"INVALID", 401)), FINE) as server:
        who = Who(Access("old", 1), Access("new", 2))
        calls = transport(who, server.url, site)
        assert calls.request("GET", "/", effect=Effect.READ).status == 401
        assert who.refused == []
        assert calls.request("GET", "/", effect=Effect.READ).ok


def test_no_call_begins_after_its_time(monkeypatch):
    """Renewing took all the time there was: the write is not sent again, surely not applied."""
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(http, "time", clock)

    class Slow(Who):
        def renewed(self, refused, within_seconds):
            clock.monotonic = lambda: time.monotonic() + 1_000
            return super().renewed(refused, within_seconds)

    with raw_server(DEAD, FINE) as server:
        calls = transport(Slow(Access("old", 1), Access("new", 2)), server.url)
        with pytest.raises(Unavailable, match="no time was left"):
            calls.request("POST", "/x", effect=Effect.WRITE, json={})
        assert len(server.requests) == 1


def test_calls_go_where_the_token_leads():
    """A simulated CRM may name another port; the next token may name another again."""
    with raw_server(DEAD) as one, raw_server(FINE) as other:
        who = Who(Access("old", 1, one.url), Access("new", 2, other.url))
        calls = transport(who, "http://127.0.0.1:9")
        assert calls.request("GET", "/x", effect=Effect.READ).ok
        assert (tokens(one), tokens(other)) == (["old"], ["new"])


def test_a_token_that_leads_elsewhere_is_shown_to_nobody():
    """The address is checked before each call, also where it was stored long ago."""
    who = Who(Access("t", 1, "https://evil.example"))
    with pytest.raises(ConnectionHalted, match=r"evil\.example is not a host") as caught:
        transport(who).request("GET", "/", effect=Effect.READ)
    assert caught.value.cause == "refused"


def test_an_account_without_an_address_says_so():
    """A static token of a CRM whose accounts live at their own addresses needs a `base_url`."""
    with pytest.raises(ConnectionHalted) as caught:
        transport(Who(Access("t"))).request("GET", "/", effect=Effect.READ)
    assert "base_url" in caught.value.hint


def test_connections_never_share_a_token():
    """Many threads, two connections, one host: each call carries its own connection's token."""
    with raw_server(FINE) as server:
        https = [transport(Who(Access(f"token-{n}", 1)), server.url) for n in range(2)]
        together = threading.Barrier(8)

        def call(n):
            together.wait()
            for _ in range(10):
                https[n % 2].request("GET", f"/{n % 2}", effect=Effect.READ)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(call, range(8)))
        for request in server.requests:
            path = request.split()[1].decode()
            assert f"Bearer token-{path[1:]}".encode() in request
        assert len(server.requests) == 80


def test_no_wait_before_a_call_lets_it_outlast_its_time(monkeypatch):
    """Waits for a token and, with its place lost midway, for the throttle: the end stays put."""
    timing = Timing(request_deadline_seconds=5)
    now, ends = [0.0], []

    def wait(seconds):
        now[0] += seconds

    def note_end(deadline):
        ends.append(deadline)
        raise Unavailable("enough is known")

    who = SimpleNamespace(access=lambda _: wait(timing.patience_seconds) or Access("a"))
    throttle = SimpleNamespace(
        acquire=lambda *_, patience_seconds, **__: wait(2 * patience_seconds)
    )
    connection = Connection("crm", "test", {}, base_url="http://127.0.0.1:9", timing=timing)
    made = Transport(connection, SITE, throttle, authorisation=who)
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(http, "Attempt", note_end)
    with pytest.raises(Unavailable):
        made.request("POST", "/a", effect=Effect.WRITE, json={})
    assert ends == [timing.longest_call_seconds]


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a\u2603", "a\x00b"])
def test_a_token_that_fits_in_no_header_is_not_sent(token):
    """It is a person's affair, and told without the token."""
    with raw_server(FINE) as server:
        with pytest.raises(ConnectionHalted) as halt:
            transport(Who(Access(token)), server.url).request("GET", "/x", effect=Effect.READ)
        assert (server.requests, halt.value.cause) == ([], "reauth_required")
    assert token not in f"{halt.value} {halt.value.hint}"
