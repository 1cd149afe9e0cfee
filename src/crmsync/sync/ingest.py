"""The one door: events become profiles, history and dirty links in a single commit.

    events ─► inbox (seen before?) ─► the part of the world they are about ─► fold ─► save + mark ─►
    ring

Called by the API, `crmsync ingest` and the demo. Once `ingest` returns, everything is durable; the
bell is rung after the commit and may be lost without harm.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from crmsync.identity.resolve import fold, wanted
from crmsync.identity.rules import Note
from crmsync.identity.state import Outcome, World
from crmsync.model import Event, EventType
from crmsync.store import inbox, link_merges, links, profiles
from crmsync.store.links import Mark
from crmsync.sync.context import Works
from crmsync.sync.marking import marks_of


@dataclass(slots=True)
class Ingested:
    """What one call of `ingest` came to."""

    taken: int = 0
    repeated: int = 0
    """Seen before: changed nothing."""
    differing: list[str] = field(default_factory=list)
    """Message ids that came again with another body: the first one stays."""
    notes: list[Note] = field(default_factory=list)
    marked: int = 0
    """Links that got something to send."""


def ingest(works: Works, events: Sequence[Event]) -> Ingested:
    """Take events in one commit, in the order given; raises `StoreUnavailable` and takes none.

    Calls that come at once from several threads share a commit.
    """
    report: Ingested = works.gate.submit(events, len(events), lambda calls: _commit(works, calls))
    return report


def _commit(works: Works, calls: Sequence[Sequence[Event]]) -> list[Ingested]:
    reports, bells = works.store.database.transact(lambda c: _take(works, c, calls))
    for name in bells:
        works.ring(name)
    return reports


def _take(
    works: Works, connection: Connection, calls: Sequence[Sequence[Event]]
) -> tuple[list[Ingested], Collection[str]]:
    now = works.store.database.now(connection)
    reports = [Ingested() for _ in calls]
    fresh = _fresh(connection, calls, reports)
    if not fresh:
        return reports, ()
    world = _world(connection, fresh)
    outcome = fold(fresh, world, works.rules)
    _save(works, connection, fresh, outcome, now)
    marks = marks_of(works, connection, outcome.touched.values(), now)
    links.mark(connection, marks)
    released = _release(works, connection, fresh, outcome, now)
    _hand_out(outcome, marks, calls, fresh, reports)
    return reports, {mark.connection for mark in marks} | released


def _fresh(
    connection: Connection, calls: Sequence[Sequence[Event]], reports: Sequence[Ingested]
) -> list[Event]:
    """Leave out what was taken before, by an earlier commit or earlier in this one."""
    seen = inbox.seen(connection, [event for events in calls for event in events])
    fresh = []
    for events, report in zip(calls, reports, strict=True):
        for event in events:
            key = (event.source, event.message_id)
            before = seen.get(key)
            if before is None:
                seen[key] = event.body_sha256
                fresh.append(event)
                report.taken += 1
            else:
                report.repeated += 1
                if before != event.body_sha256:
                    report.differing.append(event.message_id)
    return fresh


def _hand_out(
    outcome: Outcome,
    marks: Sequence[Mark],
    calls: Sequence[Sequence[Event]],
    fresh: Sequence[Event],
    reports: Sequence[Ingested],
) -> None:
    """Give each call the notes on its own events and the marks on the people they are about."""
    by_message = {
        event.message_id: report
        for events, report in zip(calls, reports, strict=True)
        for event in events
    }
    for note in outcome.notes:
        by_message[note.message_id].notes.append(note)
    by_owner = {
        owner: by_message[event.message_id]
        for event, owner in zip(fresh, outcome.owners, strict=True)
    }
    for mark in marks:
        # A company is touched by what its people send.
        by_owner.get(mark.profile_id, reports[0]).marked += 1


def _world(connection: Connection, events: Sequence[Event]) -> World:
    identifiers = profiles.find_identifiers(connection, wanted(events))
    found = profiles.load_for_change(connection, set(identifiers.values()))
    return World(found, identifiers, profiles.known_trait_names(connection))


def _save(
    works: Works, connection: Connection, events: Sequence[Event], outcome: Outcome, now: datetime
) -> None:
    touched = outcome.touched.values()
    profiles.insert(connection, [t.profile for t in touched if t.created])
    profiles.save(connection, [t.profile for t in touched if not t.created])
    profiles.add_identifiers(connection, outcome.new_identifiers)
    if outcome.merges:
        winner_of = {merge.loser: merge.winner for merge in outcome.merges}
        profiles.merge(connection, winner_of)
        link_merges.follow_merges(connection, winner_of, now)
    profiles.add_trait_names(connection, outcome.new_trait_names, now)
    vault = works.store.vault
    inbox.append(connection, vault, events, outcome.owners, now)
    inbox.record_changes(connection, vault, [t for t in touched if t.changes], now)


def _release(
    works: Works,
    connection: Connection,
    events: Sequence[Event],
    outcome: Outcome,
    now: datetime,
) -> set[str]:
    """Make due what waits for one of the tracked events that have just come."""
    waiting = []
    for event, owner in zip(events, outcome.owners, strict=True):
        if event.type is not EventType.TRACK or owner is None:
            continue
        waiting += [
            (mapping.connection, mapping.object_type, owner)
            for mapping in works.configuration.mappings
            if event.name in mapping.event_names
        ]
    links.release(connection, waiting, now)
    return {name for name, _, _ in waiting}
