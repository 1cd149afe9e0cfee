"""Who is at work: workers that look for work, schedules that are kept, files that are the newest.

A worker says with every sweep that it is there (`sync.presence`); one that keeps silent for four
sweeps hangs or is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crmsync import __version__
from crmsync.mapping.configuration import Configuration
from crmsync.store import processes, state
from crmsync.store.processes import Process
from crmsync.store.state import SyncState
from crmsync.sync.context import Works
from crmsync.sync.doctor.finding import OURS, Finding, lasting
from crmsync.sync.guard import hold_of
from crmsync.sync.schedule import overdue_ticks

SWEEPS = 4
LEAST_SECONDS = 60.0
"""However short the sweep is: a machine may be busy."""
START = "start one: `crmsync up`, or `crmsync worker`; without it nothing is sent"


def check_processes(works: Works) -> list[Finding]:
    """Look at the workers, at what they work by, and at the schedule that they keep."""
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        known = processes.listed(connection)
        syncs = state.list_syncs(connection)
    patience = max(LEAST_SECONDS, SWEEPS * works.configuration.timing.sweep_seconds)
    alive = [one for one in known if (now - one.seen_at).total_seconds() <= patience]
    return [
        _workers(alive, known, now),
        *_outdated(alive),
        *_versions(alive),
        _schedule(works),
        *_kept_still(works.configuration, syncs),
    ]


def _workers(alive: Sequence[Process], known: Sequence[Process], now: datetime) -> Finding:
    if not alive:
        last = f"; one was last seen {_ago(known[0], now)}" if known else ""
        return OURS.fault("workers", f"no worker is at work{last}", START)
    silent = [one for one in known if one not in alive]
    roles = [f"{one.role} {one.pid} on {one.host}" for one in alive]
    seen = f"{', '.join(roles)}, last seen {_ago(alive[0], now)}"
    if not any(one.role == "worker" for one in alive):
        return OURS.fault("workers", f"only a scheduler is at work: {seen}", START)
    if silent:
        gone = ", ".join(f"{one.role} {one.pid} on {one.host} {_ago(one, now)}" for one in silent)
        return OURS.warning(
            "workers",
            f"{seen}; silent: {gone}",
            "look whether it was killed, or restart it; it is forgotten after a day",
        )
    return OURS.ok("workers", seen)


def _outdated(alive: Sequence[Process]) -> list[Finding]:
    return [
        OURS.fault(
            "files",
            f"{one.role} {one.pid} on {one.host} works by older files: it sends nothing of "
            + ", ".join(one.outdated),
            "restart it: files are read when a process starts",
        )
        for one in alive
        if one.outdated
    ]


def _versions(alive: Sequence[Process]) -> list[Finding]:
    others = sorted({one.version for one in alive} - {__version__})
    if not others:
        return []
    seen = f"{', '.join(others)} at work beside this {__version__}"
    return [OURS.warning("versions", seen, "finish the deploy, or roll it back")]


def _schedule(works: Works) -> Finding:
    late = overdue_ticks(works)
    if not late:
        return OURS.ok("schedule", "no tick is late")
    sync, trigger, seconds = max(late, key=lambda one: one[2])
    return OURS.fault(
        "schedule",
        f"{len(late)} late; {sync} ({trigger}) should have run {lasting(seconds)} ago",
        "start a worker or a scheduler: each keeps the schedule; what was missed is run once",
    )


def _kept_still(configuration: Configuration, syncs: dict[str, SyncState]) -> list[Finding]:
    """Return the syncs that a person keeps from being sent, or that wait for one."""
    found = []
    for mapping in configuration.mappings:
        known = syncs.get(mapping.sync)
        if known is None:
            continue
        go_on = f"`crmsync schedule resume {mapping.sync}`"
        if known.paused_at is not None:
            why = f" ({known.paused_why})" if known.paused_why else ""
            seen = f"{mapping.sync} is paused since {known.paused_at:%Y-%m-%d %H:%M}Z{why}"
            found.append(OURS.warning("paused", seen, f"{go_on} lets it go on"))
        hold = hold_of(mapping, known)
        if hold is not None:
            seen = f"{mapping.sync} {hold.message}"
            advice = f"look at it with `crmsync push {mapping.sync}`, which asks before it goes on"
            found.append(OURS.fault("held", seen, advice))
    return found


def _ago(one: Process, now: datetime) -> str:
    return f"{lasting((now - one.seen_at).total_seconds())} ago"
