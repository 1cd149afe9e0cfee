"""Sending again what failed or was left alone: choosing it by run, cause or person.

A cause has a short id of its own, the same on every machine, so that it can be named in a command.
What is made due is sent by whoever pushes next, through the same gates as anything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from crmsync.model import ProfileId, RunId
from crmsync.store import failed_links, failing, hints, link_records, state
from crmsync.store.failed_links import FailedLink
from crmsync.store.failing import FROZEN, FailureGroup
from crmsync.store.links import LinkState
from crmsync.sync.context import Works

NOTICED_WITHIN = timedelta(days=2)
"""How lately reading back came upon it: what is still so, the daily reading of everything notices
again."""
ID_LENGTH = 6
"""Hexadecimal digits of a cause's id: some dozens of causes never collide."""


def failure_groups(works: Works) -> list[tuple[str, FailureGroup]]:
    """Return what is wrong now by cause, each with its id: what fails, then what was noticed."""
    database, vault = works.store.database, works.store.vault
    with database.read() as connection:
        since = database.now(connection) - NOTICED_WITHIN
        groups = [
            *failing.failing(connection, vault),
            *failing.frozen(connection, vault),
            *failing.doubled(connection, vault),
            *failing.noticed(connection, vault, since),
        ]
    return [(_id(g.sync, g.error_class, g.code, g.field, dead=g.dead), g) for g in groups]


def choose(
    works: Works,
    *,
    run_id: RunId | None = None,
    group: str | None = None,
    profile_id: ProfileId | None = None,
    dead_only: bool = False,
) -> list[FailedLink]:
    """Return the links that fail now and meet what is asked; everything left out matches all.

    Frozen fields are among them for a cause or a profile, deleted records for a profile alone.
    """
    with works.store.database.read() as connection:
        found = failed_links.failed_links(connection, profile_id=profile_id, run_id=run_id)
        if group is not None or profile_id is not None:
            found += failed_links.frozen_links(connection, profile_id=profile_id)
        names = _sync_names(connection)
    if dead_only:
        found = [link for link in found if link.state == LinkState.DEAD]
    if group is not None:
        found = [link for link in found if _id_of(link, names) == group]
    return found


def replay(works: Works, chosen: Sequence[FailedLink]) -> None:
    """Make links due now and wake the workers: deleted records are made again, fields thaw.

    A record with a field that thaws is read first: what it holds may have changed meanwhile.
    """
    works.store.database.transact(lambda connection: _revive(works, connection, chosen))
    for name in sorted({link.connection for link in chosen}):
        works.ring(name)


def _revive(works: Works, connection: Connection, chosen: Sequence[FailedLink]) -> None:
    now = works.store.database.now(connection)
    deleted = [link.link_id for link in chosen if link.is_deleted]
    failed_links.make_again(connection, deleted, now)
    failed_links.revive(connection, [link.link_id for link in chosen], now)
    stiff = [link for link in chosen if link.state == FROZEN]
    link_records.thaw(connection, [link.link_id for link in stiff])
    reading = {(m.connection, m.object_type) for m in works.configuration.mappings if m.pulls}
    for link in stiff:
        if (link.connection, link.object_type) in reading and link.crm_id is not None:
            hints.ask(connection, link.connection, {(link.object_type, link.crm_id)}, now)


def _sync_names(connection: Connection) -> dict[tuple[str, str], str]:
    known = state.list_syncs(connection).values()
    return {(sync.connection, sync.object_type): sync.name for sync in known}


def _id_of(link: FailedLink, names: dict[tuple[str, str], str]) -> str:
    sync = names.get((link.connection, link.object_type), f"{link.connection}/{link.object_type}")
    dead = link.state == LinkState.DEAD
    return _id(sync, link.error_class, link.code, link.field, dead=dead)


def _id(sync: str, error_class: str, code: str, field: str | None, *, dead: bool) -> str:
    cause = "\n".join((sync, error_class, code, field or "", str(dead)))
    return hashlib.sha256(cause.encode()).hexdigest()[:ID_LENGTH]
