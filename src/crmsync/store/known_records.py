"""What each link is known to hold, for people to look at: read without locks, changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmsync.model import CrmId, LinkId, ProfileId, Value
from crmsync.store import bulk, tables
from crmsync.store.links import LinkState, snapshot_context
from crmsync.store.tables import links
from crmsync.store.vault import Vault


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """One link with what the CRM's record is known to hold."""

    link_id: LinkId
    profile_id: ProfileId
    connection: str
    object_type: str
    crm_id: CrmId | None
    state: str
    """`clean`, `dirty` or `leased`; `dead`, `conflict`, `suppressed` or `converted` until a
    person acts."""
    snapshot: dict[str, Value]
    """By CRM field."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One CRM record, and whose it is."""

    connection: str
    object_type: str
    crm_id: CrmId
    profile_id: ProfileId


def holders(connection: Connection, name: str) -> list[Holder]:
    """Return the records with a CRM id: `id`, `connection:id` or `connection:object:id`."""
    head, _, tail = name.partition(":")
    kind, _, rest = tail.partition(":")
    syncs = tables.syncs.c
    pairs = connection.execute(select(syncs.connection, syncs.object_type)).all()
    # Each pair by itself: the index on CRM ids begins with connection and object.
    wanted = [(*pair, name) for pair in pairs]
    wanted += [(*pair, tail) for pair in pairs if pair[0] == head]
    wanted += [(*pair, rest) for pair in pairs if tuple(pair) == (head, kind)]
    found: list[Holder] = []
    for one in wanted:
        rows = connection.execute(
            select(links.c.connection, links.c.object_type, links.c.crm_id, links.c.profile_id)
            .where(links.c.connection == one[0], links.c.object_type == one[1])
            .where(links.c.crm_id == one[2])
        )
        found += [Holder(*row) for row in rows]
    return found


def known_records(
    connection: Connection, vault: Vault, profile_ids: Collection[ProfileId]
) -> dict[ProfileId, list[KnownRecord]]:
    """Return the records of each profile that has any, in order of connection and object."""
    found: dict[ProfileId, list[KnownRecord]] = {}
    rows = connection.execute(
        select(links)
        .where(bulk.among(connection, links.c.profile_id, profile_ids))
        .order_by(links.c.connection, links.c.object_type, links.c.id)
    )
    for row in rows:
        found.setdefault(row.profile_id, []).append(_known_record(vault, row))
    return found


def _known_record(vault: Vault, row: Any) -> KnownRecord:
    sealed = row.snapshot_sealed
    return KnownRecord(
        link_id=row.id,
        profile_id=row.profile_id,
        connection=row.connection,
        object_type=row.object_type,
        crm_id=row.crm_id,
        state=_state(row),
        snapshot=orjson.loads(vault.open(sealed, snapshot_context(row.id))) if sealed else {},
    )


def _state(row: Any) -> str:
    if row.state != LinkState.ACTIVE:
        return str(row.state)
    if row.lease_token is not None:
        return "leased"
    return "dirty" if row.desired_version > row.acked_version else "clean"
