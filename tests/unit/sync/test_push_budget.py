"""A spent rate budget: a backfill's share holds up nobody else; what was not sent is not told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crmsync.connectors.base import Limit
from crmsync.connectors.throttle import MemoryThrottle, in_background, is_background
from crmsync.connectors.windows import Call
from crmsync.errors import BackgroundSpent, RateLimited
from crmsync.model import Action, RunTrigger
from crmsync.store import bulk, state
from crmsync.store.links import PRIORITY_BACKFILL
from crmsync.store.tables import links, sync_log
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.sync.push import push
from tests.workbench import KEYED, count_rows, identify, ingest, link_rows, the_sync

DAY = 86_400.0


def budget(works, crm, monkeypatch, limit: Limit, cost: int = 1):
    """Let each call hold one record, and count writes against one limit."""
    connector = the_sync(works).connector
    push(the_sync(works), go_on=lambda: False)  # describes the object
    single = replace(connector.capabilities, records_per_call=dict.fromkeys(Action, 1))
    monkeypatch.setattr(connector, "capabilities", single, raising=False)
    throttle = MemoryThrottle([limit])
    costs = {limit.unit: cost}

    def one_call(name: str) -> None:
        if name == "write":
            call = Call(costs=costs, background=is_background())
            throttle.release(throttle.acquire(call, hold_seconds=1, patience_seconds=0))
        crm.calls[name] += 1

    monkeypatch.setattr(connector, "_call", one_call)


def make_backfill(works) -> None:
    """Have all links wait as a new mapping's do."""
    rows = [
        {"id": link, "trigger": RunTrigger.BACKFILL, "priority": PRIORITY_BACKFILL}
        for (link,) in link_rows(works.store, "id")
    ]
    works.store.database.transact(lambda connection: bulk.update(connection, links, rows))


def test_a_spent_backfill_leaves_real_time_work_alone(works_with, crm, monkeypatch):
    """It waits for its own share by itself; what is due at once is sent from the rest."""
    works = works_with(KEYED)
    budget(works, crm, monkeypatch, Limit("daily_calls", 10, DAY, reserve=0.2))
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(20)])
    make_backfill(works)
    drain(works, "crm")
    assert crm.calls["write"] == 8
    database = works.store.database
    with database.read() as connection:
        now = database.now(connection)
        assert state.find_pause(connection, "crm", now) is None
        assert state.backfill_hold(connection, "crm", now) is not None
    ingest(works, [identify("live", first_name="Live")])
    assert next_wake_seconds(works, "crm") == 0.0
    drain(works, "crm")
    assert crm.calls["write"] == 9
    assert next_wake_seconds(works, "crm") > 0.0


def test_whoever_resumes_a_connection_resumes_its_backfill(works_with, crm, monkeypatch):
    """`crmsync push` and `connect` end the wait of a backfill too."""
    works = works_with(KEYED)
    database = works.store.database
    later = database.transact(database.now).replace(year=2999)
    database.transact(lambda c: state.hold_backfill(c, "crm", later))
    database.transact(lambda c: state.resume(c, "crm"))
    with database.read() as connection:
        assert state.backfill_hold(connection, "crm", database.now(connection)) is None


def test_what_was_not_sent_is_not_told_as_tried(works_with, crm, monkeypatch):
    """Records held back by our own budget leave no entry in the log and no charged attempt."""
    works = works_with(KEYED)
    budget(works, crm, monkeypatch, Limit("daily_calls", 3, DAY))
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(6)])
    drain(works, "crm")
    assert count_rows(works.store, sync_log) == 3
    assert {attempts for (attempts,) in link_rows(works.store, "attempts")} == {0}


def test_a_call_dearer_than_its_limit_rests_the_sync(works_with, crm, monkeypatch):
    """It can never be sent: the mistake is named, and no record is taken for uncertain."""
    works = works_with(KEYED)
    budget(works, crm, monkeypatch, Limit("daily_tokens", 4, DAY, unit="token"), cost=5)
    ingest(works, [identify("u1", first_name="Ann")])
    tally = push(the_sync(works))
    assert tally.rest
    assert "daily_tokens" in tally.rest.message
    assert tally.counts == {"retried": 1}
    assert link_rows(works.store, "state", "attempts") == [("active", 0)]


@pytest.mark.parametrize(("background", "kind"), [(True, BackgroundSpent), (False, RateLimited)])
def test_a_spent_budget_says_whose_it_was(background, kind):
    """Only work in the background is told that its own share is spent."""
    throttle = MemoryThrottle([Limit("daily_calls", 1, DAY)])
    with in_background(when=background):
        call = Call(background=is_background())
        throttle.acquire(call, hold_seconds=1, patience_seconds=0)
        with pytest.raises(RateLimited) as refusal:
            throttle.acquire(call, hold_seconds=1, patience_seconds=0)
    assert type(refusal.value) is kind
