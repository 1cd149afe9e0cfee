"""A sample of `answer_fuzz`, the same each time; the whole is run by hand and by night."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from crmsync.connectors import http
from crmsync.connectors.answers import Effect, Site
from crmsync.connectors.base import Connection
from crmsync.connectors.http import Transport
from crmsync.connectors.paging import Pages
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import OutcomeUnknown, Unavailable
from crmsync.model import Outcome, Result
from tests.chaos import connector_work
from tests.chaos.answer_fuzz import BENCHES, fuzz
from tests.chaos.connector_work import WORKS
from tests.chaos.mutations import HURTS
from tests.unit.connectors.raw_server import answer, raw_server, send

ANSWERS = 400
"""Enough for each sort of hurt and of work to come, and for every control here to be found out."""
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("crm", BENCHES)
def test_a_spoilt_answer_is_never_believed_and_never_a_surprise(crm):
    """Only our own exceptions, no endless loop, no success that the CRM does not hold."""
    report = fuzz(crm, ANSWERS, seed=1)
    assert report.faults == []
    assert report.answers >= ANSWERS
    assert set(report.calls) == set(WORKS)
    rare = {"a bomb"}
    assert set(HURTS) - rare <= set(report.hurts)
    # Successes were told and looked after, and so were failures.
    assert report.outcomes["succeeded"] > 20
    assert report.raised["OutcomeUnknown"] > 10


class Believing:
    """A connector that takes a lost answer for a success."""

    def __init__(self, connector) -> None:
        self._connector = connector

    def __getattr__(self, name):  # noqa: D105 - whatever else it is asked
        return getattr(self._connector, name)

    def write(self, batch):
        try:
            return self._connector.write(batch)
        except OutcomeUnknown:
            return [Result(Outcome.SUCCEEDED, op.crm_id or "0") for op in batch.operations]


@pytest.mark.parametrize("crm", BENCHES)
def test_a_lost_answer_that_is_believed_is_found(crm, monkeypatch):
    """Negative control: what was refused and lost cannot be called a success unnoticed."""
    monkeypatch.setattr(
        connector_work, "open_connector", lambda *given: Believing(open_connector(*given))
    )
    report = fuzz(crm, ANSWERS, seed=1)
    assert any("a success of which the CRM holds nothing" in fault for fault in report.faults)


@pytest.mark.parametrize("crm", BENCHES)
def test_an_answer_that_is_not_looked_at_is_found(crm, monkeypatch):
    """Negative control: reading parts of an answer without care raises what nobody expects."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"crmsync.connectors.{crm}") and hasattr(module, "UNREADABLE"):
            monkeypatch.setattr(module, "UNREADABLE", ())
    report = fuzz(crm, ANSWERS, seed=1)
    assert any("Error: " in fault for fault in report.faults)


def test_pages_that_never_end_are_found(monkeypatch):
    """Negative control: without the look at how far a list has come, one call becomes hundreds."""
    monkeypatch.setattr(Pages, "turn", lambda *_: None)
    report = fuzz("pipedrive", ANSWERS, seed=1)
    assert any("calls for one" in fault for fault in report.faults)


# --- a bomb --------------------------------------------------------------------------------

BOMB = gzip.compress(b" " * 200 * MEBIBYTE)


@contextmanager
def peak() -> Iterator[list[int]]:
    """The most memory that the block took at once, once it has ended."""
    found: list[int] = []
    tracemalloc.start()
    try:
        yield found
    finally:
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


@pytest.mark.parametrize("is_capped", [True, False])
def test_a_bomb_takes_no_more_memory_than_the_largest_honest_answer(is_capped, monkeypatch):
    """200 MiB in 200 KiB are not unpacked to their end; without the cap they would be."""
    if not is_capped:
        monkeypatch.setattr(http, "MAX_BODY_BYTES", 1024 * MEBIBYTE)
    packed = answer(BOMB, headers="Content-Encoding: gzip\r\n")
    with raw_server(send(packed, keep=False)) as server, peak() as taken:
        connection = Connection("crm", "x", {}, base_url=server.url)
        transport = Transport(connection, Site(None, ()), MemoryThrottle(()), sleep=lambda _: None)
        with pytest.raises(Unavailable) if is_capped else nullcontext():
            transport.request("GET", "/x", effect=Effect.READ)
    assert (taken[0] < 80 * MEBIBYTE) is is_capped
