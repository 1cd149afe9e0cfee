"""What the transport says of the writes that left."""

from __future__ import annotations

import pytest

from crmsync.connectors.answers import Effect
from crmsync.connectors.base import Limit
from crmsync.connectors.departures import watch_writes
from crmsync.errors import BatchRejected, OutcomeUnknown, RateLimited
from tests.unit.connectors.raw_server import answer, raw_server, reset, send
from tests.unit.connectors.test_http import transport


def test_only_a_write_that_was_sent_has_left():
    """A read has not, nor a body that cannot be encoded, nor what the budget kept back."""
    with raw_server(send(answer(b"{}"))) as server:
        departures = watch_writes()
        transport(server.url).request("GET", "/", effect=Effect.READ)
        with pytest.raises(BatchRejected):
            transport(server.url).request("POST", "/", effect=Effect.WRITE, json="\ud800")
        none_left = transport(server.url, limits=(Limit("calls", 1, 60),))
        none_left.request("GET", "/", effect=Effect.READ)
        with pytest.raises(RateLimited):
            none_left.request("POST", "/", effect=Effect.WRITE, json={})
        assert not departures.has_left
        transport(server.url).request("POST", "/", effect=Effect.WRITE, json={})
        assert departures.has_left


def test_a_write_without_an_answer_may_have_left():
    """Whoever asks again begins anew."""
    with raw_server(reset) as server:
        departures = watch_writes()
        with pytest.raises(OutcomeUnknown):
            transport(server.url).request("POST", "/", effect=Effect.WRITE, json={})
        assert departures.has_left
        assert not watch_writes().has_left
