"""The inbox and history of events, and the history of traits.

A message id is taken once per source: a repeated event changes nothing for as long as it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmsync.identity.state import Touched
from crmsync.model import Event, ProfileId
from crmsync.store import bulk
from crmsync.store.tables import changes, events
from crmsync.store.vault import Vault


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it is kept."""

    source: str
    message_id: str
    type: str
    name: str | None
    at: datetime
    content: Mapping[str, Any]
    """`traits`, `properties` and `context`, those that are not empty."""


@dataclass(frozen=True, slots=True)
class StoredChange:
    """What one fold changed of a profile's traits."""

    profile_id: ProfileId
    version: int
    at: datetime
    traits: Mapping[str, Any]
    """By trait: [old, new, origin, message id]."""


def seen(connection: Connection, batch: Sequence[Event]) -> dict[tuple[str, str], bytes]:
    """Return the body hash of each event of the batch that was taken before."""
    found: dict[tuple[str, str], bytes] = {}
    by_source: dict[str, list[str]] = {}
    for event in batch:
        by_source.setdefault(event.source, []).append(event.message_id)
    for source, ids in by_source.items():
        rows = connection.execute(
            select(events.c.message_id, events.c.body_sha256).where(
                events.c.source == source, bulk.among(connection, events.c.message_id, ids)
            )
        )
        found |= {(source, message_id): digest for message_id, digest in rows}
    return found


def append(
    connection: Connection,
    vault: Vault,
    batch: Sequence[Event],
    owners: Sequence[ProfileId | None],
    received_at: datetime,
) -> None:
    """Keep events with the profile each is about."""
    rows = [
        {
            "source": event.source,
            "message_id": event.message_id,
            "body_sha256": event.body_sha256,
            "profile_id": owner,
            "type": event.type,
            "name": event.name,
            "at": event.at,
            "received_at": received_at,
            "sealed": vault.seal(_content(event), _context(event.source, event.message_id)),
        }
        for event, owner in zip(batch, owners, strict=True)
    ]
    bulk.insert(connection, events, rows)


def record_changes(
    connection: Connection, vault: Vault, touched: Sequence[Touched], now: datetime
) -> None:
    """Keep what changed of each profile, so that every trait can be explained."""
    bulk.insert(
        connection,
        changes,
        [
            {
                "profile_id": one.profile.id,
                "version": one.profile.version,
                "at": now,
                "sealed": vault.seal(orjson.dumps(_traits(one)), f"changes:{one.profile.id}"),
            }
            for one in touched
        ],
    )


def history(
    connection: Connection, vault: Vault, profile_id: ProfileId, limit: int = 200
) -> list[StoredEvent]:
    """Return a profile's events, newest first."""
    rows = connection.execute(
        select(events)
        .where(events.c.profile_id == profile_id)
        .order_by(events.c.at.desc(), events.c.id.desc())
        .limit(limit)
    )
    return [_stored(vault, row) for row in rows]


def find(connection: Connection, vault: Vault, source: str, message_id: str) -> StoredEvent | None:
    """Return one event, unless it is no longer kept."""
    row = connection.execute(
        select(events).where(events.c.source == source, events.c.message_id == message_id)
    ).first()
    return _stored(vault, row) if row else None


def changes_of(
    connection: Connection, vault: Vault, profile_id: ProfileId, limit: int = 1_000
) -> list[StoredChange]:
    """Return what changed of a profile's traits, newest first."""
    rows = connection.execute(
        select(changes)
        .where(changes.c.profile_id == profile_id)
        .order_by(changes.c.version.desc(), changes.c.id.desc())
        .limit(limit)
    )
    return [
        StoredChange(
            row.profile_id,
            row.version,
            row.at,
            orjson.loads(vault.open(row.sealed, f"changes:{row.profile_id}")),
        )
        for row in rows
    ]


def _stored(vault: Vault, row: Any) -> StoredEvent:
    return StoredEvent(
        source=row.source,
        message_id=row.message_id,
        type=row.type,
        name=row.name,
        at=row.at,
        content=orjson.loads(vault.open(row.sealed, _context(row.source, row.message_id))),
    )


def _content(event: Event) -> bytes:
    parts = {"traits": event.traits, "properties": event.properties, "context": event.context}
    return orjson.dumps({name: part for name, part in parts.items() if part})


def _context(source: str, message_id: str) -> str:
    return f"events:{source}:{message_id}"


def _traits(touched: Touched) -> dict[str, Any]:
    return {c.trait: [c.old, c.new, c.source.origin, c.source.message_id] for c in touched.changes}
