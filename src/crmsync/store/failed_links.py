"""Links that fail: finding them by what a person asks for, and letting them be tried again.

A record that was deleted in its CRM is made again only where one person is asked for by name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from crmsync.model import CrmId, LinkId, ProfileId, RunId
from crmsync.store import bulk
from crmsync.store.failing import FROZEN, FROZEN_CODE
from crmsync.store.links import LinkState
from crmsync.store.tables import field_flips, links, sync_log

REPLAYABLE = (LinkState.ACTIVE, LinkState.DEAD, LinkState.CONFLICT)
DELETED = "deleted"
"""The error class of links whose record was deleted in the CRM."""
_ASKED = tuple(
    links.c[name]
    for name in (
        "id", "connection", "object_type", "profile_id", "state", "error_class", "error_code",
        "error_field", "crm_id",
    )
)  # fmt: skip


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
    crm_id: CrmId | None = None

    @property
    def is_deleted(self) -> bool:
        """Whether its record was deleted in the CRM: to send it is to make it again."""
        return self.state == LinkState.SUPPRESSED and self.error_class == DELETED


def failed_links(
    connection: Connection, *, profile_id: ProfileId | None = None, run_id: RunId | None = None
) -> list[FailedLink]:
    """Return what fails now and nobody works on: of one profile, of one run, or all.

    Of one profile also what was deleted in the CRM.
    """
    can: ColumnElement[bool] = links.c.state.in_(REPLAYABLE)
    if profile_id is not None:
        can |= (links.c.state == LinkState.SUPPRESSED) & (links.c.error_class == DELETED)
    query = (
        select(*_ASKED)
        .where(
            links.c.error_class.is_not(None),
            links.c.is_primary,
            can,
            links.c.lease_token.is_(None),
        )
        .order_by(links.c.id)
    )
    if profile_id is not None:
        query = query.where(links.c.profile_id == profile_id)
    if run_id is not None:
        failed_then = select(sync_log.c.link_id).where(
            sync_log.c.run_id == run_id, sync_log.c.error_class.is_not(None)
        )
        query = query.where(links.c.id.in_(failed_then))
    return [_failed(row) for row in connection.execute(query)]


def frozen_links(
    connection: Connection, *, profile_id: ProfileId | None = None
) -> list[FailedLink]:
    """Return each field that both sides leave alone, with its link: of one profile, or of all."""
    query = (
        select(*_ASKED, field_flips.c.field)
        .join(field_flips, field_flips.c.link_id == links.c.id)
        .where(
            field_flips.c.frozen_at.is_not(None),
            links.c.state.in_(REPLAYABLE),
            links.c.lease_token.is_(None),
        )
        .order_by(links.c.id, field_flips.c.field)
    )
    if profile_id is not None:
        query = query.where(links.c.profile_id == profile_id)
    return [
        replace(_failed(row), state=FROZEN, error_class="pull", code=FROZEN_CODE, field=row.field)
        for row in connection.execute(query)
    ]


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
        .values(state=LinkState.ACTIVE, attempts=0, crashes=0, due_at=now, wake_at=now)
    )


def revive_refused(
    connection: Connection, name: str, object_type: str, fields: Collection[str], now: datetime
) -> int:
    """Let links be tried again that were refused for one of these fields; return how many."""
    revived = connection.execute(
        update(links)
        .where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.state == LinkState.DEAD,
            links.c.lease_token.is_(None),
            links.c.error_field.in_(fields),
        )
        .values(state=LinkState.ACTIVE, attempts=0, crashes=0, due_at=now, wake_at=now)
    )
    return revived.rowcount


def make_again(connection: Connection, ids: Collection[LinkId], now: datetime) -> None:
    """Let records that were deleted in the CRM be looked for by their keys, and made anew."""
    connection.execute(
        update(links)
        .where(
            bulk.among(connection, links.c.id, ids),
            links.c.lease_token.is_(None),
            links.c.state == LinkState.SUPPRESSED,
            links.c.error_class == DELETED,
        )
        .values(
            state=LinkState.ACTIVE,
            crm_id=None,
            snapshot_sealed=None,
            create_intent_at=None,
            verify_at=None,
            desired_version=links.c.desired_version + 1,
            attempts=0,
            crashes=0,
            due_at=now,
            wake_at=now,
        )
    )


def _failed(row: Any) -> FailedLink:
    return FailedLink(
        row.id, row.connection, row.object_type, row.profile_id,
        row.state, row.error_class or "", row.error_code or "", row.error_field, row.crm_id,
    )  # fmt: skip
