"""A sample of `event_fuzz`, the same each time; the whole is run by hand and by night."""

from __future__ import annotations

import pytest

from crmsync.errors import EventRejected
from crmsync.identity import clean, feeds
from tests.chaos.event_fuzz import fuzz

EVENTS = 3_000
FEW = 1_000
"""Enough for each control here to be found out."""


@pytest.fixture
def databases(tmp_path, pg_database):
    """SQLite and PostgreSQL."""
    return [f"sqlite:///{tmp_path / 'crmsync.db'}", pg_database]


def test_odd_events_are_taken_or_refused_with_a_reason(databases, tmp_path):
    """No 5xx, no exception in a log, the good ones kept, and both databases hold the same."""
    report = fuzz(EVENTS, 1, tmp_path, databases)
    assert report.faults == []
    assert report.events >= EVENTS
    assert {200, 400, 415} <= set(report.statuses)
    assert report.people > 100
    assert report.refused > EVENTS / 10


def test_without_the_sanitiser_it_would_be_found(databases, tmp_path, monkeypatch):
    """Negative control: half a character, which no database keeps, is a 500."""
    monkeypatch.setattr(clean, "_is_unicode", lambda _: True)
    report = fuzz(FEW, 1, tmp_path, databases)
    assert 500 in report.statuses
    assert any("no answer of this door" in fault for fault in report.faults)
    assert any(fault.startswith("logged: Exception in ASGI") for fault in report.faults)


def test_a_bad_call_that_takes_others_with_it_is_found(databases, tmp_path, monkeypatch):
    """Negative control: calls that are right are missed where a batch is refused for one."""
    original = feeds._read_typed

    def strict(*given):
        read = original(*given)
        if isinstance(read, EventRejected):
            raise read
        return read

    monkeypatch.setattr(feeds, "_read_typed", strict)
    report = fuzz(FEW, 1, tmp_path, databases)
    assert any("do not add up" in fault for fault in report.faults)


def test_databases_that_differ_are_found(databases, tmp_path, monkeypatch):
    """Negative control: one value more in one of them is told."""
    from tests.chaos import event_fuzz  # noqa: PLC0415 - what is patched is its own

    original = event_fuzz.people_of
    kept = iter(range(10))

    def altered(works):
        held = dict(original(works))
        if next(kept) == 0:
            held.popitem()
        return held

    monkeypatch.setattr(event_fuzz, "people_of", altered)
    report = fuzz(100, 1, tmp_path, databases)
    assert [fault for fault in report.faults if "disagree about" in fault]
