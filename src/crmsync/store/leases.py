"""Leases: who works on which links, until when, and as those stood when they were claimed.

A lease is a token on the rows and a moment at which it ends by itself. Links whose worker vanished
are claimed apart from the others and few at a time, so that a record that ends its workers shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, select, update

from crmsync.model import CrmId, LinkId, Outcome, ProfileId, RunTrigger, Value
from crmsync.store import bulk
from crmsync.store.links import PRIORITIES, PRIORITY_LIVE, LinkState, open_snapshot
from crmsync.store.tables import links
from crmsync.store.vault import Vault

_TRIGGERS = {str(trigger): trigger for trigger in RunTrigger}
LINKS_AFTER_ONE_CRASH = 100
"""So many are claimed together whose worker vanished: one call of most CRMs."""
CRASHES_OF_A_SUSPECT = 2
"""In a row, from which on a link is claimed alone; but not where more than one crash can make such
are due: then it is not a record that ends workers."""
CRASHES_BEFORE_PARKING = 5
"""In a row, the last three of them alone: it is the record that ends its workers."""


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
    Without `suspects` those are left out that may have to be claimed one by one.
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
    chosen, number = _together(rows)
    token, until = secrets.token_hex(16), now + lease
    connection.execute(
        update(links)
        .where(bulk.among(connection, links.c.id, [row.id for row in chosen]))
        .values(lease_token=token, wake_at=until, due_at=None, verify_at=None, crashes=number)
    )
    return Lease(name, object_type, token, now, [_claim(vault, row, now) for row in chosen])


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


def _crashes(row: Any) -> int:
    """Return how often in a row its worker vanished; a lease still there has ended by itself."""
    crashes: int = row.crashes + (row.lease_token is not None)
    return crashes


def _together(due: Sequence[Any]) -> tuple[Sequence[Any], int]:
    """Return which of the links that are due are leased in one, and the crashes to note of them."""
    if not due:
        return due, 0
    number = _crashes(due[0])
    if number < CRASHES_OF_A_SUSPECT:
        alike = [row for row in due if _crashes(row) == number]
        return alike[:LINKS_AFTER_ONE_CRASH] if number else alike, number
    suspects = [row for row in due if _crashes(row) >= CRASHES_OF_A_SUSPECT]
    if len(suspects) > LINKS_AFTER_ONE_CRASH:
        # The crashes of a crowd are not held against any of it.
        return suspects[:LINKS_AFTER_ONE_CRASH], CRASHES_OF_A_SUSPECT
    return due[:1], number


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
