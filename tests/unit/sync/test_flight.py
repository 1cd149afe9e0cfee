"""What is under way: results are committed while other calls fly, and no lease runs out unseen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from crmsync.connectors.throttle import is_background
from crmsync.errors import StoreUnavailable
from crmsync.model import Action, RunTrigger
from crmsync.store import bulk, settlements
from crmsync.store.tables import links
from crmsync.sync import flight as flight_module
from crmsync.sync import push as push_module
from crmsync.sync.flight import Tally, ignore
from crmsync.sync.push import push
from crmsync.sync.records import Target
from crmsync.sync.slices import Slice
from tests.unit.sync.people import adopting
from tests.workbench import (
    KEYED,
    drain,
    identify,
    ingest,
    link_rows,
    mark_dirty,
    the_sync,
)


def one_by_one(sync, monkeypatch) -> None:
    """Let each call hold one record."""
    single = replace(sync.connector.capabilities, records_per_call=dict.fromkeys(Action, 1))
    monkeypatch.setattr(sync.connector, "capabilities", single, raising=False)


def change_links(works, columns: Iterable[str], values: Iterable[tuple[object, ...]]) -> None:
    """Set columns of all links, in order of their ids."""
    rows = [
        {"id": link, **dict(zip(columns, new, strict=True))}
        for (link,), new in zip(link_rows(works.store, "id"), values, strict=True)
    ]
    works.store.database.transact(lambda connection: bulk.update(connection, links, rows))


def test_what_needs_no_call_is_settled_on_the_way(works_with, crm, monkeypatch):
    """Slice after slice without a change is committed, not kept until the leases have ended."""
    works = works_with(KEYED)
    people = [f"u{n}" for n in range(5)]
    ingest(works, [identify(user, first_name="Ann") for user in people])
    drain(works)
    for user in people:
        mark_dirty(works.store, user)
    monkeypatch.setattr(push_module, "SLICE", 1)
    monkeypatch.setattr(flight_module, "SETTLE_AT", 1)
    leased: list[int] = []

    def go_on() -> bool:
        leased.append(sum(token is not None for (token,) in link_rows(works.store, "lease_token")))
        return True

    assert push(the_sync(works), go_on=go_on).counts == {"unchanged": 5}
    assert max(leased) <= 2  # that of a commit under way, and the next


@pytest.mark.parametrize(("waited_seconds", "commits"), [(0.0, 0), (1.1, 1)])
def test_results_that_come_slowly_are_not_kept_for_long(
    works_with, crm, monkeypatch, waited_seconds, commits
):
    """A second after the last commit the next one is worth it, however few results have come."""
    sync = the_sync(works_with(KEYED))
    target = Target.of(sync.mapping, sync.connector, sync.connector.describe("contacts"))
    with flight_module.Flight(sync, target, Tally(), ignore) as flight:
        now = time.monotonic() + waited_seconds
        monkeypatch.setattr("crmsync.sync.flight.time.monotonic", lambda: now)
        begun: list[int] = []
        monkeypatch.setattr(flight, "_settle", lambda: begun.append(1))
        monkeypatch.setattr(flight, "_landed", ["one result"])
        flight._settle_enough()
        assert len(begun) == commits
        monkeypatch.undo()


def test_few_records_are_in_the_air_however_many_a_call_takes(works_with, crm, monkeypatch):
    """Boarding goes on only when the records under way are no more than a push may hold."""
    works = works_with(KEYED)
    sync = replace(the_sync(works), calls_in_flight=8)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(6)])
    one_by_one(sync, monkeypatch)
    monkeypatch.setattr(push_module, "CALLS_BETWEEN", 1)
    monkeypatch.setattr(flight_module, "RECORDS_IN_AIR", 0)
    under_way, most = [], []
    write = sync.connector.write

    def noted(batch):
        under_way.append(batch)
        most.append(len(under_way))
        try:
            return write(batch)
        finally:
            under_way.remove(batch)

    monkeypatch.setattr(sync.connector, "write", noted)
    assert push(sync).counts == {"created": 6}
    assert max(most) == 1


def test_a_failed_commit_does_not_keep_the_next_from_being_tried(works_with, crm, monkeypatch):
    """What landed after the fault is recorded; the fault is told all the same."""
    works = works_with(KEYED)
    sync = replace(the_sync(works), calls_in_flight=1)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(2)])
    one_by_one(sync, monkeypatch)
    monkeypatch.setattr(flight_module, "SETTLE_AT", 1)
    settle, write = settlements.settle, sync.connector.write
    has_failed, is_first = threading.Event(), iter([True])

    def fail_once(*given, **named):
        if not has_failed.is_set():
            has_failed.set()
            raise StoreUnavailable("away")
        return settle(*given, **named)

    def write_after_the_fault(batch):
        assert next(is_first, False) or has_failed.wait(30)
        return write(batch)

    monkeypatch.setattr(settlements, "settle", fail_once)
    monkeypatch.setattr(sync.connector, "write", write_after_the_fault)
    with pytest.raises(StoreUnavailable):
        push(sync)
    assert sorted(link_rows(works.store, "acked_version")) == [(0,), (1,)]


def test_only_what_can_wait_leaves_the_reserve_alone(works_with, crm, monkeypatch):
    """The calls of a backfill are made in the background, whichever thread makes them."""
    works, sync = adopting(works_with, 2)
    triggers = (RunTrigger.REALTIME, RunTrigger.BACKFILL)
    change_links(works, ("trigger",), [(str(trigger),) for trigger in triggers])
    one_by_one(sync, monkeypatch)
    monkeypatch.setattr(push_module, "SLICE", 1)
    made: list[tuple[str, bool]] = []
    for name in ("read", "write"):
        original = getattr(sync.connector, name)

        def noted(*given, name=name, original=original):
            made.append((name, is_background()))
            return original(*given)

        monkeypatch.setattr(sync.connector, name, noted)
    assert push(sync).counts == {"created": 2}
    assert sorted(made) == [("read", False), ("read", True), ("write", False), ("write", True)]
    assert not is_background()


def test_a_backfill_lets_through_what_is_due_at_once(works_with, crm, monkeypatch):
    """In the midst of a long slice, whatever became due in the meantime goes first."""
    works = works_with(KEYED)
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(6)])
    change_links(works, ("trigger", "priority"), [(str(RunTrigger.BACKFILL), 9)] * 6)
    one_by_one(sync, monkeypatch)
    monkeypatch.setattr(push_module, "CALLS_BETWEEN", 2)
    sent: list[object] = []
    write = sync.connector.write

    def noted(batch):
        sent.extend(operation.fields["firstname"] for operation in batch.operations)
        if len(sent) == 1:
            ingest(works, [identify("live", first_name="Live")])
        return write(batch)

    monkeypatch.setattr(sync.connector, "write", noted)
    sync = replace(sync, calls_in_flight=1)
    assert push(sync).counts == {"created": 7}
    assert sent.index("Live") <= 4  # after the calls between, and those in the air


def test_a_slice_that_is_made_ready_keeps_its_lease(works_with, crm, monkeypatch):
    """While urgent work goes first, the lease of the backfill's slice is renewed."""
    works = works_with(KEYED)
    sync = the_sync(works)
    renewed: list[object] = []
    target = Target.of(sync.mapping, sync.connector, sync.connector.describe("contacts"))
    with flight_module.Flight(sync, target, Tally(), ignore) as flight:
        monkeypatch.setattr(flight, "_renew", renewed.append)
        ending = Slice(None, {}, {}, 0.0, ends_at=0.0, unsettled=1)
        with flight.holding(ending):
            flight.keep()
        flight.keep()
    assert renewed == [ending]


def test_records_that_lock_one_and_the_same_fly_side_by_side(works_with, crm, monkeypatch):
    """Three firms' people who came in turn go out firm by firm, and a backfill's after them."""
    works = works_with(KEYED.replace("lastname: last_name", "company: plan"))
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann", plan=f"firm{n % 3}") for n in range(7)])
    triggers = [RunTrigger.BACKFILL] + [RunTrigger.REALTIME] * 6
    change_links(works, ("trigger",), [(str(trigger),) for trigger in triggers])
    together = replace(sync.connector.capabilities, together={"contacts": "company"})
    monkeypatch.setattr(sync.connector, "capabilities", together, raising=False)
    sent: list[object] = []
    write = sync.connector.write

    def noted(batch):
        sent.extend(operation.fields["company"] for operation in batch.operations)
        return write(batch)

    monkeypatch.setattr(sync.connector, "write", noted)
    push(sync)
    assert sent == ["firm0", "firm0", "firm1", "firm1", "firm2", "firm2", "firm0"]


def test_whoever_is_asked_to_stop_begins_no_further_call(works_with, crm, monkeypatch):
    """Within a slice too: the calls under way end, the rest is given back and due at once."""
    works = works_with(KEYED)
    sync = replace(the_sync(works), calls_in_flight=1)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(6)])
    one_by_one(sync, monkeypatch)
    asked = threading.Event()
    write = sync.connector.write

    def noted(batch):
        asked.set()
        return write(batch)

    monkeypatch.setattr(sync.connector, "write", noted)
    assert push(sync, stopping=asked.is_set).counts == {"created": 1, "retried": 5}
    monkeypatch.undo()
    assert link_rows(works.store, "lease_token") == [(None,)] * 6
    assert drain(works) == {"created": 5}
