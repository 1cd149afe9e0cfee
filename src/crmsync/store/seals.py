"""Samples of what lies encrypted in the database, to see whether the keys at hand open it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, select

from crmsync.errors import SealBroken
from crmsync.store.links import snapshot_context
from crmsync.store.tables import events, links, oauth_tokens, sync_log
from crmsync.store.vault import Vault


@dataclass(frozen=True, slots=True)
class _Kept:
    """One kind of encrypted content."""

    what: str
    table: Table
    sealed: Column[Any]
    order: Column[Any]
    context: Callable[[Any], str]


KEPT = (
    _Kept(
        "tokens",
        oauth_tokens,
        oauth_tokens.c.sealed,
        oauth_tokens.c.connection,
        lambda row: f"oauth_tokens:{row.connection}:tokens",
    ),
    _Kept(
        "events",
        events,
        events.c.sealed,
        events.c.id,
        lambda row: f"events:{row.source}:{row.message_id}",
    ),
    _Kept(
        "snapshots",
        links,
        links.c.snapshot_sealed,
        links.c.id,
        lambda row: snapshot_context(row.id),
    ),
    _Kept("log", sync_log, sync_log.c.sealed, sync_log.c.id, lambda row: f"sync_log:{row.link_id}"),
)
"""Each kind, with the context that its ciphertext is bound to (`tables`)."""
SAMPLES = 20
"""Of the oldest and of the newest: keys rotate with time."""


def unreadable(connection: Connection, vault: Vault) -> list[str]:
    """Return what of each kind, among the oldest and the newest, no key opens."""
    return [
        kept.what
        for kept in KEPT
        if not all(_opens(vault, kept, row) for row in _samples(connection, kept))
    ]


def _samples(connection: Connection, kept: _Kept) -> Iterator[Any]:
    some = select(kept.table).where(kept.sealed.is_not(None)).limit(SAMPLES)
    yield from connection.execute(some.order_by(kept.order))
    yield from connection.execute(some.order_by(kept.order.desc()))


def _opens(vault: Vault, kept: _Kept, row: Any) -> bool:
    try:
        vault.open(getattr(row, kept.sealed.name), kept.context(row))
    except SealBroken:
        return False
    return True
