"""The named moments at which a worker is stopped: where they are, and what is at stake there.

A point is a function of crmsync that a worker is stopped just before or just after, once for each
connection. It is patched in a test's own process (`halting.py`); nothing of it is in the product.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crmsync.connectors import sockets
from crmsync.connectors.answers import Effect
from crmsync.connectors.auth.renewal import Renewing
from crmsync.connectors.http import Transport
from crmsync.model import Outcome
from crmsync.store import leases, runs, state
from crmsync.sync import flight, marking, pull_task, push, taking
from tests.chaos import stories
from tests.chaos.scene import Story

Given = Sequence[Any]
"""The arguments of a call, `self` included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment."""

    name: str
    stake: str
    story: type[Story]
    """What the worker is busy with when it gets there."""
    owner: Any
    """The module or class through which the function is called."""
    function: str
    after: bool = False
    """Stopped when the function is about to return, rather than before it begins."""
    who: Callable[[Given, Any], str | None]
    """Whose connection a call, and what it returns, is about; None for one that is not meant."""
    is_sent: bool = False
    """A call that makes the first records has been sent: it is to have been carried out."""
    locks: bool = False
    """In a transaction, which on SQLite keeps every other one waiting."""
    one_at_a_time: bool = False
    """It holds what all connections need: while one is there, no other can be."""
    one_thread: bool = False
    """One thread sees to all connections in turn: it stops midway, at the third of the four."""


class _Wire:
    """Which writes are under way, by thread and in all."""

    def __init__(self) -> None:
        self.mine = threading.local()
        self.away: set[str] = set()

    def watch(self) -> None:
        """Begin to note them."""
        exchange = Transport._exchange

        def noting(transport: Transport, request: Any, attempt: Any) -> Any:
            is_write = request.effect is Effect.WRITE
            name = transport.connection.name
            self.mine.name = name if is_write else None
            self.away |= {name} if is_write else set()
            try:
                return exchange(transport, request, attempt)
            finally:
                self.mine.name = None
                self.away -= {name} if is_write else set()

        Transport._exchange = noting  # type: ignore[method-assign]

    def leaving(self, attempt: sockets.Attempt) -> str | None:
        """Return whose write has sent its head and not its body, all checks passed."""
        return self._name if attempt.bytes_sent and not attempt.bytes_received else None

    def awaited(self, attempt: sockets.Attempt) -> str | None:
        """Return whose write was sent, and is not answered yet."""
        return self._name if not attempt.bytes_received else None

    @property
    def _name(self) -> str | None:
        return getattr(self.mine, "name", None)


class _Steps:
    """The commits in which a changed mapping's people are marked."""

    def watch(self) -> None:
        """Begin to note them."""
        mark = marking._mark_changed

        def noting(works: Any, mapping: Any, progress: Any) -> int:
            def one_more(count: int) -> None:
                progress(count)
                self.done(mapping.connection)

            return mark(works, mapping, one_more)

        marking._mark_changed = noting

    def done(self, name: str) -> None:
        """Take note that one is committed."""


WIRE, STEPS = _Wire(), _Steps()


def _of_sync(given: Given, _: Any) -> str:
    return str(given[0].mapping.connection)


def _of_page(given: Given, _: Any) -> str | None:
    return given[0].mapping.connection if given[1] else None


POINTS = (
    Point(
        name="claimed",
        stake="Leased and nothing done yet: only the end of the lease brings the work back.",
        story=stories.Push,
        owner=push, function="_claim", after=True,
        who=lambda given, slice_: _of_sync(given, None) if slice_.claims else None,
    ),
    Point(
        name="looked",
        stake="What was read of the CRM grows old before anything is rendered from it.",
        story=stories.Adopt,
        owner=push, function="look", after=True, who=_of_sync,
    ),
    Point(
        name="intending",
        stake="A create is decided on and nobody knows: nothing has been sent.",
        story=stories.Create,
        owner=push, function="_record_intents", who=_of_sync,
    ),
    Point(
        name="intended",
        stake="The intent is committed: whoever comes next must take the create for sent.",
        story=stories.Create,
        owner=push, function="_record_intents", after=True, who=_of_sync,
    ),
    Point(
        name="leaving",
        stake="Every check is passed: the write leaves whenever the worker goes on.",
        story=stories.Changes,
        owner=sockets.Attempt, function="remaining", after=True,
        who=lambda given, _: WIRE.leaving(given[0]),
    ),
    Point(
        name="applied",
        stake="The CRM has done it and the worker has not heard: only the key keeps it single.",
        story=stories.Newcomers, is_sent=True,
        owner=sockets._TimedReader, function="readinto",
        who=lambda given, _: WIRE.awaited(given[0]._attempt),
    ),
    Point(
        name="created",
        stake="The same, without a unique key: the classic duplicate.",
        story=stories.Create, is_sent=True,
        owner=sockets._TimedReader, function="readinto",
        who=lambda given, _: WIRE.awaited(given[0]._attempt),
    ),
    Point(
        name="answered",
        stake="The answer is heard and nothing of it is written down.",
        story=stories.Create,
        owner=flight.Flight, function="_take",
        who=lambda given, _: _of_sync([given[0]._sync], None),
    ),
    Point(
        name="settling",
        stake="The settle is written and not committed: links, log and counts are one or nothing.",
        story=stories.Push,
        owner=flight, function="follow_up", after=True, locks=True,
        who=lambda given, _: _of_sync([given[1]], None)
        if any(s.outcome is not Outcome.SKIPPED for s in given[2]) else None,
    ),
    Point(
        name="settled",
        stake="All is committed: nobody may do any of it again, or wait for it.",
        story=stories.Push,
        owner=flight, function="_commit", after=True,
        who=lambda given, _: _of_sync(given, None) if given[1].calls else None,
    ),
    Point(
        name="renewing",
        stake="The lease of calls that are in the air is about to be made longer.",
        story=stories.SlowPush,
        owner=leases, function="renew", after=True, locks=True,
        who=lambda given, _: given[1].connection if given[1].connection in WIRE.away else None,
    ),
    Point(
        name="ticking",
        stake="The tick is taken and its run is not opened: both, or another takes it.",
        story=stories.Tick,
        owner=runs, function="take_tick", after=True, locks=True, one_thread=True,
        who=lambda given, _: given[1],
    ),
    Point(
        name="marking",
        stake="Some people of a changed mapping are marked, in a transaction that is open.",
        story=stories.Remap,
        owner=state, function="marked_up_to", after=True, locks=True, one_thread=True,
        who=lambda given, _: given[1],
    ),
    Point(
        name="marked",
        stake="Some people of a changed mapping are marked, and nobody else would mark the rest.",
        story=stories.Remap,
        owner=STEPS, function="done", one_thread=True,
        who=lambda given, _: given[0],
    ),
    Point(
        name="page-read",
        stake="A page of changes is read: its cursor must not be ahead of it.",
        story=stories.Pull,
        owner=pull_task, function="take", who=_of_page,
    ),
    Point(
        name="page-taking",
        stake="The page and its cursor are written and not committed.",
        story=stories.Pull,
        owner=taking, function="_take", after=True, locks=True, one_at_a_time=True,
        who=lambda given, _: _of_page(given[1:], None),
    ),
    Point(
        name="page-taken",
        stake="Between two pages: the next one is read from the cursor, by whoever comes.",
        story=stories.PullPages,
        owner=pull_task, function="take", after=True, who=_of_page,
    ),
    Point(
        name="hints-claimed",
        stake="Records that a webhook told of are taken to be read, and told of by nobody again.",
        story=stories.Told,
        owner=pull_task.Task, function="_read_told_records",
        who=lambda given, _: given[0].subject.connection,
    ),
    Point(
        name="hints-read",
        stake="They are read, and what was read grows old.",
        story=stories.Told,
        owner=pull_task, function="take", who=_of_page,
    ),
    Point(
        name="granted",
        stake="The CRM has granted new tokens that nobody has kept yet.",
        story=stories.Grant,
        owner=Renewing, function="_keep",
        who=lambda given, _: given[0]._connection,
    ),
)  # fmt: skip
BY_NAME = {point.name: point for point in POINTS}
