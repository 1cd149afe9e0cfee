"""What is read of a connection, and when it is time to."""

from __future__ import annotations

from datetime import datetime, timedelta

from crmsync.mapping.compiled import SyncMapping
from crmsync.store import cursors, hints, state
from crmsync.store.cursors import DEALS, Subject
from crmsync.store.links import earliest
from crmsync.sync.context import Works
from crmsync.sync.marking import is_superseded

NEVER = timedelta(0)
"""As the interval of what is not polled."""


def reads_back(mapping: SyncMapping) -> bool:
    """Whether anything of a mapping's records matters to us."""
    return bool(mapping.pulls or mapping.deals or mapping.is_followed)


def is_read(mapping: SyncMapping) -> bool:
    """Whether the records of a mapping are read at all, be it only to compare them."""
    return mapping.reconcile or reads_back(mapping)


def next_pull(works: Works, name: str) -> datetime | None:
    """Return when a connection is to be read next; None where nothing ever is."""
    subjects = subjects_of(works, name)
    if not subjects or is_outdated(works, name):
        return None
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        held = state.backfill_hold(connection, name, now)  # sweeps wait with the backfills
        moments = [
            cursors.next_reading(connection, one, sweep_from=held) or now
            for one in subjects
            if one.is_read
        ]
        told_of = [told_as(one) for one in subjects]
        return earliest(hints.next_due(connection, name, told_of), *moments)


def subjects_of(works: Works, name: str) -> list[Subject]:
    """Return what is read of a connection, with the fields of all mappings that read it.

    Of a mapping that reads nothing back, or nothing but deals, only those records are read that are
    told of, and all of them now and then to be compared, unless it says `reconcile: false`.
    """
    timing = works.configuration.connections[name].timing
    every = timedelta(seconds=timing.pull_seconds)
    sweep = timedelta(seconds=timing.reread_seconds)
    mappings = [m for m in works.configuration.mappings if m.connection == name]
    found = [
        Subject(
            name,
            m.object_type,
            frozenset([*m.read_fields, *(key for key, _ in m.match)]),  # and whose a record is
            every if m.pulls or m.is_followed else NEVER,
            sweep if m.reconcile else None,
        )
        for m in mappings
    ]
    of_deals = frozenset(p.name for m in mappings if m.deals for p in m.deals.pulls)
    if of_deals:
        found.append(Subject(name, DEALS, of_deals, every, sweep))
    return found


def told_as(subject: Subject) -> str:
    """Return what hints call a subject."""
    return "deals" if subject.name == DEALS else subject.name


def is_outdated(works: Works, name: str) -> bool:
    """Whether another process reads a connection by newer files.

    Each of two that ask for other fields would read everything again, in turn, for ever.
    """
    with works.store.database.read() as connection:
        known = state.list_syncs(connection)
    mappings = [m for m in works.configuration.mappings if m.connection == name and is_read(m)]
    return any(is_superseded(works, m, known[m.sync]) for m in mappings if m.sync in known)
