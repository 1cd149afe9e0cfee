"""When two of our profiles turned out to be one and each has a record: merge those, if asked to.

`on_merge: merge_in_crm`. The record of the profile that stayed wins. One worker at a time does it,
and a merge that was done already, by us or by somebody in the CRM, is no mistake.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.errors import BatchRejected
from crmsync.mapping.compiled import OnMerge, SyncMapping
from crmsync.model import CrmId
from crmsync.store import cursors, hints, link_merges, state
from crmsync.store.cursors import Reading, Subject
from crmsync.store.link_merges import Duplicate
from crmsync.store.state import SyncState
from crmsync.sync.context import Sync, Works
from crmsync.sync.marking import is_superseded

MERGES = "@merges"
AT_ONCE = 50
"""Pairs merged in one round: each is a call."""
SOON = timedelta(seconds=1)

log = structlog.get_logger()


def to_merge(works: Works, name: str) -> list[SyncMapping]:
    """Return the mappings of a connection whose records are waiting to be merged."""
    mappings = _merging(works, name)
    with works.store.database.read() as connection:
        return [m for m in mappings if link_merges.duplicates(connection, name, m.object_type, 1)]


def merge_records(sync: Sync) -> int:
    """Merge the records of people who turned out to be one; return how many pairs.

    Raises what a CRM call raises.
    """
    database, mapping = sync.store.database, sync.mapping
    subject = Subject(
        mapping.connection, f"{MERGES}:{mapping.object_type}", frozenset(), SOON, SOON
    )
    lease = timedelta(seconds=sync.timing.lease_seconds)

    def begin(connection: Connection) -> tuple[Reading | None, list[Duplicate]]:
        reading = cursors.begin_reading(connection, subject, database.now(connection), lease)
        place = mapping.connection, mapping.object_type
        return reading, link_merges.duplicates(connection, *place, AT_ONCE) if reading else []

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


def _merging(works: Works, name: str) -> list[SyncMapping]:
    """Return the mappings of a connection that have records merged, but for those that rest.

    No merge can be undone: none is made for a paused sync, or by older files than another's.
    """
    asking = [
        mapping
        for mapping in works.configuration.mappings
        if mapping.connection == name and mapping.on_merge is OnMerge.MERGE_IN_CRM
    ]
    if not asking:
        return []
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        known = state.list_syncs(connection)
    return [m for m in asking if m.sync not in known or not _rests(works, m, known[m.sync], now)]


def _rests(works: Works, mapping: SyncMapping, kept: SyncState, now: datetime) -> bool:
    is_misfit = kept.rests_until is not None and kept.rests_until > now
    return is_misfit or kept.paused_at is not None or is_superseded(works, mapping, kept)


def _merge(sync: Sync, pair: Duplicate) -> None:
    """Merge two records, or set them aside for a person: one pair must not hold up the others."""
    database, mapping = sync.store.database, sync.mapping
    try:
        stays: CrmId = sync.connector.merge(mapping.object_type, pair.winner, pair.loser)
    except BatchRejected as refusal:
        code, why = refusal.code, refusal.user_message
        log.warning("records_not_merged", sync=mapping.sync, link=pair.loser_link, why=why)
        database.transact(lambda c: link_merges.refused(c, pair, code))
        return
    log.info("records_merged", sync=mapping.sync, link=pair.winner_link)

    def work(connection: Connection) -> None:
        now = database.now(connection)
        link_merges.merged(connection, pair, stays, now)
        if mapping.pulls or mapping.deals:
            hints.ask(connection, mapping.connection, {(mapping.object_type, stays)}, now)

    database.transact(work)
