"""What a settled write means for others: who found a record, whose company has one, who comes next.

Runs in the transaction that settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from crmsync.model import CrmId, ProfileKind, RunTrigger
from crmsync.store import hints, links, profiles
from crmsync.store.links import LinkState, Mark
from crmsync.store.settlements import Settlement
from crmsync.sync import life
from crmsync.sync.context import Sync


def follow_up(
    connection: Connection, sync: Sync, settled: Sequence[Settlement], now: datetime
) -> None:
    """Have adopted records read back, and the people of new company records tied to them.

    The contacts that leads became are handed over in the commit that ends the leads' links: who
    takes them on sees that no lead is in the way.
    """
    for s in settled:
        if s.state is LinkState.CONVERTED:
            life.hand_over(connection, sync.heirs, s.claim.profile_id, s.successor, now)
    found = [s for s in settled if s.crm_id is not None and s.crm_id != s.claim.crm_id]
    if not found:
        return
    mapping = sync.mapping
    if mapping.pulls or mapping.deals:
        adopted = {CrmId(str(s.crm_id)) for s in found if s.action != "create"}
        records = {(mapping.object_type, crm_id) for crm_id in adopted}
        hints.ask(connection, mapping.connection, records, now)
    if mapping.source is ProfileKind.COMPANY:
        tying = [
            other
            for other in sync.neighbours
            if any(name == mapping.sync for _, name in other.associations)
        ]
        firms = {s.claim.profile_id for s in found}
        people = profiles.members(connection, firms) if tying else []
        links.mark(
            connection,
            [
                Mark(
                    other.connection,
                    other.object_type,
                    person,
                    now,
                    RunTrigger.REALTIME,
                    creates=False,
                )
                for other in tying
                for person in people
            ],
        )
