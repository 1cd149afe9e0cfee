"""A push that a person asked for: one run, everything that differs, now, to its end.

Where a worker leaves the rest of the work to its next round, a person watches: so what the CRM asks
to wait for is waited for, within reason, and what was uncertain is sent again in the same run.
Called by `crmsync push`, `backfill` and `replay` and by the demo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from crmsync.mapping.compiled import SyncMapping
from crmsync.model import RunId, RunTrigger
from crmsync.store import holds, links, runs, state
from crmsync.sync.context import Works
from crmsync.sync.delivery import Rest
from crmsync.sync.flight import Progress, Tally, ignore
from crmsync.sync.push import push

PATIENCE_SECONDS = 120.0
"""What is due later than this is left to the workers, or to the next push."""
STUCK_SECONDS = 30.0
"""After waiting so long in vain, a person would rather know than wait."""

Wait = Callable[[float, str], None]
"""Waits so many seconds, or less when told to stop; the text says what for."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to."""

    run: RunId
    tally: Tally
    """Of all rounds together; `rest` is set where the CRM had the last word."""
    verify_at: datetime | None
    """When records are to be read again whose last write was uncertain, if there are any."""


def make_due(works: Works, mapping: SyncMapping) -> int:
    """Make everything that differs due now; return how many links that is."""
    database = works.store.database
    return database.transact(
        lambda connection: links.make_due(
            connection, mapping.connection, mapping.object_type, database.now(connection)
        )
    )


def push_now(  # noqa: PLR0913 - what to push, and how the person who waits hears of it
    works: Works,
    mapping: SyncMapping,
    *,
    wait: Wait,
    go_on: Callable[[], bool] = lambda: True,
    progress: Progress = ignore,
    trigger: RunTrigger = RunTrigger.COMMAND,
    yes: bool = False,
) -> Pushed:
    """Send what is due, round after round, until nothing is due soon or there is no getting on.

    A sync that is held is judged anew; with `yes`, what its guard stops it for is let through.
    """
    sync = works.open_sync(mapping)
    database = works.store.database
    run = database.transact(lambda c: _begin(works, c, mapping, trigger, yes=yes))
    total = Tally()
    waited_in_vain = 0.0
    while go_on():
        done = Tally(total.counts.copy(), total.calls, fenced=total.fenced)
        latest = push(
            sync,
            stopping=lambda: not go_on(),
            run=run,
            progress=lambda t, d=done: progress(_sum(d, t)),  # type: ignore[misc] # bound now
        )
        total = _sum(done, latest)
        progress(total)
        if latest.held is not None and yes:
            database.transact(lambda c: holds.let_through(c, mapping.sync))
            continue
        if latest.held is not None:
            break
        pause = _pause(works, mapping, latest.rest)
        if pause is None:
            break
        got_on = _settled(total) > _settled(done)
        waited_in_vain = 0.0 if got_on else waited_in_vain + pause.seconds
        if pause.seconds > PATIENCE_SECONDS or waited_in_vain > STUCK_SECONDS:
            total.rest = pause
            break
        wait(pause.seconds, pause.message)
    database.transact(lambda c: runs.finish(c, run, database.now(c)))
    return Pushed(run, total, _verification(works, mapping))


def _begin(
    works: Works, connection: Connection, mapping: SyncMapping, trigger: RunTrigger, *, yes: bool
) -> RunId:
    """Open the run; whoever asks has cured what halted the connection, or held the sync."""
    now = works.store.database.now(connection)
    state.resume(connection, mapping.connection)
    if yes:
        holds.let_through(connection, mapping.sync)
    holds.judge_anew(connection, mapping.sync)
    return runs.open_run(
        connection, mapping.sync, mapping.connection, mapping.object_type, trigger, now, now
    )


def _pause(works: Works, mapping: SyncMapping, rest: Rest | None) -> Rest | None:
    """Return how long to wait before the next round, and why; None where there is none to make.

    A connection that needs a person is not to be waited for, so its wait is longer than anybody's
    patience.
    """
    database = works.store.database
    with database.read() as connection:
        due = links.next_due(connection, mapping.connection, mapping.object_type)
        now = database.now(connection)
    if rest is not None:
        return rest
    if due is None:
        return None
    seconds = max(0.0, (due - now).total_seconds())
    return Rest(seconds, "again", "what is not done yet is sent again")


def _verification(works: Works, mapping: SyncMapping) -> datetime | None:
    with works.store.database.read() as connection:
        return links.next_verification(connection, mapping.connection, mapping.object_type)


def _settled(tally: Tally) -> int:
    """Return how many links have come to an end; another attempt at the same is no getting on."""
    return tally.counts.total() - tally.counts["retried"]


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.counts + other.counts,
        one.calls + other.calls,
        other.rest,
        one.fenced + other.fenced,
        held=other.held,
    )
