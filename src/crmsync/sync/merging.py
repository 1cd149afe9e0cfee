"""Two records of one person: merge those, if asked to.

`on_merge: merge_in_crm`, where two of our profiles turned out to be one and each has a record: that
of the profile that stayed wins. `on_duplicate: merge`, where a record that is nobody's has the key
of somebody who has one: the linked one wins. One worker at a time does it, and a merge that was
done already, by us or by somebody in the CRM, is no mistake.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.errors import BatchRejected
from crmsync.mapping.compiled import OnDuplicate, OnMerge, SyncMapping
from crmsync.model import CrmId
from crmsync.store import cursors, duplicates, hints, link_merges, state
from crmsync.store.cursors import Reading, Subject
from crmsync.store.link_merges import Duplicate
from crmsync.store.state import SyncState
from crmsync.sync.context import Sync, Works
from crmsync.sync.guard import is_stopped
from crmsync.sync.marking import is_superseded

MERGES = "@merges"
AT_ONCE = 50
"""Pairs merged in one round: each is a call."""
SOON = timedelta(seconds=1)
FRESH = timedelta(minutes=15)
"""How long what was read of two records is relied on. No merge can be undone: what was found longer
ago is read again by the next sweep, and merged then."""

log = structlog.get_logger()


def to_merge(works: Works, name: str) -> list[SyncMapping]:
    """Return the mappings of a connection whose records are waiting to be merged."""
    mappings = _merging(works, name)
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        return [m for m in mappings if _pairs(connection, m, now, 1)]


def merge_records(sync: Sync) -> int:
    """Merge the records that are one person's, as the mapping asks; return how many pairs.

    Raises what a CRM call raises.
    """
    database, mapping = sync.store.database, sync.mapping
    subject = Subject(
        mapping.connection, f"{MERGES}:{mapping.object_type}", frozenset(), SOON, SOON
    )
    lease = timedelta(seconds=sync.timing.lease_seconds)

    def begin(connection: Connection) -> tuple[Reading | None, list[Duplicate]]:
        now = database.now(connection)
        reading = cursors.begin_reading(connection, subject, now, lease)
        return reading, _pairs(connection, mapping, now, AT_ONCE) if reading else []

    reading, pairs = database.transact(begin)
    try:
        for pair in pairs:
            _merge(sync, pair)
    finally:
        if reading is not None:
            database.transact(
                lambda c: cursors.end_reading(c, reading, database.now(c), whole=True)
            )
    return len(pairs)


def _pairs(
    connection: Connection, mapping: SyncMapping, now: datetime, limit: int
) -> list[Duplicate]:
    place = mapping.connection, mapping.object_type
    found: list[Duplicate] = []
    if mapping.on_merge is OnMerge.MERGE_IN_CRM:
        found += link_merges.duplicates(connection, *place, limit)
    if mapping.on_duplicate is OnDuplicate.MERGE:
        found += duplicates.to_merge(connection, *place, now - FRESH, limit)
    return found[:limit]


def _merging(works: Works, name: str) -> list[SyncMapping]:
    """Return the mappings of a connection that have records merged, but for those that rest.

    No merge can be undone: none is made for a paused sync, or by older files than another's.
    """
    asking = [
        mapping
        for mapping in works.configuration.mappings
        if mapping.connection == name
        and (mapping.on_merge is OnMerge.MERGE_IN_CRM or mapping.on_duplicate is OnDuplicate.MERGE)
    ]
    if not asking:
        return []
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        known = state.list_syncs(connection)
    return [m for m in asking if m.sync not in known or not _rests(works, m, known[m.sync], now)]


def _rests(works: Works, mapping: SyncMapping, kept: SyncState, now: datetime) -> bool:
    is_misfit = kept.rests_until is not None and kept.rests_until > now
    return is_misfit or is_stopped(mapping, kept) or is_superseded(works, mapping, kept)


def _merge(sync: Sync, pair: Duplicate) -> None:
    """Merge two records, or set them aside for a person: one pair must not hold up the others."""
    database, mapping = sync.store.database, sync.mapping
    try:
        stays: CrmId = sync.connector.merge(mapping.object_type, pair.winner, pair.loser)
    except BatchRejected as refusal:
        code, why = refusal.code, refusal.user_message
        log.warning("records_not_merged", sync=mapping.sync, link=pair.winner_link, why=why)
        database.transact(lambda c: _refused(c, mapping, pair, code))
        return
    log.info("records_merged", sync=mapping.sync, link=pair.winner_link)

    def work(connection: Connection) -> None:
        now = database.now(connection)
        link_merges.merged(connection, pair, stays, now)
        duplicates.forget(connection, mapping.connection, mapping.object_type, [pair.loser])
        if mapping.pulls or mapping.deals:
            hints.ask(connection, mapping.connection, {(mapping.object_type, stays)}, now)

    database.transact(work)


def _refused(connection: Connection, mapping: SyncMapping, pair: Duplicate, code: str) -> None:
    if pair.loser_link is None:
        place = mapping.connection, mapping.object_type
        duplicates.refused(connection, *place, pair.loser, code)
    else:
        link_merges.refused(connection, pair.loser_link, code)
