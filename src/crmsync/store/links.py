"""Links: which CRM record a profile is, what it should and does hold, and who works on it.

The table is the queue. `mark` says that something a mapping reads has changed; `claim` leases what
is due; `settle` (in `settlements.py`) records what became of it. The state machine and its rules
are in docs/reliability.md; the column that drives it is `wake_at`, the earliest moment at which
anybody must look at the row: the end of the lease while it is leased, else the earlier of `due_at`
and `verify_at`.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, case, func, literal, select, tuple_, update
from sqlalchemy.sql import ColumnElement

from crmsync.errors import SealBroken
from crmsync.model import CrmId, LinkId, Outcome, ProfileId, RunTrigger, Value
from crmsync.store import bulk
from crmsync.store.tables import Instant, links
from crmsync.store.vault import Vault

log = structlog.get_logger()

_TRIGGERS = {str(trigger): trigger for trigger in RunTrigger}
PRIORITY_LIVE = 0
PRIORITY_BACKFILL = 9
PRIORITIES = (PRIORITY_LIVE, PRIORITY_BACKFILL)
"""The most urgent first."""
LINKS_AFTER_ONE_CRASH = 100
"""So many are claimed together whose worker vanished: one call of most CRMs."""
CRASHES_OF_A_SUSPECT = 2
"""In a row, from which on a link is claimed alone."""
CRASHES_BEFORE_PARKING = 5
"""In a row, the last three of them alone: it is the record that ends its workers."""


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


@dataclass(frozen=True, slots=True)
class Claim:
    """One leased link, as it stood when it was claimed."""

    link_id: LinkId
    profile_id: ProfileId
    crm_id: CrmId | None
    desired_version: int
    acked_version: int
    snapshot: dict[str, Value]
    """What the record is known to hold, by CRM field."""
    snapshot_sealed: bytes | None
    trigger: RunTrigger
    wake_at: datetime
    due_at: datetime | None
    attempts: int
    error_class: str | None
    """Of the last attempt, where it failed."""
    abandoned: bool
    """Its last worker vanished: what that one sent may still be applied."""
    crashes: int
    """How often in a row its worker vanished."""
    verify_at: datetime | None
    """When the settle time after an uncertain write is over."""
    verify: bool
    """It is over: read the record before writing."""
    create_intent_at: datetime | None
    """A create may be in flight or may have landed since then."""
    priority: int = PRIORITY_LIVE

    @property
    def is_deadly(self) -> bool:
        """Whether its workers vanished too often, it alone at last, for that to be chance."""
        return self.crashes >= CRASHES_BEFORE_PARKING

    @property
    def losses(self) -> int:
        """How often in a row the answer to it was lost, as far as that counts against it."""
        return self.attempts if self.error_class == Outcome.UNKNOWN else 0

    @property
    def last_intent_at(self) -> datetime | None:
        """When a create of an earlier attempt was last begun, if one may still land.

        A vanished worker may have sent it as late as the end of its lease.
        """
        if self.create_intent_at is None or not self.abandoned:
            return self.create_intent_at
        return max(self.create_intent_at, self.wake_at)


@dataclass(frozen=True, slots=True)
class Lease:
    """What one claim took: nobody else works on these links until the lease ends."""

    connection: str
    object_type: str
    token: str
    claimed_at: datetime
    claims: Sequence[Claim]


CLAIMED = tuple(
    links.c[name]
    for name in (
        "id", "profile_id", "crm_id", "desired_version", "acked_version", "snapshot_sealed",
        "trigger", "wake_at", "due_at", "verify_at", "attempts", "error_class", "lease_token",
        "create_intent_at", "crashes", "priority",
    )
)  # fmt: skip


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


def claim(  # noqa: PLR0913 - one short transaction; each is a fact of the slice to lease
    connection: Connection,
    vault: Vault,
    name: str,
    object_type: str,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    priorities: Sequence[int] = PRIORITIES,
    suspects: bool = True,
) -> Lease:
    """Lease up to `limit` links that need attention, the most urgent first.

    Where the first of them is one whose worker vanished, only its like are leased, and few: if it
    is one of them that ends its workers, it is alone before long, and the others are delivered.
    Without `suspects` those are left out that are claimed one by one.
    """
    crashes = links.c.crashes + case((links.c.lease_token.is_not(None), 1), else_=0)
    innocent = [] if suspects else [crashes < CRASHES_OF_A_SUSPECT]
    rows: list[Any] = []
    for priority in priorities:
        # One range of the index each: what is not due yet is never walked through.
        rows += connection.execute(
            select(*CLAIMED)
            .where(
                links.c.connection == name,
                links.c.object_type == object_type,
                links.c.priority == priority,
                links.c.wake_at <= now,
                links.c.state == LinkState.ACTIVE,
                *innocent,
            )
            .order_by(links.c.wake_at)
            .limit(limit - len(rows))
            .with_for_update(skip_locked=True)
        ).all()
    number = _crashes(rows[0]) if rows else 0
    rows = [row for row in rows if _crashes(row) == number][: _together(number, limit)]
    token, until = secrets.token_hex(16), now + lease
    connection.execute(
        update(links)
        .where(bulk.among(connection, links.c.id, [row.id for row in rows]))
        .values(lease_token=token, wake_at=until, due_at=None, verify_at=None, crashes=number)
    )
    return Lease(name, object_type, token, now, [_claim(vault, row, now) for row in rows])


def renew(connection: Connection, lease: Lease, until: datetime) -> int:
    """Move the end of what is left of a lease; return how many links are still held."""
    result = connection.execute(
        update(links)
        .where(
            links.c.lease_token == lease.token,
            bulk.among(connection, links.c.id, [claim.link_id for claim in lease.claims]),
        )
        .values(wake_at=until)
    )
    return result.rowcount


def record_create_intents(
    connection: Connection, lease: Lease, ids: Collection[LinkId], now: datetime
) -> set[LinkId]:
    """Say, before it is sent, that a create may land from now on; return the links still held."""
    held = connection.execute(
        select(links.c.id)
        .where(links.c.lease_token == lease.token, bulk.among(connection, links.c.id, ids))
        .with_for_update()
    ).scalars()
    found = {LinkId(link) for link in held.all()}
    bulk.update(connection, links, [{"id": link, "create_intent_at": now} for link in found])
    return found


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


def _crashes(row: Any) -> int:
    """Return how often in a row its worker vanished; a lease still there has ended by itself."""
    crashes: int = row.crashes + (row.lease_token is not None)
    return crashes


def _together(crashes: int, limit: int) -> int:
    if crashes >= CRASHES_OF_A_SUSPECT:
        return 1
    return min(limit, LINKS_AFTER_ONE_CRASH) if crashes else limit


def _claim(vault: Vault, row: Any, now: datetime) -> Claim:
    snapshot, is_readable = open_snapshot(vault, row)
    return Claim(
        link_id=row.id,
        profile_id=row.profile_id,
        crm_id=row.crm_id,
        desired_version=row.desired_version,
        acked_version=row.acked_version,
        snapshot=snapshot,
        snapshot_sealed=row.snapshot_sealed,
        trigger=_TRIGGERS[row.trigger],
        wake_at=row.wake_at,
        due_at=row.due_at,
        attempts=row.attempts,
        error_class=row.error_class,
        abandoned=row.lease_token is not None,
        crashes=_crashes(row),
        verify_at=row.verify_at,
        verify=not is_readable or (row.verify_at is not None and row.verify_at <= now),
        create_intent_at=row.create_intent_at,
        priority=row.priority,
    )


def _unless_leased(moment: datetime) -> ColumnElement[Any]:
    # Of a bare value SQLAlchemy would make a text without a time zone on SQLite.
    then = literal(moment, Instant())
    return case((links.c.lease_token.is_not(None), links.c.wake_at), else_=then)
