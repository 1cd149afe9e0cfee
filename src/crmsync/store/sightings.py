"""Which links' records a reading of everything came upon, and which it did not."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from crmsync.model import CrmId, LinkId
from crmsync.store import bulk
from crmsync.store.links import LinkState
from crmsync.store.tables import links

_OVER = (LinkState.SUPPRESSED, LinkState.CONVERTED)
"""Of links whose record is no concern of ours any more."""


def stamp(connection: Connection, ids: Collection[LinkId], now: datetime) -> None:
    """Note that the records of links, locked by this transaction, are there."""
    connection.execute(
        update(links).where(bulk.among(connection, links.c.id, ids)).values(seen_at=now)
    )


def unseen(  # noqa: PLR0913 - a part of the links of one object type
    connection: Connection,
    name: str,
    object_type: str,
    since: datetime,
    *,
    after: LinkId,
    limit: int,
) -> list[tuple[LinkId, CrmId]]:
    """Return links with a record that was neither seen nor written since, by link, behind `after`.

    What was written is known to have been there.
    """
    rows = connection.execute(
        select(links.c.id, links.c.crm_id)
        .where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.id > after,
            links.c.crm_id.is_not(None),
            links.c.state.not_in(_OVER),
            or_(links.c.seen_at.is_(None), links.c.seen_at < since),
            or_(links.c.written_at.is_(None), links.c.written_at < since),
        )
        .order_by(links.c.id)
        .limit(limit)
    )
    return [(link, CrmId(crm_id)) for link, crm_id in rows]
