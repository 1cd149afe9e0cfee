"""What is known about connections and syncs between runs: pauses, budgets, mapping versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from crmsync.model import ProfileId
from crmsync.store import bulk
from crmsync.store.tables import connections, syncs


@dataclass(frozen=True, slots=True)
class Pause:
    """A connection that nobody may call for now, and why."""

    connection: str
    until: datetime
    cause: str
    message: str


@dataclass(frozen=True, slots=True)
class SyncState:
    """What was last done with a mapping."""

    name: str
    connection: str
    object_type: str
    mapping_hash: str | None
    marking_after: ProfileId | None
    """Where marking the links of a changed mapping goes on; None when it is done."""
    paused_at: datetime | None
    rests_until: datetime | None = None
    """It does not fit the CRM as it is: tried again then, or when it changes."""
    rest_message: str | None = None
    paused_why: str | None = None
    """Why, where it was not a person who paused it."""
    held_at: datetime | None = None
    held: dict[str, Any] | None = None
    """What its next run would do to too many records; read by `holds`."""
    let_through: dict[str, Any] | None = None
    """What of that a person has allowed."""


_KNOWN = select(*(syncs.c[field.name] for field in fields(SyncState)))


def pause(connection: Connection, name: str, until: datetime, cause: str, message: str) -> bool:
    """Keep everybody from calling a connection until a moment; the later of two pauses holds.

    Tells whether the cause is news: not what it rested for the last time, with nothing done since.
    """
    _ensure_connection(connection, name)
    before = connection.execute(
        select(connections.c.cause).where(connections.c.name == name).with_for_update()
    ).scalar_one()
    connection.execute(
        update(connections)
        .where(
            connections.c.name == name,
            connections.c.paused_until.is_(None) | (connections.c.paused_until < until),
        )
        .values(paused_until=until, cause=cause, message=message)
    )
    return bool(before != cause)


def count_miss(connection: Connection, name: str) -> int:
    """Count that a connection could not be reached; return how often in a row it was not."""
    _ensure_connection(connection, name)
    connection.execute(
        update(connections)
        .where(connections.c.name == name)
        .values(misses=connections.c.misses + 1)
    )
    misses: int = connection.execute(
        select(connections.c.misses).where(connections.c.name == name)
    ).scalar_one()
    return misses


def is_doubtful(connection: Connection, name: str) -> bool:
    """Whether a connection could not be reached the last time."""
    misses = connection.execute(
        select(connections.c.misses).where(connections.c.name == name)
    ).scalar()
    return bool(misses)


def reached(connection: Connection, name: str, now: datetime) -> None:
    """Record that a connection does what it is asked: whatever it rested for is over."""
    connection.execute(
        update(connections)
        .where(connections.c.name == name, connections.c.misses > 0)
        .values(misses=0)
    )
    connection.execute(
        update(connections)
        .where(
            connections.c.name == name,
            connections.c.cause.is_not(None),
            connections.c.paused_until <= now,
        )
        .values(paused_until=None, cause=None, message=None)
    )


def rest_sync(connection: Connection, sync: SyncState, until: datetime, message: str) -> None:
    """Keep the workers from a sync until a moment, or until its mapping changes."""
    bulk.insert(connection, syncs, [asdict(sync)], or_ignore=True)
    connection.execute(
        update(syncs)
        .where(syncs.c.name == sync.name)
        .values(rests_until=until, rest_message=message)
    )


def resume(connection: Connection, name: str) -> None:
    """End a connection's pause, and the rest of its syncs."""
    connection.execute(
        update(syncs).where(syncs.c.connection == name).values(rests_until=None, rest_message=None)
    )
    connection.execute(
        update(connections)
        .where(connections.c.name == name)
        .values(paused_until=None, cause=None, message=None, backfill_from=None)
    )


def find_pause(connection: Connection, name: str, now: datetime) -> Pause | None:
    """Return the pause a connection is in now, if it is in one."""
    row = connection.execute(
        select(connections).where(connections.c.name == name, connections.c.paused_until > now)
    ).first()
    return Pause(name, row.paused_until, row.cause or "", row.message or "") if row else None


def hold_backfill(connection: Connection, name: str, until: datetime) -> None:
    """Keep the workers from a connection's backfill until a moment."""
    _ensure_connection(connection, name)
    connection.execute(
        update(connections).where(connections.c.name == name).values(backfill_from=until)
    )


def backfill_hold(connection: Connection, name: str, now: datetime) -> datetime | None:
    """Return until when a connection's backfill waits, if it does."""
    until: datetime | None = connection.execute(
        select(connections.c.backfill_from).where(
            connections.c.name == name, connections.c.backfill_from > now
        )
    ).scalar()
    return until


def find_throttle(connection: Connection, name: str) -> dict[str, object]:
    """Return the stored state of a connection's throttle, locked until the transaction ends."""
    _ensure_connection(connection, name)
    state = connection.execute(
        select(connections.c.throttle).where(connections.c.name == name).with_for_update()
    ).scalar_one()
    return state or {}


def save_throttle(connection: Connection, name: str, state: dict[str, object]) -> None:
    """Store the state of a connection's throttle."""
    connection.execute(update(connections).where(connections.c.name == name).values(throttle=state))


def list_syncs(connection: Connection) -> dict[str, SyncState]:
    """Return what is known of every sync, by name."""
    return {row.name: SyncState(*row) for row in connection.execute(_KNOWN)}


def lock_sync(connection: Connection, name: str) -> SyncState | None:
    """Return what is known of a sync, locked for the rest of the transaction."""
    row = connection.execute(_KNOWN.where(syncs.c.name == name).with_for_update()).first()
    return SyncState(*row) if row else None


def start_marking(connection: Connection, state: SyncState) -> None:
    """Record that a mapping is new or changed and its links are to be marked from the first."""
    connection.execute(
        delete(syncs).where(
            (syncs.c.name == state.name)
            | (
                (syncs.c.connection == state.connection)
                & (syncs.c.object_type == state.object_type)
            )
        )
    )
    bulk.insert(connection, syncs, [asdict(state)])


def marked_up_to(connection: Connection, name: str, after: ProfileId | None) -> None:
    """Record up to which profile the links of a changed mapping are marked; None: all."""
    connection.execute(update(syncs).where(syncs.c.name == name).values(marking_after=after))


def set_paused(
    connection: Connection, name: str, at: datetime | None, why: str | None = None
) -> None:
    """Pause a sync, or resume it with None; `why` says what else than a person's word did it."""
    connection.execute(
        update(syncs).where(syncs.c.name == name).values(paused_at=at, paused_why=why)
    )


def list_pauses(connection: Connection, now: datetime) -> Sequence[Pause]:
    """Return every connection that is paused now."""
    rows = connection.execute(select(connections).where(connections.c.paused_until > now))
    return [Pause(r.name, r.paused_until, r.cause or "", r.message or "") for r in rows]


def _ensure_connection(connection: Connection, name: str) -> None:
    bulk.insert(connection, connections, [{"name": name}], or_ignore=True)
