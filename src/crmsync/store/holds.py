"""Syncs that are held, because their next run would change more than their guard allows.

What is kept of it are counts, names of fields and ids of profiles: no values. `sync.guard` judges.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, case, exists, func, select, update

from crmsync.model import ProfileId, RunId, RunTrigger
from crmsync.store import bulk
from crmsync.store.leases import Lease
from crmsync.store.links import PRIORITIES, LinkState
from crmsync.store.state import SyncState
from crmsync.store.tables import links, runs, syncs


@dataclass(frozen=True, slots=True)
class Hold:
    """What the next run of a sync would do, and what it was judged by."""

    harm: str
    """`cleared` or `changed`."""
    records: int
    """How many it would harm, with what was done of it already."""
    linked: int
    """Of how many."""
    is_estimate: bool
    """Whether more is due than was looked at."""
    share: float
    """What is allowed."""
    fields: Sequence[tuple[str, int]]
    """In how many of the records looked at, by CRM field; the most first."""
    examples: Sequence[tuple[ProfileId, str]]
    """A few profiles, with one field each."""
    terms: str
    """The guard that it was judged by: under another one it is judged anew."""

    @property
    def message(self) -> str:
        """What a person is told; no values."""
        verb = "clear" if self.harm == "cleared" else "change"
        (first, _), *others = self.fields
        more = f" and {len(others)} more" if others else ""
        about = "about " if self.is_estimate else ""
        return (
            f"would {verb} `{first}`{more} in {about}{self.records:,} of {self.linked:,} records "
            f"({_percent(self.records / self.linked)}), more than the {_percent(self.share)} of "
            f"`guard.{self.harm}`"
        )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def of(known: SyncState | None) -> Hold | None:
    """Return why a sync is held, where it is."""
    return Hold(**known.held) if known is not None and known.held is not None else None


def is_stopped(connection: Connection, sync: str, terms: str) -> bool:
    """Whether the workers are to leave a sync alone: paused, or held by a guard of these terms."""
    row = connection.execute(
        select(syncs.c.paused_at, syncs.c.held).where(syncs.c.name == sync)
    ).first()
    return row is not None and (row.paused_at is not None or is_held(row.held, terms))


def is_held(held: Mapping[str, object] | None, terms: str) -> bool:
    """Whether what is kept of a sync holds it under these terms."""
    return held is not None and held["terms"] == terms


def hold(connection: Connection, sync: SyncState, why: Hold, now: datetime) -> bool:
    """Hold a sync; return whether nobody has done so under these terms before."""
    bulk.insert(connection, syncs, [asdict(sync)], or_ignore=True)
    ours = syncs.c.name == sync.name
    before = connection.execute(select(syncs.c.held).where(ours).with_for_update()).scalar()
    connection.execute(update(syncs).where(ours).values(held=asdict(why), held_at=now))
    return not is_held(before, why.terms)


def judge_anew(connection: Connection, sync: str) -> None:
    """Let a held sync go on until its guard finds the same again."""
    connection.execute(update(syncs).where(syncs.c.name == sync).values(held=None, held_at=None))


def let_through(connection: Connection, sync: str) -> None:
    """Allow what a sync is held for, field by field, until it is at rest or its mapping changes."""
    row = connection.execute(
        select(syncs.c.held, syncs.c.let_through).where(syncs.c.name == sync).with_for_update()
    ).first()
    if row is None or row.held is None:
        return
    allowed: dict[str, list[str]] = dict(row.let_through or {})
    harm = row.held["harm"]
    allowed[harm] = sorted({*allowed.get(harm, ()), *(name for name, _ in row.held["fields"])})
    connection.execute(
        update(syncs)
        .where(syncs.c.name == sync)
        .values(held=None, held_at=None, let_through=allowed)
    )


def allowed(connection: Connection, sync: str) -> Mapping[str, Collection[str]]:
    """Return the fields that were let through, by harm."""
    kept = connection.execute(select(syncs.c.let_through).where(syncs.c.name == sync)).scalar()
    return kept or {}


def come_to_rest(connection: Connection, sync: str, name: str, object_type: str) -> None:
    """Forget what was let through once nothing of a sync is under way or due any more.

    What its runs did under it is forgotten too: it is not held against what comes after.
    """
    is_busy = exists().where(
        links.c.connection == name,
        links.c.object_type == object_type,
        links.c.priority.in_(PRIORITIES),
        links.c.wake_at.is_not(None),
        links.c.due_at.is_not(None) | links.c.lease_token.is_not(None),
    )
    result = connection.execute(
        update(syncs)
        .where(syncs.c.name == sync, syncs.c.let_through.is_not(None), ~is_busy)
        .values(let_through=None)
    )
    if result.rowcount:
        connection.execute(
            update(runs)
            .where(runs.c.sync == sync, (runs.c.cleared > 0) | (runs.c.changed > 0))
            .values(cleared=0, changed=0)
        )


# --- what a guard counts ----------------------------------------------------------------------


def done(connection: Connection, ids: Collection[RunId], harm: str, *, backfill_only: bool) -> int:
    """Return how many records runs have harmed so far."""
    query = select(func.coalesce(func.sum(runs.c[harm]), 0)).where(
        bulk.among(connection, runs.c.id, ids)
    )
    if backfill_only:
        query = query.where(runs.c.trigger == RunTrigger.BACKFILL)
    count: int = connection.execute(query).scalar_one()
    return count


def ahead(
    connection: Connection, lease: Lease, priority: int, now: datetime, until: datetime
) -> tuple[int, int]:
    """Return how many links are due or others' by now: with a record, and without one yet.

    `lease` is ours and left out; `until` is when the latest lease ends.
    """
    every, linked = connection.execute(
        select(func.count(), func.count(links.c.crm_id)).where(
            links.c.connection == lease.connection,
            links.c.object_type == lease.object_type,
            links.c.priority == priority,
            links.c.wake_at <= until,
            case(
                (links.c.lease_token.is_(None), links.c.wake_at <= now),
                else_=links.c.lease_token != lease.token,
            ),
            links.c.desired_version > links.c.acked_version,
            links.c.state == LinkState.ACTIVE,
        )
    ).one()
    return linked, every - linked


def linked(connection: Connection, name: str, object_type: str, at_most: int) -> int:
    """Return how many records a sync is linked to; counted no further than a limit."""
    some = (
        select(links.c.id)
        .where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.crm_id.is_not(None),
        )
        .limit(at_most)
        .subquery()
    )
    count: int = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return count
