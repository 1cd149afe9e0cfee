"""Links seen from the CRM's side: whose a record is, and what follows when somebody changed it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select

from crmsync.model import CrmId, LinkId, ProfileId, RunTrigger, Value
from crmsync.planning.reading import Flips
from crmsync.store import bulk
from crmsync.store.links import PRIORITY_LIVE, LinkState, earliest, open_snapshot, snapshot_context
from crmsync.store.tables import duplicates, field_flips, links
from crmsync.store.vault import Vault


@dataclass(slots=True)
class Linked:
    """A link, locked, as it stands; what is changed of it is saved by `save`."""

    link_id: LinkId
    profile_id: ProfileId
    crm_id: CrmId | None
    state: LinkState
    known: dict[str, Value]
    """What the record is known to hold."""
    is_busy: bool
    """A write is under way, or the push has yet to read what may have landed."""
    written_at: datetime | None
    row: Any = field(repr=False)
    is_known_anew: bool = False
    """`known` differs from what is stored."""
    to_write: bool = False
    """It has to be looked at by the push."""
    to_read: bool = False
    """Not before the record has been read."""
    error_class: str | None = None
    error_code: str | None = None


def owners(
    connection: Connection, name: str, object_type: str, crm_ids: Collection[CrmId]
) -> dict[CrmId, tuple[LinkId, ProfileId]]:
    """Return whose each record is, where it is anybody's."""
    rows = connection.execute(
        select(links.c.crm_id, links.c.id, links.c.profile_id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            bulk.among(connection, links.c.crm_id, crm_ids),
        )
    )
    return {CrmId(crm_id): (link, profile) for crm_id, link, profile in rows}


def of_people(
    connection: Connection, name: str, object_type: str, people: Collection[ProfileId]
) -> dict[ProfileId, CrmId]:
    """Return the record of each profile that has one, and still goes by it."""
    rows = connection.execute(
        select(links.c.profile_id, links.c.crm_id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            bulk.among(connection, links.c.profile_id, people),
            links.c.is_primary,
            links.c.crm_id.is_not(None),
            links.c.state.in_([LinkState.ACTIVE, LinkState.DEAD]),
        )
    )
    return {profile: CrmId(crm_id) for profile, crm_id in rows}


def undecided(
    connection: Connection, name: str, object_type: str, people: Collection[ProfileId]
) -> set[ProfileId]:
    """Return who may be about to get a record: nobody has looked at their link yet."""
    rows = connection.execute(
        select(links.c.profile_id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            bulk.among(connection, links.c.profile_id, people),
            links.c.is_primary,
            links.c.crm_id.is_(None),
            links.c.state == LinkState.ACTIVE,
            links.c.due_at.is_not(None) | links.c.lease_token.is_not(None),
        )
    )
    return set(rows.scalars())


def lock(connection: Connection, vault: Vault, ids: Collection[LinkId]) -> dict[LinkId, Linked]:
    """Return links locked in one order. Lock their profiles before, as `sync.ingest` does."""
    rows = connection.execute(
        select(links)
        .where(bulk.among(connection, links.c.id, ids))
        .order_by(links.c.id)
        .with_for_update()
    ).all()
    found = {}
    for row in rows:
        known, is_readable = open_snapshot(vault, row)
        found[row.id] = Linked(
            link_id=row.id,
            profile_id=row.profile_id,
            crm_id=row.crm_id,
            state=LinkState(row.state),
            known=known,
            is_busy=bool(row.lease_token or row.create_intent_at or _is_to_be_read(row))
            or not is_readable,
            written_at=row.written_at,
            row=row,
            error_class=row.error_class,
            error_code=row.error_code,
        )
    return found


def save(connection: Connection, vault: Vault, changed: Sequence[Linked], now: datetime) -> None:
    """Save what was changed of locked links."""
    bulk.update(connection, links, [_saved(vault, linked, now) for linked in changed])


def _saved(vault: Vault, linked: Linked, now: datetime) -> dict[str, Any]:
    row = linked.row
    is_active = linked.state is LinkState.ACTIVE
    due = earliest(row.due_at, now if linked.to_write else None) if is_active else None
    verify = now if linked.to_read else row.verify_at
    wake = earliest(due, verify) if is_active else None
    context = snapshot_context(linked.link_id)
    return {
        "id": linked.link_id,
        "crm_id": linked.crm_id,
        "snapshot_sealed": vault.seal(orjson.dumps(linked.known), context)
        if linked.is_known_anew
        else row.snapshot_sealed,
        "desired_version": row.desired_version + linked.to_write,
        "due_at": due,
        # Kept also while nobody may write: it is read when the link is revived.
        "verify_at": verify,
        "wake_at": row.wake_at if row.lease_token else wake,
        "create_intent_at": row.create_intent_at if linked.crm_id == row.crm_id else None,
        "attempts": 0 if linked.to_write else row.attempts,
        "error_class": linked.error_class,
        "error_code": linked.error_code,
        "state": linked.state,
    }


def _is_to_be_read(row: Any) -> bool:
    return row.verify_at is not None and row.state == LinkState.ACTIVE


def forget(connection: Connection, ids: Collection[LinkId]) -> None:
    """Forget links whose record is no more, or another link's by now."""
    # SQLite gives the id of the last row to the next one: nothing may hang on it.
    thaw(connection, ids)
    connection.execute(delete(duplicates).where(bulk.among(connection, duplicates.c.link_id, ids)))
    connection.execute(delete(links).where(bulk.among(connection, links.c.id, ids)))


def give(  # noqa: PLR0913, PLR0917 - a link is named by all of these
    connection: Connection,
    name: str,
    object_type: str,
    profile_id: ProfileId,
    crm_id: CrmId,
    now: datetime,
) -> bool:
    """Make a record a profile's own, unless either has another, or may be about to get one.

    It is read before a write. Return whether that was so.
    """
    taken = connection.execute(
        select(links.c.id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            (links.c.crm_id == crm_id)
            | (
                (links.c.profile_id == profile_id)
                & links.c.is_primary
                & (links.c.crm_id.is_not(None) | links.c.create_intent_at.is_not(None))
            ),
        )
    ).first()
    if taken is not None:
        return False
    without_record = connection.execute(
        select(links.c.id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            links.c.profile_id == profile_id,
            links.c.is_primary,
        )
    )
    forget(connection, list(without_record.scalars()))
    row = {
        "connection": name,
        "object_type": object_type,
        "profile_id": profile_id,
        "is_primary": True,
        "crm_id": crm_id,
        "desired_version": 1,
        "acked_version": 0,
        "due_at": now,
        "verify_at": now,
        "wake_at": now,
        "priority": PRIORITY_LIVE,
        "trigger": RunTrigger.REALTIME,
        "attempts": 0,
        "state": LinkState.ACTIVE,
    }
    bulk.insert(connection, links, [row])
    return True


# --- fields that go back and forth ------------------------------------------------------------


def flips(connection: Connection, ids: Collection[LinkId]) -> dict[LinkId, dict[str, Flips]]:
    """Return the fields of links that took turns, or are frozen."""
    rows = connection.execute(
        select(field_flips).where(bulk.among(connection, field_flips.c.link_id, ids))
    )
    found: dict[LinkId, dict[str, Flips]] = {}
    for row in rows:
        kept = Flips(row.turns, row.since, row.theirs, row.frozen_at)
        found.setdefault(row.link_id, {})[row.field] = kept
    return found


def save_flips(connection: Connection, kept: Mapping[tuple[LinkId, str], Flips]) -> None:
    """Keep how often fields took turns."""
    for link, name in kept:
        connection.execute(
            delete(field_flips).where(field_flips.c.link_id == link, field_flips.c.field == name)
        )
    rows = [
        {
            "link_id": link,
            "field": name,
            "turns": one.count,
            "since": one.since,
            "theirs": one.theirs,
            "frozen_at": one.frozen_at,
        }
        for (link, name), one in kept.items()
    ]
    bulk.insert(connection, field_flips, rows)


def thaw(connection: Connection, ids: Collection[LinkId]) -> None:
    """Let the fields of links be written and read again."""
    connection.execute(
        delete(field_flips).where(bulk.among(connection, field_flips.c.link_id, ids))
    )
