"""What a worker does when the bell rings, or when it looks around by itself.

`drain` pushes everything due of one connection, in a bounded slice of time. Nothing here depends on
a broker: a lost bell costs at most one sweep.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import structlog

from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RetryLater,
)
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import ProfileKind
from crmsync.store import links, state
from crmsync.sync.context import Works
from crmsync.sync.delivery import BACKFILL, HALT_SECONDS, MISFIT, Rest
from crmsync.sync.guard import is_stopped
from crmsync.sync.marking import is_superseded
from crmsync.sync.merging import merge_records, to_merge
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from crmsync.sync.resting import leave_alone, rest_for
from crmsync.sync.subjects import next_pull
from crmsync.sync.webhooks import keep_up

SLICE_SECONDS = 30.0
"""After so long a drain stops and asks to be called again: every connection gets its turn."""

QUIET = frozenset({"unchanged", "deals"})
"""Counts that are not worth a line by themselves: what was read, and is as it was."""

log = structlog.get_logger()


def drain(
    works: Works,
    name: str,
    stopping: Callable[[], bool] = lambda: False,
    moved: Callable[[], None] = lambda: None,
) -> bool:
    """Push what is due of a connection for about 30 s; return whether more is due already.

    `moved` is called whenever results have been settled.

    Its syncs share the time, so that the backlog of one does not keep the others waiting.
    """
    due = [mapping for mapping, wait_seconds in _outlook(works, name) if wait_seconds == 0.0]
    # People's records are tied to their companies' records: those come first.
    due.sort(key=lambda mapping: mapping.source is not ProfileKind.COMPANY)
    for mapping in due:
        stop_at = time.monotonic() + SLICE_SECONDS / len(due)
        try:
            sync = works.open_sync(mapping)
        except ConfigError as mistake:
            rest = Rest(HALT_SECONDS, MISFIT, mistake.user_message)
            leave_alone(works.store, mapping, rest)
            continue
        tally = push(
            sync,
            go_on=lambda: time.monotonic() < stop_at,  # noqa: B023 - used at once
            stopping=stopping,
            progress=lambda _: moved(),
        )
        _tell("pushed", tally.counts, sync=mapping.sync, calls=tally.calls)
        if stopping() or (tally.rest is not None and tally.rest.cause not in {MISFIT, BACKFILL}):
            break
    if not stopping() and not _rests(works, name):
        _merge(works, name)
    if not stopping() and _reading_wait(works, name) == 0.0:
        pulled = pull(
            works,
            name,
            go_on=lambda: not stopping(),
            seconds=SLICE_SECONDS,
            due_only=True,
            progress=lambda _: moved(),
        )
        _tell("pulled", pulled.counts, connection=name, records=pulled.records)
    if not stopping():
        keep_up(works, name)
    return not stopping() and next_wake_seconds(works, name) == 0.0


def _tell(event: str, counts: Counter[str], **more: object) -> None:
    """Say in one line what a round came to, unless everything was as it should be."""
    if any(count for what, count in counts.items() if what not in QUIET):
        log.info(event, **more, **{what.lower(): n for what, n in sorted(counts.items()) if n})


def _merge(works: Works, name: str) -> None:
    """Merge records of people who turned out to be one, where the mapping asks for it."""
    for mapping in to_merge(works, name):
        try:
            merge_records(works.open_sync(mapping))
        except (RetryLater, ConnectionHalted, OutcomeUnknown, BatchRejected, ConfigError) as why:
            rest = rest_for(why)
            leave_alone(works.store, mapping, rest)
            if rest.cause != MISFIT:
                break


def next_wake_seconds(works: Works, name: str) -> float:
    """Return how long until a connection has work and may be called; at most the sweep time."""
    sweep = works.configuration.connections[name].timing.sweep_seconds
    waits = [wait for _, wait in _outlook(works, name)]
    reading = _reading_wait(works, name)
    return min([sweep, *waits, *([] if reading is None else [reading])])


def _reading_wait(works: Works, name: str) -> float | None:
    """Return how long until something is to be read of a connection, where anything ever is."""
    due = next_pull(works, name)
    if due is None:
        return None
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        rest = state.find_pause(connection, name, now)
    return max(0.0, (max(due, rest.until if rest else due) - now).total_seconds())


def _rests(works: Works, name: str) -> bool:
    """Whether a connection is to be left alone for now."""
    with works.store.database.read() as connection:
        return state.find_pause(connection, name, works.store.database.now(connection)) is not None


def _outlook(works: Works, name: str) -> list[tuple[SyncMapping, float]]:
    """Return a connection's mappings that may be pushed, and how long until each has work."""
    database = works.store.database
    found = []
    with database.read() as connection:
        now = database.now(connection)
        rest = state.find_pause(connection, name, now)
        held_until = state.backfill_hold(connection, name, now)
        known = state.list_syncs(connection)
        for mapping in works.configuration.mappings:
            kept = known.get(mapping.sync)
            if mapping.connection != name or (kept and is_stopped(mapping, kept)):
                continue
            if kept and is_superseded(works, mapping, kept):
                continue
            wake_at = links.earliest(
                links.next_wake(connection, name, [mapping.object_type], [links.PRIORITY_LIVE]),
                links.latest(
                    links.next_wake(
                        connection, name, [mapping.object_type], [links.PRIORITY_BACKFILL]
                    ),
                    held_until,
                ),
            )
            if wake_at is not None:
                rests = [rest.until if rest else None, kept.rests_until if kept else None]
                first = max([wake_at, *(until for until in rests if until is not None)])
                found.append((mapping, max(0.0, (first - now).total_seconds())))
    return found
