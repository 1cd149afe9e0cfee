"""An undo, round by round: lease, read, compare, write, settle, until nothing is to be tried again.

What a worker has is waited for, and what the CRM asks to wait for as well, within reason. A lease
is never renewed: a call that does not fit into what is left of it is made in the next round.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import Connection

from crmsync.connectors.base import Key
from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, RetryLater
from crmsync.model import Batch, LinkId, Outcome, RunId
from crmsync.planning.batches import batches
from crmsync.store import undoing
from crmsync.store.undoing import Lease
from crmsync.store.written import Written, later_writes
from crmsync.sync.breaker import Breaker
from crmsync.sync.command import PATIENCE_SECONDS, STUCK_SECONDS, Wait
from crmsync.sync.context import Sync
from crmsync.sync.delivery import FIRST_REST_SECONDS, UNREACHABLE, Delivered, Rest, deliver
from crmsync.sync.looking import read_each
from crmsync.sync.records import Target
from crmsync.sync.resting import rest_for
from crmsync.sync.restoring import (
    BUSY,
    UNLINKED,
    WHOLE,
    Case,
    Report,
    blame,
    consider,
    decide,
    operation,
    settled,
    skipped,
)

BUSY_SECONDS = 1.0
"""Between looks for a link that a worker has."""

Tell = Callable[[Report], None]


@dataclass(slots=True)
class UndoTally:
    """What an undo came to so far."""

    run: RunId
    """The undo's own."""
    counts: Counter[str] = field(default_factory=Counter)
    """Records by outcome, as `Report` names them."""
    calls: int = 0
    rest: Rest | None = None
    """Why it stopped early."""


@dataclass(frozen=True, slots=True)
class _Leased:
    """What a round works on."""

    lease: Lease
    ends_at: float
    """In our monotonic seconds."""


@dataclass(slots=True)
class Undoing:
    """One undo, page after page."""

    sync: Sync
    target: Target
    run: RunId
    tally: UndoTally
    wait: Wait
    tell: Tell
    go_on: Callable[[], bool]
    delete_created: bool
    breaker: Breaker = field(default_factory=Breaker)

    def page(self, records: Sequence[Written]) -> None:
        """Undo some records: round after round until none has to be tried again."""
        todo = {one.link_id: one for one in records}
        in_vain = 0.0
        while todo and self.go_on():
            before = len(todo)
            rest = self._round(todo)
            if not todo:
                return
            in_vain = 0.0 if len(todo) < before else in_vain
            if rest is None:  # what is left is leased by a worker
                if in_vain > 2 * self.sync.timing.lease_seconds:
                    self._give_up(todo)
                    return
                rest = Rest(BUSY_SECONDS, "busy", f"a worker is at {len(todo):,} of them")
            elif rest.seconds > PATIENCE_SECONDS or in_vain > STUCK_SECONDS or self.breaker.is_open:
                self.tally.rest = rest
                return
            in_vain += rest.seconds
            self.wait(rest.seconds, rest.message)

    def _round(self, todo: dict[LinkId, Written]) -> Rest | None:
        """Undo what can be; take it out of `todo`. Return what has to be waited for, if anything.

        Without that, what is left belongs to a worker.
        """
        leased = self._claim(list(todo))
        for link in [link for link in todo if link not in leased.lease.busy]:
            if link not in leased.lease.leased:
                self._report(skipped(todo.pop(link), UNLINKED))
        cases = [Case(todo[link], one) for link, one in leased.lease.leased.items()]
        try:
            self._compare(cases)
        except (RetryLater, ConnectionHalted, BatchRejected, ConfigError) as trouble:
            self._settle(leased, [], 0)
            return rest_for(trouble)
        delivered = self._send(cases, leased.ends_at)
        done = [case for case in cases if not _is_to_be_tried_again(case)]
        self._settle(leased, done, sum(one.calls for one in delivered))
        for case in done:
            del todo[case.link_id]
        if self.breaker.is_open:
            return Rest(FIRST_REST_SECONDS, UNREACHABLE, self.breaker.why)
        rest = next((one.rest for one in delivered if one.rest is not None), None)
        again = len(cases) - len(done)
        return rest or (
            Rest(BUSY_SECONDS, "again", f"{again:,} are tried again") if again else None
        )

    def _claim(self, ids: Sequence[LinkId]) -> _Leased:
        store, seconds = self.sync.store, self.sync.timing.lease_seconds
        began = time.monotonic()

        def work(connection: Connection) -> Lease:
            now = store.database.now(connection)
            until = now + timedelta(seconds=seconds)
            return undoing.claim(connection, store.vault, ids, now, until)

        return _Leased(store.database.transact(work), began + seconds)

    def _compare(self, cases: Sequence[Case]) -> None:
        """Read the records, in bulk, and decide about each field."""
        for case in cases:
            consider(case, self.target, delete_created=self.delete_created)
        sought = [case for case in cases if WHOLE not in case.skipped and case.names(self.target)]
        names = tuple({name: 0 for case in sought for name in case.names(self.target)})
        for case, record in read_each(
            replace(self.target, names=names), sought, lambda case: Key(str(case.crm_id)), _nothing
        ):
            case.record = record
        for case in sought:
            decide(case, self.target)
        contested = [case for case in sought if case.verdict.changed_since]
        if contested:
            store = self.sync.store
            with store.database.read() as connection:
                records = [case.written for case in contested]
                later = later_writes(connection, store.vault, records, self.run)
            for case in contested:
                blame(case, later.get(case.link_id, []))

    def _send(self, cases: Sequence[Case], ends_at: float) -> list[Delivered]:
        """Write what is to be put back, several calls at once."""
        by_link = {case.link_id: case for case in cases}
        rests: list[Rest] = []
        longest = self.sync.timing.longest_call_seconds

        def may_start() -> bool:
            ends = time.monotonic() + longest > ends_at
            return not (ends or rests or self.breaker.is_open) and self.go_on()

        def send(batch: Batch) -> Delivered:
            delivered = deliver(self.sync.connector, batch, may_start)
            self.breaker.judge(delivered.results, were_lost_before=False)
            if delivered.rest is not None:
                rests.append(delivered.rest)
            return delivered

        with ThreadPoolExecutor(self.sync.calls_in_flight, thread_name_prefix="undo") as pool:
            delivered = list(pool.map(send, self._batches(cases)))
        for one in delivered:
            for planned, result in zip(one.batch.operations, one.results, strict=True):
                by_link[planned.link_id].result = result
        return delivered

    def _batches(self, cases: Sequence[Case]) -> Iterator[Batch]:
        planned = [one for case in cases if (one := operation(case)) is not None]
        per_call = self.target.connector.capabilities.records_per_call
        return batches(self.target.mapping.object_type, planned, per_call, None)

    def _settle(self, leased: _Leased, done: Sequence[Case], calls: int) -> None:
        store, timing = self.sync.store, self.sync.timing
        pairs = [settled(case) for case in done]

        def work(connection: Connection) -> None:
            now = store.database.now(connection)
            undoing.settle(
                connection,
                store.vault,
                leased.lease,
                [undone for undone, _ in pairs],
                self.tally.run,
                calls=calls,
                now=now,
                verify_at=now + timedelta(seconds=timing.settle_seconds),
            )

        store.database.transact(work)
        self.tally.calls += calls
        for _, report in pairs:
            self._report(report)

    def _give_up(self, todo: Mapping[LinkId, Written]) -> None:
        for one in todo.values():
            self._report(skipped(one, BUSY))

    def _report(self, report: Report) -> None:
        self.tally.counts[report.outcome] += 1
        self.tell(report)


def _is_to_be_tried_again(case: Case) -> bool:
    return case.result is not None and case.result.outcome is Outcome.RETRY


def _nothing() -> None:
    """Do nothing between two reads: a lease that ends meanwhile lets no write begin."""
