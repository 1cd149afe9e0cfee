"""Links: which CRM record a profile is, what it should and does hold, and when it is due.

The table is the queue. `mark` says that something a mapping reads has changed; `claim` (in
`leases.py`) leases what is due; `settle` (in `settlements.py`) records what became of it. The
state machine and its rules are in docs/reliability.md; the column that drives it is `wake_at`, the
earliest moment at which anybody must look at the row: the end of the lease while it is leased, else
the earlier of `due_at` and `verify_at`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, case, func, literal, select, tuple_, update
from sqlalchemy.sql import ColumnElement

from crmsync.errors import SealBroken
from crmsync.model import CrmId, LinkId, ProfileId, RunTrigger, Value
from crmsync.store import bulk
from crmsync.store.tables import Instant, links
from crmsync.store.vault import Vault

log = structlog.get_logger()

PRIORITY_LIVE = 0
PRIORITY_BACKFILL = 9
PRIORITIES = (PRIORITY_LIVE, PRIORITY_BACKFILL)
"""The most urgent first."""


class LinkState(StrEnum):
    """What a link is in for; whether it is clean, dirty or leased follows from its versions."""

    ACTIVE = "active"
    DEAD = "dead"
    """Refused by the CRM: waits for a new value, a new mapping or a replay."""
    CONFLICT = "conflict"
    """Two records claim one person: waits for a person's decision."""
    SUPPRESSED = "suppressed"
    """Erased, opted out, or its record was deleted in the CRM: never written again."""
    CONVERTED = "converted"
    """A lead that became a contact, which another sync takes on."""


KEPT_OUT = frozenset({LinkState.SUPPRESSED, LinkState.CONFLICT, LinkState.CONVERTED})
"""Whom no new value brings back."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that a mapping reads has changed."""

    connection: str
    object_type: str
    profile_id: ProfileId
    due_at: datetime | None
    """None: not due until its event comes."""
    trigger: RunTrigger
    priority: int = PRIORITY_LIVE
    creates: bool = True
    """Whether a profile that has no link yet gets one."""


def mark(connection: Connection, marks: Sequence[Mark]) -> None:
    """Make links dirty, creating those that do not exist; revive the dead. One link per mark."""
    if not marks:
        return
    existing = _primary_links(connection, {mark.profile_id for mark in marks})
    changed: list[dict[str, Any]] = []
    fresh: list[dict[str, Any]] = []
    for m in marks:
        row = existing.get((m.connection, m.object_type, m.profile_id))
        if row is None:
            if m.creates:
                fresh.append(_new_link(m))
        elif row.state not in KEPT_OUT:
            changed.append(_remarked(row, m))
    bulk.insert(connection, links, fresh)
    bulk.update(connection, links, changed)


def release(
    connection: Connection,
    where: Iterable[tuple[str, str, ProfileId]],
    now: datetime,
) -> None:
    """Make due now what waits for its event, for (connection, object type, profile)."""
    keys = list(where)
    if not keys:
        return
    connection.execute(
        update(links)
        .where(
            tuple_(links.c.connection, links.c.object_type, links.c.profile_id).in_(keys),
            links.c.state == LinkState.ACTIVE,
            links.c.desired_version > links.c.acked_version,
        )
        .values(due_at=now, wake_at=_unless_leased(now), trigger=RunTrigger.EVENT)
    )


def make_due(connection: Connection, name: str, object_type: str, now: datetime) -> int:
    """Make every dirty link of a sync due now; return how many."""
    result = connection.execute(
        update(links)
        .where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.state == LinkState.ACTIVE,
            links.c.desired_version > links.c.acked_version,
        )
        .values(due_at=now, wake_at=_unless_leased(now))
    )
    return result.rowcount


def next_wake(
    connection: Connection,
    name: str,
    object_types: Collection[str],
    priorities: Sequence[int] = PRIORITIES,
) -> datetime | None:
    """Return when the next link of these object types needs attention."""
    return earliest(
        *(
            # One look at the index each, however long the queue is.
            connection.execute(
                select(func.min(links.c.wake_at)).where(
                    links.c.connection == name,
                    links.c.object_type == object_type,
                    links.c.priority == priority,
                    links.c.wake_at.is_not(None),  # or SQLite does not take the partial index
                )
            ).scalar()
            for object_type in object_types
            for priority in priorities
        )
    )


def next_due(connection: Connection, name: str, object_type: str) -> datetime | None:
    """Return when the next difference of a sync is due that nobody works on: not verifications."""
    moment: datetime | None = connection.execute(
        select(func.min(links.c.due_at)).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.wake_at.is_not(None),
            links.c.lease_token.is_(None),
        )
    ).scalar()
    return moment


def next_verification(connection: Connection, name: str, object_type: str) -> datetime | None:
    """Return when the next record of a sync is read back because its write was uncertain."""
    moment: datetime | None = connection.execute(
        select(func.min(links.c.verify_at)).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.wake_at.is_not(None),
        )
    ).scalar()
    return moment


def owners_of(
    connection: Connection, name: str, object_type: str, crm_ids: Collection[CrmId]
) -> dict[CrmId, LinkId]:
    """Return which link holds each of these records, where one does."""
    rows = connection.execute(
        select(links.c.crm_id, links.c.id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            bulk.among(connection, links.c.crm_id, crm_ids),
        )
    )
    return {CrmId(crm_id): LinkId(link) for crm_id, link in rows.all()}


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the earliest of those that are not None."""
    return min((moment for moment in moments if moment is not None), default=None)


def latest(*moments: datetime | None) -> datetime | None:
    """Return the latest of those that are not None."""
    return max((moment for moment in moments if moment is not None), default=None)


def snapshot_context(link_id: int) -> str:
    """Return the context by which a link's snapshot is sealed."""
    return f"links:{link_id}"


def open_snapshot(vault: Vault, row: Any) -> tuple[dict[str, Value], bool]:
    """Return the snapshot, and whether it could be read; if not, the record is read instead."""
    if row.snapshot_sealed is None:
        return {}, True
    try:
        return orjson.loads(vault.open(row.snapshot_sealed, snapshot_context(row.id))), True
    except SealBroken as broken:
        log.error("snapshot_unreadable", link=row.id, detail=broken.user_message)  # noqa: TRY400 - said
        return {}, False


def _primary_links(
    connection: Connection, profile_ids: set[ProfileId]
) -> dict[tuple[str, str, ProfileId], Any]:
    rows = connection.execute(
        select(
            links.c.id,
            links.c.connection,
            links.c.object_type,
            links.c.profile_id,
            links.c.desired_version,
            links.c.acked_version,
            links.c.due_at,
            links.c.wake_at,
            links.c.lease_token,
            links.c.state,
            links.c.priority,
            links.c.trigger,
            links.c.crashes,
        )
        .where(bulk.among(connection, links.c.profile_id, profile_ids), links.c.is_primary)
        .order_by(links.c.id)
        .with_for_update()
    )
    return {(r.connection, r.object_type, r.profile_id): r for r in rows.all()}


def _new_link(mark: Mark) -> dict[str, Any]:
    return {
        "connection": mark.connection,
        "object_type": mark.object_type,
        "profile_id": mark.profile_id,
        "is_primary": True,
        "desired_version": 1,
        "acked_version": 0,
        "due_at": mark.due_at,
        "wake_at": mark.due_at,
        "priority": mark.priority,
        "trigger": mark.trigger,
        "attempts": 0,
        "crashes": 0,
        "state": LinkState.ACTIVE,
    }


def _remarked(row: Any, mark: Mark) -> dict[str, Any]:
    dirty = row.desired_version > row.acked_version and row.state == LinkState.ACTIVE
    due = earliest(row.due_at, mark.due_at) if dirty else mark.due_at
    sooner = not dirty or due != row.due_at
    return {
        "id": row.id,
        "desired_version": row.desired_version + 1,
        "due_at": due,
        # A leased row is looked at when its lease ends; settling it takes the new due time up.
        "wake_at": row.wake_at if row.lease_token else earliest(row.wake_at, due),
        "priority": min(row.priority, mark.priority) if dirty else mark.priority,
        "trigger": mark.trigger if sooner else row.trigger,
        "attempts": 0,
        # A new value is a new chance for whoever was set aside; before, it would hide the pattern.
        "crashes": row.crashes if row.state == LinkState.ACTIVE else 0,
        "error_class": None,
        "error_code": None,
        "error_field": None,
        "state": LinkState.ACTIVE,
    }


def _unless_leased(moment: datetime) -> ColumnElement[Any]:
    # Of a bare value SQLAlchemy would make a text without a time zone on SQLite.
    then = literal(moment, Instant())
    return case((links.c.lease_token.is_not(None), links.c.wake_at), else_=then)
