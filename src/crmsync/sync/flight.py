"""Batches in the air: a pool speaks HTTP, one thread commits, and the caller's boards and lands.

Several calls are under way at once while the next slice is claimed and rendered. Results are
settled in commits of some hundreds, one commit at a time. A slice whose calls take long has its
lease renewed; a request that would not end within the lease is not begun.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from sqlalchemy import Connection

from crmsync.connectors.throttle import in_background
from crmsync.model import Batch
from crmsync.planning.batches import split
from crmsync.store import leases, settlements, state
from crmsync.store.leases import Lease
from crmsync.store.settlements import Settled, Settlement
from crmsync.sync import outcomes
from crmsync.sync.breaker import Breaker
from crmsync.sync.consequences import follow_up
from crmsync.sync.context import Sync
from crmsync.sync.delivery import (
    BACKFILL,
    FIRST_REST_SECONDS,
    UNREACHABLE,
    Delivered,
    Rest,
    deliver,
)
from crmsync.sync.guard import Held
from crmsync.sync.records import Draft, Target
from crmsync.sync.slices import Slice, is_backfill

SETTLE_AT = 500
"""Results that are worth a commit while more are on their way."""
RECORDS_IN_AIR = 2_000
"""Records under way at once while more are made ready, however many a call takes: what bounds the
memory of a push."""
SETTLE_AFTER_SECONDS = 1.0
"""How long a result waits for others at most: where a call takes one record, they come slowly."""


@dataclass(slots=True)
class Tally:
    """What a push came to so far."""

    counts: Counter[str] = field(default_factory=Counter)
    """By what became of it: created, updated, unchanged, retried, failed."""
    calls: int = 0
    """Write calls sent."""
    rest: Rest | None = None
    """Why it stopped early: the connection has to be left alone."""
    fenced: int = 0
    """Settlements that came too late: somebody else had taken the links over."""
    has_written: bool = False
    """Whether the connection took a write: it is up."""
    held: Held | None = None
    """Why it stopped early: it would have changed more than the sync's guard allows."""


Progress = Callable[[Tally], None]


def ignore(_: Tally) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class _Landed:
    """Results of calls, on their way into one commit."""

    slices: Sequence[Slice]
    """Whose link each settlement is, one entry per settlement."""
    by_lease: Mapping[str, tuple[Lease, Sequence[Settlement]]]
    calls: int


@dataclass(slots=True)
class _Aboard:
    slice_: Slice
    drafts: Sequence[Draft]


class Flight:
    """All batches of one push that are in the air or landed and not yet settled."""

    def __init__(
        self,
        sync: Sync,
        target: Target,
        tally: Tally,
        progress: Progress,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin with nothing in the air."""
        self._sync = sync
        self._stopping = stopping
        self._can_adopt = bool(target.look_by)
        self._breaker = Breaker()
        self._tally = tally
        self._progress = progress
        self._pool = ThreadPoolExecutor(sync.calls_in_flight, thread_name_prefix="crm")
        self._air: dict[Future[tuple[Delivered, bool]], _Aboard] = {}
        self._landed: list[tuple[Slice, Settlement]] = []
        self._landed_calls = 0
        self._settled_at = time.monotonic()
        self._held: list[Slice] = []
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="settle")
        self._committing: tuple[_Landed, Future[list[Settled]]] | None = None

    def __enter__(self) -> Self:
        """Give the flight, once it is known whether anybody answered the last time."""
        with self._sync.store.database.read() as connection:
            name = self._sync.mapping.connection
            self._breaker.is_doubtful = state.is_doubtful(connection, name)
        return self

    def __exit__(self, *_: object) -> None:
        """Land and settle everything: nothing that was sent is left without a record.

        A commit that has failed is no reason not to try those after it.
        """
        with ExitStack() as steps:
            steps.callback(self._committer.shutdown)
            steps.callback(self._pool.shutdown)
            steps.callback(self._finish_commit)
            steps.callback(self._settle)
            steps.callback(self._conclude)
            steps.callback(self._land, until=0)
            self._finish_commit()  # then what was called for, the last first, whatever fails

    @contextmanager
    def holding(self, slice_: Slice) -> Iterator[None]:
        """Keep a slice's lease from ending while it is made ready."""
        self._held.append(slice_)
        try:
            yield
        finally:
            self._held.remove(slice_)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have nothing else in the air, nor left to settle, while the block runs."""
        self._clear()
        yield
        self._clear()

    def board(
        self,
        slice_: Slice,
        idle: Sequence[Settlement],
        todo: Sequence[tuple[Batch, Sequence[Draft]]],
    ) -> None:
        """Take on a slice; return when the pool is about to run out of calls to make."""
        self._landed += [(slice_, settled) for settled in idle]
        self.keep()
        calls = deque(todo)
        while calls and self._breaker.is_doubtful and self._tally.rest is None:
            batch, drafts = calls.popleft()
            one, others = split(batch, 1)
            self._send(slice_, one, drafts[:1])
            if others.operations:
                calls.appendleft((others, drafts[1:]))
            self._land(until=0)
        for batch, drafts in calls:
            self._send(slice_, batch, drafts)
        self._land(until=self._sync.calls_in_flight)

    def _send(self, slice_: Slice, batch: Batch, drafts: Sequence[Draft]) -> None:
        backfill = is_backfill(d.claim for d in drafts)
        longest = self._sync.timing.longest_call_seconds

        def may_start() -> bool:
            ends = time.monotonic() + longest > slice_.ends_at
            return not (ends or self._stopping() or self._rests(backfill=backfill))

        were_lost_before = all(d.claim.losses for d in drafts)

        def call() -> tuple[Delivered, bool]:
            with in_background(when=backfill):
                delivered = deliver(self._sync.connector, batch, may_start)
            return delivered, self._judge(delivered, were_lost_before=were_lost_before)

        self._air[self._pool.submit(call)] = _Aboard(slice_, drafts)

    def _judge(self, delivered: Delivered, *, were_lost_before: bool) -> bool:
        """Return whether losses count; before the next call begins, it is known whether it may."""
        counts = self._breaker.judge(delivered.results, were_lost_before=were_lost_before)
        self._tally.has_written = self._breaker.has_written
        if delivered.rest is not None:
            self._tally.rest = delivered.rest
        if self._breaker.is_open:
            self._leave_alone()
        return counts

    def _rests(self, *, backfill: bool) -> bool:
        """Whether the connection is to be left alone from now on."""
        rest = self._tally.rest
        return rest is not None and (backfill or rest.cause != BACKFILL)

    def _land(self, until: int) -> None:
        """Wait until so few batches, and records, are in the air; settle what has come together."""
        patience = self._sync.timing.lease_seconds / 8
        self._settle_enough()
        while len(self._air) > until or self._records_in_air() > RECORDS_IN_AIR:
            done, _ = wait(self._air, timeout=patience, return_when=FIRST_COMPLETED)
            for future in done:
                self._take(self._air.pop(future), *future.result())
            self._settle_enough()
            self.keep()

    def _records_in_air(self) -> int:
        return sum(len(aboard.drafts) for aboard in self._air.values())

    def _take(self, aboard: _Aboard, delivered: Delivered, counts: bool) -> None:  # noqa: FBT001
        now, rest = aboard.slice_.now(), delivered.rest
        wait_for = timedelta(seconds=rest.seconds if rest else 0.0)
        chance = random.random()  # noqa: S311 - not a secret
        self._landed_calls += delivered.calls
        self._landed += [
            (
                aboard.slice_,
                outcomes.settlement(
                    d,
                    result,
                    delivered.batch.action,
                    now,
                    self._sync.timing,
                    retry_after=wait_for,
                    can_adopt=self._can_adopt,
                    counts=counts,
                    chance=chance,
                ),
            )
            for d, result in zip(aboard.drafts, delivered.results, strict=True)
        ]

    def _conclude(self) -> None:
        """Leave the connection alone if it seems to be down at the end."""
        if self._breaker.ends_in_doubt:
            self._leave_alone()

    def _leave_alone(self) -> None:
        if not self._rests(backfill=False):
            self._tally.rest = Rest(FIRST_REST_SECONDS, UNREACHABLE, self._breaker.why)

    def _clear(self) -> None:
        self._land(until=0)
        self._settle()
        self._finish_commit()

    def _settle_enough(self) -> None:
        waited = time.monotonic() - self._settled_at
        if len(self._landed) >= SETTLE_AT or (self._landed and waited > SETTLE_AFTER_SECONDS):
            self._settle()

    def _settle(self) -> None:
        """Begin to commit what has landed; the commit before it is over by then."""
        self._finish_commit()
        if not self._landed:
            return
        by_lease: dict[str, tuple[Lease, list[Settlement]]] = {}
        for slice_, settled in self._landed:
            by_lease.setdefault(slice_.lease.token, (slice_.lease, []))[1].append(settled)
        landed = _Landed([slice_ for slice_, _ in self._landed], by_lease, self._landed_calls)
        self._landed, self._landed_calls = [], 0
        self._settled_at = time.monotonic()
        self._committing = landed, self._committer.submit(_commit, self._sync, landed)

    def _finish_commit(self) -> None:
        """Wait for the commit that is under way, if any, and count what it came to."""
        if self._committing is None:
            return
        (landed, future), self._committing = self._committing, None
        for done in future.result():
            self._tally.counts += done.counts
            self._tally.fenced += done.fenced
        for slice_ in landed.slices:
            slice_.unsettled -= 1
        self._tally.calls += landed.calls
        self._progress(self._tally)

    def keep(self) -> None:
        """Renew the leases near their end: of what is made ready, in the air or not settled."""
        soon = time.monotonic() + self._sync.timing.renew_below_seconds
        ours = [
            *self._held,
            *(aboard.slice_ for aboard in self._air.values()),
            *(landed for landed, _ in self._landed),
        ]
        for one in {id(slice_): slice_ for slice_ in ours}.values():
            if one.ends_at < soon:
                self._renew(one)

    def _renew(self, slice_: Slice) -> None:
        """Renew a lease as long as all that is left of it is ours; else let it end."""
        self._finish_commit()  # it changes how much is left
        database, lease_seconds = self._sync.store.database, self._sync.timing.lease_seconds
        began = time.monotonic()
        held = database.transact(
            lambda connection: leases.renew(
                connection,
                slice_.lease,
                database.now(connection) + timedelta(seconds=lease_seconds),
            )
        )
        if held >= slice_.unsettled:
            slice_.ends_at = began + lease_seconds


def _commit(sync: Sync, landed: _Landed) -> list[Settled]:
    """Settle what has landed in one transaction, fenced by each slice's lease."""
    database, vault = sync.store.database, sync.store.vault
    settle_time = timedelta(seconds=sync.timing.settle_seconds)

    def work(connection: Connection) -> list[Settled]:
        now = database.now(connection)
        first = next(iter(landed.by_lease))
        settled = [
            settlements.settle(
                connection,
                vault,
                lease,
                group,
                now=now,
                verify_late_at=now + settle_time,
                calls=landed.calls if token == first else 0,
            )
            for token, (lease, group) in landed.by_lease.items()
        ]
        for _, group in landed.by_lease.values():
            follow_up(connection, sync, group, now)
        return settled

    return database.transact(work)
