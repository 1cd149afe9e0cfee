"""Links that fail: finding them by what a person asks for, and letting them be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from crmsync.model import LinkId, ProfileId, RunId
from crmsync.store import bulk
from crmsync.store.links import LinkState
from crmsync.store.tables import links, sync_log

REPLAYABLE = (LinkState.ACTIVE, LinkState.DEAD, LinkState.CONFLICT)


@dataclass(frozen=True, slots=True)
class FailedLink:
    """One link whose last attempt failed."""

    link_id: LinkId
    connection: str
    object_type: str
    profile_id: ProfileId
    state: str
    error_class: str
    code: str
    field: str | None


def failed_links(
    connection: Connection, *, profile_id: ProfileId | None = None, run_id: RunId | None = None
) -> list[FailedLink]:
    """Return what fails now and nobody works on: of one profile, of one run, or all."""
    query = (
        select(
            links.c.id, links.c.connection, links.c.object_type, links.c.profile_id,
            links.c.state, links.c.error_class, links.c.error_code, links.c.error_field,
        )
        .where(
            links.c.error_class.is_not(None),
            links.c.is_primary,
            links.c.state.in_(REPLAYABLE),
            links.c.lease_token.is_(None),
        )
        .order_by(links.c.id)
    )  # fmt: skip
    if profile_id is not None:
        query = query.where(links.c.profile_id == profile_id)
    if run_id is not None:
        failed_then = select(sync_log.c.link_id).where(
            sync_log.c.run_id == run_id, sync_log.c.error_class.is_not(None)
        )
        query = query.where(links.c.id.in_(failed_then))
    return [
        FailedLink(
            row.id, row.connection, row.object_type, row.profile_id,
            row.state, row.error_class, row.error_code or "", row.error_field,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def revive(connection: Connection, ids: Sequence[LinkId], now: datetime) -> None:
    """Make links due now, with their attempts forgotten; their errors stay until they succeed.

    Those that somebody works on, or that left the queue meanwhile, are left alone.
    """
    connection.execute(
        update(links)
        .where(
            bulk.among(connection, links.c.id, ids),
            links.c.lease_token.is_(None),
            links.c.state.in_(REPLAYABLE),
        )
        .values(state=LinkState.ACTIVE, attempts=0, due_at=now, wake_at=now)
    )
