"""Owners and stages are asked for again when an id turns up that nobody knows, and seldom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.model import Deal, Owner
from crmsync.store.tables import directories
from crmsync.sync import naming
from crmsync.sync.pull import pull
from tests.unit.sync.people import NAMES, mapping
from tests.unit.sync.test_pull import DEALS, pushed, sales, traits

__all__ = ["sales"]

JOINED = Owner("20", "new@acme.example", "New")


def read_ago(works, seconds):
    """Have all lists read so long ago."""
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    works.store.database.transact(lambda c: c.execute(directories.update().values(read_at=at)))


@pytest.fixture
def selling(works_with, sales):
    """A person with a deal, whose owners and stages were read a minute ago."""
    works = works_with(mapping(NAMES, deals=DEALS))
    record = pushed(works, first_name="Ann")
    sales.deal(Deal("d1", (record,), fields={"stage": "s1", "owner": "18"}))
    pull(works, "crm")
    read_ago(works, 61)
    sales.calls.clear()
    return works, record


def give(works, sales, record, owner):
    """Give the deal to somebody, and read it."""
    sales.deal(Deal("d1", (record,), fields={"stage": "s1", "owner": owner}))
    pull(works, "crm")


def test_who_joined_a_minute_after_the_list_was_read_is_known_at_once(selling, sales):
    """The list is asked for again; that of stages, in which nothing is lacking, is not."""
    works, record = selling
    sales.owners.append(JOINED)
    give(works, sales, record, JOINED.id)
    assert traits(works)["deal_owner"] == JOINED.email
    assert (sales.calls["owners"], sales.calls["stages"]) == (1, 0)


def test_with_a_longer_wait_nobody_would_know_them(selling, sales, monkeypatch):
    """What is shown above hangs on the wait being short."""
    monkeypatch.setattr(naming, "ASK_AGAIN_AFTER", timedelta(minutes=5))
    works, record = selling
    sales.owners.append(JOINED)
    give(works, sales, record, JOINED.id)
    assert traits(works)["deal_owner"] == "ada@acme.example"


def test_an_id_that_the_crm_does_not_tell_of_costs_a_list_a_minute(selling, sales):
    """However many records name it."""
    works, record = selling
    for _ in range(5):
        give(works, sales, record, "nobody's")
    assert sales.calls["owners"] == 1
    read_ago(works, 61)
    give(works, sales, record, "nobody's")
    assert sales.calls["owners"] == 2
