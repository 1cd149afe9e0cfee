"""The push where time is short: nothing is written under a lease that has ended."""

from __future__ import annotations

import threading
from concurrent import futures
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select, update

from crmsync.model import Action, Timing
from crmsync.store import leases
from crmsync.store.database import Database
from crmsync.store.tables import links
from crmsync.sync import flight as flight_module
from crmsync.sync import push as push_module
from crmsync.sync.push import push
from tests.unit.sync.people import adopting, held, writes
from tests.workbench import (
    KEYED,
    ROOMY,
    identify,
    ingest,
    link_rows,
    mark_dirty,
    the_sync,
)


class Clock:
    """The time of the product and of its database, which passes only when it is told to."""

    def __init__(self) -> None:
        """Begin now."""
        self.seconds = 1_000.0
        self._start = datetime.now(UTC) - timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.seconds

    def now(self) -> datetime:
        """Return the moment that it is."""
        return self._start + timedelta(seconds=self.seconds)


@pytest.fixture
def clock(monkeypatch):
    """Leases end by this clock."""
    made = Clock()
    for module in (push_module, flight_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr(Database, "now", lambda _self, _connection: made.now())
    return made


def claim_by_another(works) -> int:
    """Let another worker take what it can get; return how many links that was."""
    store = works.store
    lease = store.database.transact(
        lambda connection: leases.claim(
            connection, store.vault, "crm", "contacts",
            now=store.database.now(connection), lease=timedelta(seconds=60), limit=100,
        )
    )  # fmt: skip
    return len(lease.claims)


def read_slowly(sync, clock, monkeypatch, seconds: float, meanwhile=lambda: None) -> None:
    """Let each read of one record take so long."""
    original = sync.connector.read
    small = replace(sync.connector.capabilities, records_per_read=1)

    def read(*given):
        clock.seconds += seconds
        meanwhile()
        return original(*given)

    monkeypatch.setattr(sync.connector, "capabilities", small, raising=False)
    monkeypatch.setattr(sync.connector, "read", read)


def test_a_look_that_outlasts_the_lease_keeps_it(works_with, crm, clock, monkeypatch):
    """Ten slow reads, together longer than a lease, lose nothing to another worker."""
    works, sync = adopting(works_with, 10)
    taken: list[int] = []
    read_slowly(sync, clock, monkeypatch, 10, lambda: taken.append(claim_by_another(works)))
    assert push(sync).counts == {"created": 10}
    assert taken == [0] * 10


def test_what_a_slow_look_left_little_time_for_is_sent(works_with, crm, clock, monkeypatch):
    """A lease that is near its end when the look is over is renewed before the write."""
    _, sync = adopting(works_with, 1)
    read_slowly(sync, clock, monkeypatch, ROOMY["lease_seconds"] - 1)
    tally = push(sync)
    assert (tally.counts, len(held(crm))) == ({"created": 1}, 1)


def test_a_lease_that_was_lost_in_a_look_is_not_written_under(works_with, crm, clock, monkeypatch):
    """What another worker has taken over meanwhile is that worker's to send."""
    works, sync = adopting(works_with, 1)
    taken: list[int] = []
    read_slowly(sync, clock, monkeypatch, 70, lambda: taken.append(claim_by_another(works)))
    tally = push(sync)
    assert (taken, writes(crm), tally.fenced) == ([1], 0, 1)


def test_a_write_that_found_its_lease_ending_is_not_begun(works_with, crm, monkeypatch):
    """Where a request would not end within the lease, it is not sent, and not charged."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    slow = Timing(ROOMY["lease_seconds"], ROOMY["lease_seconds"], ROOMY["settle_seconds"])
    monkeypatch.setattr(push_module, "SLICE", 1)
    rounds = iter([True])
    tally = push(
        type(sync)(sync.mapping, sync.connector, slow, 1, sync.store),
        go_on=lambda: next(rounds, False),
    )
    assert tally.counts == {"retried": 1}
    assert (tally.calls, writes(crm)) == (0, 0)
    assert link_rows(works.store, "attempts") == [(0,)]


def test_a_long_flight_keeps_its_lease_while_parts_of_it_settle(
    works_with, crm, clock, monkeypatch
):
    """Ten calls of 15 s one after another are all sent, though settled links leave the lease."""
    works = works_with(KEYED)
    sync = replace(the_sync(works), calls_in_flight=1)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(10)])
    single = replace(sync.connector.capabilities, records_per_call=dict.fromkeys(Action, 1))
    monkeypatch.setattr(sync.connector, "capabilities", single, raising=False)
    monkeypatch.setattr(flight_module, "SETTLE_AT", 1)
    may_end = threading.Semaphore(0)
    original = sync.connector.write

    def write(batch):
        assert may_end.acquire(timeout=30)
        return original(batch)

    def wait(air, **_):
        may_end.release()
        landed = futures.wait(air, timeout=30, return_when=futures.FIRST_COMPLETED)
        clock.seconds += 15
        return landed

    monkeypatch.setattr(sync.connector, "write", write)
    monkeypatch.setattr(flight_module, "wait", wait)
    assert push(sync).counts == {"created": 10}


def test_what_has_landed_keeps_its_lease_until_it_is_settled(works_with, crm, clock, monkeypatch):
    """A result that waits for its commit is not lost while another slice is looked at slowly."""
    works, sync = adopting(works_with, 2)
    push(sync)
    for user in ("u0", "u1"):
        mark_dirty(works.store, user)
        clock.seconds += 1
    works.store.database.transact(_ask_for_a_look_at_the_last)
    monkeypatch.setattr(push_module, "SLICE", 1)
    taken: list[int] = []
    read_slowly(sync, clock, monkeypatch, 20, lambda: taken.append(claim_by_another(works)))
    pauses = iter([0, 50])

    def go_on() -> bool:
        clock.seconds += next(pauses, 0)
        return True

    assert push(sync, go_on=go_on).counts == {"unchanged": 2}
    assert taken == [0]


def _ask_for_a_look_at_the_last(connection) -> None:
    last = select(func.max(links.c.id)).scalar_subquery()
    connection.execute(update(links).where(links.c.id == last).values(verify_at=links.c.wake_at))
