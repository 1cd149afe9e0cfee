"""`/metrics`: what waits, what was done, what rests, by connection; nobody's data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.store import state
from crmsync.store.database import Database
from crmsync.store.links import LinkState
from crmsync.store.tables import links
from crmsync.sync.presence import Presence
from tests.served_api import serving
from tests.workbench import identify, ingest, let_pass


@pytest.fixture(autouse=True)
def crm():
    """The CRM of the connection, emptied afterwards."""
    yield
    MemoryCrm.forget("crm")


def figures(works):
    """Return every value of ours by name and labels."""
    with serving(works) as api:
        text = api.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }, text


def test_what_waits_and_what_is_set_aside(works):
    """Counted by connection, with the age of the first."""
    ingest(works, [identify(f"u{n}", first_name="Zebedee") for n in range(3)])
    let_pass(works.store, 100)
    found, text = figures(works)
    assert found["crmsync_database_up",] == 1
    assert found["crmsync_due_links", "crm"] == 3
    assert 100 <= found["crmsync_oldest_due_seconds", "crm"] < 1000
    assert found["crmsync_links_aside", "crm", "dead"] == 0
    assert "Zebedee" not in text
    works.store.database.transact(lambda c: c.execute(links.update().values(state=LinkState.DEAD)))
    found, _ = figures(works)
    assert found["crmsync_due_links", "crm"] == 0
    assert found["crmsync_links_aside", "crm", "dead"] == 3


def test_what_rests_and_who_works(works):
    """With its cause, which is one of few words."""
    database = works.store.database
    Presence(works, "worker").renew()
    database.transact(
        lambda c: state.pause(c, "crm", database.now(c) + timedelta(seconds=90), "busy", "words")
    )
    found, text = figures(works)
    assert 0 < found["crmsync_rest_seconds", "busy", "crm"] <= 90
    assert found["crmsync_process_silent_seconds", "worker"] < 60
    assert "words" not in text


def test_without_a_database_it_says_so(works):
    """The process's own figures are given all the same."""
    away = Database("postgresql://ann@127.0.0.1:1/none")
    found, _ = figures(replace(works, store=replace(works.store, database=away)))
    assert found["crmsync_database_up",] == 0
    assert ("process_open_fds",) in found
    away.dispose()
