"""Links while a person has a run undone: leased by id, and settled without being acknowledged.

Whether a link is dirty, dead or to be verified is as it was before: an undo says what a record
holds, and not what it should hold.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from crmsync.model import CrmId, Failure, LinkId, Outcome, ProfileId, RunId, Value
from crmsync.planning.changes import Change
from crmsync.store import bulk, runs
from crmsync.store.links import LinkState, earliest, latest, open_snapshot, snapshot_context
from crmsync.store.settlements import ask_to_verify
from crmsync.store.tables import links, sync_log
from crmsync.store.vault import Vault

ACTION = "undo"
ERROR_CLASS = "undo"


@dataclass(frozen=True, slots=True)
class Leased:
    """One link that an undo works on."""

    link_id: LinkId
    profile_id: ProfileId
    crm_id: CrmId | None
    state: LinkState
    snapshot: dict[str, Value]
    is_readable: bool
    """Whether the snapshot could be opened; if not, it stays for the push to read anew."""
    abandoned_at: datetime | None
    """When the lease of a worker that vanished ended: what that one sent may still be applied."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What one claim of an undo took."""

    token: str
    leased: Mapping[LinkId, Leased]
    busy: frozenset[LinkId]
    """A worker is at these."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one link's record, on its way into a commit."""

    leased: Leased
    changes: dict[str, Change] = field(default_factory=dict)
    """What is back, or was sent: by CRM field what it held, and what it holds again."""
    outcome: Outcome = Outcome.SUCCEEDED
    """Of what was sent, if anything was."""
    failure: Failure | None = None
    """Why that did not succeed."""
    left: Failure | None = None
    """Why something was left as it is."""
    is_removed: bool = False
    """The record was deleted, which the run had created."""


def claim(connection: Connection, vault: Vault, ids: Collection[LinkId], now: datetime,
          until: datetime) -> Lease:  # fmt: skip
    """Lease links for an undo, whatever is due of them; those that a worker has are left to it.

    What is dead stays as it is and needs no lease: nobody writes it.
    """
    rows = connection.execute(
        select(links)
        .where(bulk.among(connection, links.c.id, ids))
        .order_by(links.c.id)
        .with_for_update()
    ).all()
    busy = {row.id for row in rows if row.lease_token and row.wake_at > now}
    free = [row for row in rows if row.id not in busy]
    token = secrets.token_hex(16)
    active = [row.id for row in free if row.state == LinkState.ACTIVE]
    connection.execute(
        update(links)
        .where(bulk.among(connection, links.c.id, active))
        .values(lease_token=token, wake_at=until)
    )
    return Lease(token, {row.id: _leased(vault, row) for row in free}, frozenset(busy))


def settle(  # noqa: PLR0913 - one commit; each is a part of it
    connection: Connection,
    vault: Vault,
    lease: Lease,
    done: Sequence[Undone],
    run: RunId,
    *,
    calls: int,
    now: datetime,
    verify_at: datetime,
) -> None:
    """Record what records hold now, add it to the log and the run, and end the lease.

    Everything leased is given back. `verify_at`: when to read what is not certain.
    """
    by_link = {one.leased.link_id: one for one in done}
    rows = connection.execute(
        select(links)
        .where(bulk.among(connection, links.c.id, list(lease.leased)))
        .order_by(links.c.id)
        .with_for_update()
    ).all()
    ours = [row for row in rows if _is_ours(row, lease)]
    changed = [
        _settled(vault, row, lease.leased[row.id], by_link.get(row.id), now, verify_at)
        for row in ours
    ]
    bulk.update(connection, links, changed)
    lost = {row.id for row in rows} - {row.id for row in ours}
    written = [link for link in lost if link in by_link and by_link[link].changes]
    ask_to_verify(connection, written, verify_at)
    sent = [_entry(vault, one, run, now) for one in done if one.changes or one.failure]
    bulk.insert(connection, sync_log, sent)
    left = [_entry(vault, _as_left(one), run, now) for one in done if one.left]
    bulk.insert(connection, sync_log, left)
    counts = Counter(_column(one) for one in done)
    runs.add(connection, run, counts, calls=calls, now=now)


def _leased(vault: Vault, row: Any) -> Leased:
    snapshot, is_readable = open_snapshot(vault, row)
    return Leased(
        link_id=row.id,
        profile_id=row.profile_id,
        crm_id=row.crm_id,
        state=LinkState(row.state),
        snapshot=snapshot,
        is_readable=is_readable,
        abandoned_at=row.wake_at if row.lease_token else None,
    )


def _is_ours(row: Any, lease: Lease) -> bool:
    if lease.leased[row.id].state is LinkState.ACTIVE:
        return bool(row.lease_token == lease.token)
    return row.state != LinkState.ACTIVE and row.lease_token is None


def _settled(  # noqa: PLR0913, PLR0917 - see settle
    vault: Vault,
    row: Any,
    leased: Leased,
    undone: Undone | None,
    now: datetime,
    verify_at: datetime,
) -> dict[str, Any]:
    is_unsure = leased.abandoned_at is not None or (
        undone is not None and undone.outcome is Outcome.UNKNOWN
    )
    verify = latest(row.verify_at, verify_at) if is_unsure else row.verify_at
    wake = earliest(row.due_at, verify, leased.abandoned_at)
    return {
        "id": row.id,
        "crm_id": None if undone and undone.is_removed else row.crm_id,
        "snapshot_sealed": _snapshot(vault, row, leased, undone),
        "written_at": now if undone and undone.changes else row.written_at,
        "verify_at": verify,
        "wake_at": wake if row.state == LinkState.ACTIVE else row.wake_at,
        "lease_token": None,
    }


def _snapshot(vault: Vault, row: Any, leased: Leased, undone: Undone | None) -> bytes | None:
    kept: bytes | None = row.snapshot_sealed
    if undone is None or not leased.is_readable or undone.outcome is not Outcome.SUCCEEDED:
        return kept
    if undone.is_removed:
        return None
    known = leased.snapshot | {name: new for name, (_, new) in undone.changes.items()}
    return vault.seal(orjson.dumps(known), snapshot_context(row.id))


def _as_left(one: Undone) -> Undone:
    """Return what the log says of what was left: an entry of its own, beside what was put back."""
    return Undone(one.leased, outcome=Outcome.REJECTED, failure=one.left)


def _entry(vault: Vault, one: Undone, run: RunId, now: datetime) -> dict[str, Any]:
    leased, failure = one.leased, one.failure
    content: dict[str, Any] = {"fields": one.changes}
    if failure is not None:
        content |= {"message": failure.message, "hint": failure.hint, "excerpt": failure.excerpt}
    return {
        "run_id": run,
        "link_id": leased.link_id,
        "profile_id": leased.profile_id,
        "crm_id": leased.crm_id,
        "action": ACTION,
        "outcome": one.outcome,
        "error_class": ERROR_CLASS if failure else None,
        "error_code": failure.code if failure else None,
        "error_field": failure.field if failure else None,
        "attempt": 1,
        "at": now,
        "sealed": vault.seal(orjson.dumps(content), f"sync_log:{leased.link_id}"),
    }


def _column(one: Undone) -> str:
    if one.failure or one.left:
        return "failed"
    return "updated" if one.changes else "unchanged"
