"""What a worker does when the bell rings, or when it looks around by itself.

`drain` pushes everything due of one connection, in a bounded slice of time. Nothing here depends on
a broker: a lost bell costs at most one sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from crmsync.mapping.compiled import SyncMapping
from crmsync.store import links, state
from crmsync.sync.context import Works
from crmsync.sync.push import push

SLICE_SECONDS = 30.0
"""After so long a drain stops and asks to be called again: every connection gets its turn."""


def drain(works: Works, name: str, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Push what is due of a connection for at most 30 s; return whether more is due already."""
    stop_at = time.monotonic() + SLICE_SECONDS
    for mapping in _active(works, name):
        push(
            works.open_sync(mapping),
            go_on=lambda: time.monotonic() < stop_at and not stopping(),
        )
    return not stopping() and next_wake_seconds(works, name) == 0.0


def next_wake_seconds(works: Works, name: str) -> float:
    """Return how long until a connection has work and may be called; at most the sweep time."""
    sweep = works.configuration.timing.sweep_seconds
    object_types = [mapping.object_type for mapping in _active(works, name)]
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        wake_at = links.next_wake(connection, name, object_types)
        rest = state.find_pause(connection, name, now)
    if wake_at is None:
        return sweep
    first = max(wake_at, rest.until) if rest else wake_at
    return min(sweep, max(0.0, (first - now).total_seconds()))


def _active(works: Works, name: str) -> list[SyncMapping]:
    """Return a connection's mappings that nobody has paused; none while the connection rests."""
    with works.store.database.read() as connection:
        if state.find_pause(connection, name, works.store.database.now(connection)):
            return []
        known = state.list_syncs(connection)
    return [
        mapping
        for mapping in works.configuration.mappings
        if mapping.connection == name and not ((kept := known.get(mapping.sync)) and kept.paused_at)
    ]
