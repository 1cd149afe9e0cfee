"""Records to read soon: a CRM's webhook told of them, or what is known of them may be stale.

One row per record, however often it was told of: a storm of webhooks is one read each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    delete,
    func,
    literal,
    select,
    update,
)

from crmsync.model import CrmId, Hint
from crmsync.store import bulk
from crmsync.store.tables import Instant, hints, hook_events

REPEATED_WITHIN = timedelta(days=2)
"""How long a delivery is remembered: vendors repeat one for a day at most."""


@dataclass(frozen=True, slots=True)
class ToRead:
    """A record to read."""

    object_type: str
    crm_id: CrmId
    told: int
    successor: CrmId | None = None
    """The record that it was merged into, where only a webhook says so."""
    until: datetime | None = None
    """Until when nobody else reads it."""


def take(
    connection: Connection, name: str, told: Sequence[Hint], due: datetime, now: datetime
) -> int:
    """Note what a delivery told of, unless it was told before; return how many are new."""
    connection.execute(
        delete(hook_events).where(
            hook_events.c.connection == name, hook_events.c.received_at < now - REPEATED_WITHIN
        )
    )
    keys = {hint.key for hint in told}
    seen = set(
        connection.execute(
            select(hook_events.c.key).where(
                hook_events.c.connection == name, bulk.among(connection, hook_events.c.key, keys)
            )
        ).scalars()
    )
    fresh = {hint.key: hint for hint in told if hint.key not in seen}
    rows = [{"connection": name, "key": key, "received_at": now} for key in fresh]
    bulk.insert(connection, hook_events, rows, or_ignore=True)
    ask(connection, name, {(h.object_type, h.crm_id) for h in fresh.values()}, due)
    merged = [h for h in fresh.values() if h.successor is not None]
    name_successors(connection, name, {(h.object_type, h.crm_id): h.successor for h in merged})
    return len(fresh)


def ask(
    connection: Connection, name: str, records: Collection[tuple[str, CrmId]], due: datetime
) -> None:
    """Have records read at a moment; one that is to be read sooner already keeps its own."""
    by_type: dict[str, list[CrmId]] = {}
    for object_type, crm_id in sorted(records):
        by_type.setdefault(object_type, []).append(crm_id)
    for object_type, ids in by_type.items():
        connection.execute(
            update(hints)
            .where(
                hints.c.connection == name,
                hints.c.object_type == object_type,
                bulk.among(connection, hints.c.crm_id, ids),
            )
            .values(
                told=hints.c.told + 1,
                due_at=case((hints.c.due_at > due, literal(due, Instant())), else_=hints.c.due_at),
            )
        )
        place = {"connection": name, "object_type": object_type}
        rows = [{**place, "crm_id": crm_id, "due_at": due, "told": 1} for crm_id in ids]
        bulk.insert(connection, hints, rows, or_ignore=True)


def name_successors(
    connection: Connection, name: str, of: Mapping[tuple[str, CrmId], CrmId | None]
) -> None:
    """Note of records that are to be read which others they were merged into."""
    for (object_type, crm_id), successor in of.items():
        change = update(hints).where(
            hints.c.connection == name,
            hints.c.object_type == object_type,
            hints.c.crm_id == crm_id,
        )
        connection.execute(change.values(successor=successor))


def claim(  # noqa: PLR0913 - a claim is all of these
    connection: Connection,
    name: str,
    object_type: str,
    now: datetime,
    *,
    until: datetime,
    limit: int,
) -> list[ToRead]:
    """Take records of one type that are to be read now, the longest waiting first.

    Nobody else takes them before `until`, when they are due again if they were not read.
    """
    rows = connection.execute(
        select(hints.c.object_type, hints.c.crm_id, hints.c.told, hints.c.successor)
        .where(
            hints.c.connection == name, hints.c.object_type == object_type, hints.c.due_at <= now
        )
        .order_by(hints.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    taken = [ToRead(*row, until=until) for row in rows]
    connection.execute(
        update(hints)
        .where(
            hints.c.connection == name,
            hints.c.object_type == object_type,
            bulk.among(connection, hints.c.crm_id, [one.crm_id for one in taken]),
        )
        .values(due_at=until)
    )
    return taken


def done(connection: Connection, name: str, read: Sequence[ToRead], now: datetime) -> None:
    """Forget records that were read, unless they were told of again meanwhile.

    One that somebody else has read since is read once more: which of the two read the later value
    is not known, and a worker that was asleep takes the older one last.
    """
    by_type: dict[str, list[ToRead]] = {}
    for one in read:
        by_type.setdefault(one.object_type, []).append(one)
    for object_type, some in by_type.items():
        ids = [one.crm_id for one in some]
        asked = (
            hints.c.connection == name,
            hints.c.object_type == object_type,
            bulk.among(connection, hints.c.crm_id, ids),
        )
        gone = _gone(connection, asked, ids)
        for told, until in {(one.told, one.until) for one in some}:
            connection.execute(
                delete(hints).where(*asked, hints.c.told == told, hints.c.due_at == until)
            )
        ask(connection, name, {(object_type, crm_id) for crm_id in gone}, now)


def next_due(connection: Connection, name: str, object_types: Collection[str]) -> datetime | None:
    """Return when the next record of these types is to be read."""
    moment: datetime | None = connection.execute(
        select(func.min(hints.c.due_at)).where(
            hints.c.connection == name, hints.c.object_type.in_(object_types)
        )
    ).scalar()
    return moment


def _gone(
    connection: Connection, asked: Sequence[ColumnElement[bool]], ids: Sequence[CrmId]
) -> set[CrmId]:
    """Return which records are not to be read any more: somebody else has."""
    there = connection.execute(select(hints.c.crm_id).where(*asked).with_for_update())
    return set(ids) - set(there.scalars())
