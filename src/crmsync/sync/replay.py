"""Sending again what failed: choosing it by run, cause or person, and making it due.

A cause has a short id of its own, the same on every machine, so that it can be named in a command.
What is made due is sent by whoever pushes next, through the same gates as anything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection

from crmsync.model import ProfileId, RunId
from crmsync.store import failed_links, runs, state
from crmsync.store.failed_links import FailedLink
from crmsync.store.links import LinkState
from crmsync.store.runs import FailureGroup
from crmsync.sync.context import Works

ID_LENGTH = 6
"""Hexadecimal digits of a cause's id: some dozens of causes never collide."""


def failure_groups(works: Works) -> list[tuple[str, FailureGroup]]:
    """Return what fails now by cause, each with its id, the most frequent first."""
    with works.store.database.read() as connection:
        groups = runs.failures(connection, works.store.vault)
    return [(_id(g.sync, g.error_class, g.code, g.field, dead=g.dead), g) for g in groups]


def choose(
    works: Works,
    *,
    run_id: RunId | None = None,
    group: str | None = None,
    profile_id: ProfileId | None = None,
    dead_only: bool = False,
) -> list[FailedLink]:
    """Return the links that fail now and meet what is asked; everything left out matches all."""
    with works.store.database.read() as connection:
        found = failed_links.failed_links(connection, profile_id=profile_id, run_id=run_id)
        names = _sync_names(connection)
    if dead_only:
        found = [link for link in found if link.state == LinkState.DEAD]
    if group is not None:
        found = [link for link in found if _id_of(link, names) == group]
    return found


def replay(works: Works, chosen: Sequence[FailedLink]) -> None:
    """Make links due now and wake the workers."""
    database = works.store.database
    ids = [link.link_id for link in chosen]
    database.transact(
        lambda connection: failed_links.revive(connection, ids, database.now(connection))
    )
    for name in sorted({link.connection for link in chosen}):
        works.ring(name)


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
