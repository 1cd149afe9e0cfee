"""Settling: one fenced commit that records what became of claimed links.

The link takes the version that was sent, the snapshot the CRM now holds and whatever is still owed;
the sync log takes one entry per operation; the run takes the counts. A worker that lost its lease
leaves the link's version alone and only asks for the record to be verified, since what it wrote may
have to be repaired by the new owner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmsync.model import CrmId, Failure, LinkId, Outcome, RunId, Value
from crmsync.planning.changes import cleared, overwritten
from crmsync.store import bulk, runs
from crmsync.store.leases import Claim, Lease
from crmsync.store.links import LinkState, earliest, latest, owners_of, snapshot_context
from crmsync.store.tables import links, sync_log
from crmsync.store.vault import Vault

SENT = frozenset({Outcome.SUCCEEDED, Outcome.UNKNOWN})
"""What may have changed the record."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one claimed link."""

    claim: Claim
    run_id: RunId
    action: str
    outcome: Outcome
    acked: bool = False
    """The record now holds the desired version that was claimed."""
    crm_id: CrmId | None = None
    snapshot: dict[str, Value] | None = None
    """What the record is now known to hold; None when that is what it was before."""
    changes: dict[str, tuple[Value, Value]] = field(default_factory=dict)
    """What was sent, old and new by CRM field."""
    failure: Failure | None = None
    was_sent: bool = True
    """False where the call was not even begun: nothing to tell in the log."""
    error_class: str | None = None
    attempts: int = 0
    state: LinkState = LinkState.ACTIVE
    due_at: datetime | None = None
    """When to try again, for what is not acknowledged."""
    verify_at: datetime | None = None
    """When to read the record, where the outcome is not certain."""
    create_intent_at: datetime | None = None
    successor: CrmId | None = None
    """Of a converted lead: the contact that it became, where the CRM says."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a commit of settlements came to."""

    counts: Counter[str]
    """By the count of the run that each adds to."""
    fenced: int
    """How many came too late: somebody else has taken the links over."""


def settle(  # noqa: PLR0913 - one commit; each is a part of it
    connection: Connection,
    vault: Vault,
    lease: Lease,
    settlements: Sequence[Settlement],
    *,
    now: datetime,
    verify_late_at: datetime,
    calls: int = 0,
) -> Settled:
    """Record settlements of one lease and return what they came to.

    `verify_late_at` is when to verify the links that a newer owner holds by now.
    """
    held = _held(connection, lease, [s.claim.link_id for s in settlements])
    mine, overwritten = _one_link_per_record(
        connection, lease, [s for s in settlements if s.claim.link_id in held]
    )
    late = [s for s in settlements if s.claim.link_id not in held]
    done = [*mine, *late]
    bulk.update(connection, links, [_settled(vault, s, held[s.claim.link_id], now) for s in mine])
    ask_to_verify(connection, [*overwritten, *(s.claim.link_id for s in late)], verify_late_at)
    bulk.insert(
        connection,
        sync_log,
        [_entry(vault, s, now) for s in done if s.outcome is not Outcome.SKIPPED and s.was_sent],
    )
    return Settled(_count(connection, done, calls, now), len(late))


def give_back(connection: Connection, lease: Lease, verify_abandoned_at: datetime) -> None:
    """Undo a claim that nothing was sent for; what a vanished worker owed is still owed."""
    held = _held(connection, lease, [claim.link_id for claim in lease.claims])
    bulk.update(
        connection,
        links,
        [
            {
                "id": claim.link_id,
                "lease_token": None,
                "due_at": (due := earliest(held[claim.link_id].due_at, claim.due_at)),
                "verify_at": (
                    verify := latest(
                        held[claim.link_id].verify_at,
                        verify_abandoned_at if claim.abandoned else claim.verify_at,
                    )
                ),
                "wake_at": earliest(due, verify, claim.wake_at if claim.abandoned else None),
                "create_intent_at": claim.last_intent_at,
            }
            for claim in lease.claims
            if claim.link_id in held
        ],
    )


def _held(connection: Connection, lease: Lease, ids: Sequence[int]) -> dict[int, Any]:
    rows = connection.execute(
        select(
            links.c.id,
            links.c.desired_version,
            links.c.due_at,
            links.c.verify_at,
            links.c.written_at,
            links.c.state,
        )
        .where(links.c.lease_token == lease.token, bulk.among(connection, links.c.id, ids))
        .order_by(links.c.id)
        .with_for_update()
    )
    return {row.id: row for row in rows.all()}


def _one_link_per_record(
    connection: Connection, lease: Lease, settlements: Sequence[Settlement]
) -> tuple[list[Settlement], list[LinkId]]:
    """Keep two profiles from holding one record: the later one waits for a person's decision.

    Return also the links whose record was written to for another profile.
    """
    found = [s.crm_id for s in settlements if s.crm_id and s.crm_id != s.claim.crm_id]
    if not found:
        return list(settlements), []
    owners = owners_of(connection, lease.connection, lease.object_type, found)
    kept = []
    overwritten = []
    for s in settlements:
        is_new = s.crm_id is not None and s.crm_id != s.claim.crm_id
        if is_new and s.crm_id in owners:
            kept.append(_conflict(s))
            overwritten.append(owners[s.crm_id])
        else:
            kept.append(s)
        if s.crm_id is not None:
            owners.setdefault(s.crm_id, s.claim.link_id)
    return kept, overwritten


ONE_PERSON = (
    "where both profiles are one person and at most one of them has a user id, send an alias with "
    "both ids. Where each has a user id of its own, which nothing joins, or they are two people,"
)
"""What to do about two profiles of one record; how the two are parted depends."""


def record_taken(crm_id: CrmId | None) -> Failure:
    """Return why a record cannot be written for a second profile."""
    return Failure(
        code="RECORD_TAKEN",
        message=f"record {crm_id} already belongs to another profile",
        hint=f"{ONE_PERSON} correct the match key that they share, then `crmsync replay`",
    )


def _conflict(s: Settlement) -> Settlement:
    return replace(
        s,
        outcome=Outcome.REJECTED,
        acked=False,
        crm_id=None,
        snapshot=None,
        error_class="conflict",
        failure=record_taken(s.crm_id),
        state=LinkState.CONFLICT,
    )


def _settled(vault: Vault, s: Settlement, row: Any, now: datetime) -> dict[str, Any]:
    claim = s.claim
    dirty = row.desired_version > (claim.desired_version if s.acked else claim.acked_version)
    marked_since = row.desired_version > claim.desired_version
    # Anything non-null in the row came after the claim, which cleared what it took over.
    due = earliest(row.due_at, s.due_at) if dirty else None
    # Reading too early would clear what is owed for the later of two writes.
    verify = latest(row.verify_at, s.verify_at)
    # Somebody may have taken it out of service while it was under way.
    state = LinkState(row.state) if row.state != LinkState.ACTIVE else s.state
    live = state is LinkState.ACTIVE or (state is LinkState.DEAD and marked_since)
    # Whoever turned out to have another's record has none: theirs was merged away, or never was.
    is_taken = s.state is LinkState.CONFLICT
    kept = None if is_taken else claim.snapshot_sealed
    return {
        "id": claim.link_id,
        "crm_id": None if is_taken else s.crm_id or claim.crm_id,
        "acked_version": claim.desired_version if s.acked else claim.acked_version,
        "snapshot_sealed": kept
        if s.snapshot is None
        else vault.seal(orjson.dumps(s.snapshot), snapshot_context(claim.link_id)),
        "written_at": now if s.outcome in SENT and s.was_sent else row.written_at,
        "due_at": due if live else None,
        # Kept also while nobody may write: what may have landed is read when the link is revived.
        "verify_at": verify,
        "wake_at": earliest(due, verify) if live else None,
        "lease_token": None,
        "attempts": s.attempts,
        "crashes": 0,
        "error_class": s.error_class,
        "error_code": s.failure.code if s.failure else None,
        "error_field": s.failure.field if s.failure else None,
        "create_intent_at": s.create_intent_at,
        "state": LinkState.ACTIVE if live else state,
    }


def ask_to_verify(connection: Connection, ids: Sequence[LinkId], verify_at: datetime) -> None:
    """Have records read again that somebody else wrote to."""
    if not ids:
        return
    rows = connection.execute(
        select(links.c.id, links.c.verify_at, links.c.wake_at, links.c.lease_token)
        .where(bulk.among(connection, links.c.id, ids), links.c.state == LinkState.ACTIVE)
        .order_by(links.c.id)
        .with_for_update()
    ).all()
    bulk.update(
        connection,
        links,
        [
            {
                "id": row.id,
                "verify_at": verify_at,
                "wake_at": row.wake_at if row.lease_token else earliest(row.wake_at, verify_at),
            }
            for row in rows
        ],
    )


def _entry(vault: Vault, s: Settlement, now: datetime) -> dict[str, Any]:
    claim, failure = s.claim, s.failure
    content: dict[str, Any] = {"fields": s.changes}
    if failure is not None:
        content |= {"message": failure.message, "hint": failure.hint, "excerpt": failure.excerpt}
    return {
        "run_id": s.run_id,
        "link_id": claim.link_id,
        "profile_id": claim.profile_id,
        "crm_id": s.crm_id or claim.crm_id,
        "action": s.action,
        "outcome": s.outcome,
        "error_class": s.error_class,
        "error_code": failure.code if failure else None,
        "error_field": failure.field if failure else None,
        "attempt": claim.attempts + 1,
        "at": now,
        "sealed": vault.seal(orjson.dumps(content), f"sync_log:{claim.link_id}"),
    }


def _count(
    connection: Connection, settlements: Sequence[Settlement], calls: int, now: datetime
) -> Counter[str]:
    """Add to the runs what the settlements came to; return it for all of them together."""
    by_run: dict[RunId, list[Settlement]] = {}
    for s in settlements:
        by_run.setdefault(s.run_id, []).append(s)
    total: Counter[str] = Counter()
    for run_id, some in by_run.items():
        counts = Counter(map(_column, some))
        total += counts
        runs.add(connection, run_id, counts + _harm(some), calls=calls, now=now)
        calls = 0  # a batch may serve several runs; its calls are counted once
    return total


def _harm(settlements: Sequence[Settlement]) -> Counter[str]:
    """Count the records in which values were lost: what the guard judges a run by."""
    written = [
        s.changes for s in settlements if s.outcome is Outcome.SUCCEEDED and s.action != "create"
    ]
    return Counter(
        cleared=sum(bool(cleared(changes)) for changes in written),
        changed=sum(bool(overwritten(changes)) for changes in written),
    )


def _column(s: Settlement) -> str:
    match s.outcome:
        case Outcome.SUCCEEDED:
            return "created" if s.action == "create" else "updated"
        case Outcome.SKIPPED:
            return "unchanged"
        case Outcome.REJECTED:
            return "failed"
        case Outcome.RETRY | Outcome.UNKNOWN:
            return "retried"
