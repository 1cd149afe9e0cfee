"""What becomes of links when two of our profiles turn out to be one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from crmsync.model import LinkId, ProfileId
from crmsync.store import bulk
from crmsync.store.links import LinkState
from crmsync.store.tables import links


def follow_merges(
    connection: Connection, winner_of: Mapping[ProfileId, ProfileId], now: datetime
) -> None:
    """Give merged profiles' links to their winners, to be written with the winner's id.

    Where both have a record in the same CRM, the winner keeps its own and the other link waits for
    a person: one of the two records is a duplicate.
    """
    rows = _links_of(connection, {*winner_of, *winner_of.values()})
    held = {(r.profile_id, r.connection, r.object_type): r for r in rows}
    gone: list[LinkId] = []
    changed: list[dict[str, Any]] = []
    for row in [row for row in rows if row.profile_id in winner_of]:
        winner = winner_of[row.profile_id]
        place = (winner, row.connection, row.object_type)
        rival = held.get(place)
        if rival is not None and row.crm_id and not _may_have_a_record(rival):
            gone.append(rival.id)
            rival = None
        if rival is None:
            held[place] = row
            changed.append(_moved(row, winner, now))
        elif _may_have_a_record(row):
            changed.append(_in_conflict(row, winner))
        else:
            gone.append(row.id)
    connection.execute(delete(links).where(bulk.among(connection, links.c.id, gone)))
    lost = set(gone)
    bulk.update(connection, links, [change for change in changed if change["id"] not in lost])


def _links_of(connection: Connection, profile_ids: Collection[ProfileId]) -> Sequence[Any]:
    return connection.execute(
        select(links)
        .where(bulk.among(connection, links.c.profile_id, profile_ids), links.c.is_primary)
        .order_by(links.c.id)
        .with_for_update()
    ).all()


def _moved(row: Any, winner: ProfileId, now: datetime) -> dict[str, Any]:
    kept_out = row.state in {LinkState.SUPPRESSED, LinkState.CONFLICT}
    wake_at = row.wake_at if row.lease_token or kept_out else now
    return {
        "id": row.id,
        "profile_id": winner,
        "is_primary": True,
        "desired_version": row.desired_version + 1,
        "due_at": None if kept_out else now,
        "wake_at": wake_at,
        "state": row.state if kept_out else LinkState.ACTIVE,
        "error_class": row.error_class if kept_out else None,
        "error_code": row.error_code if kept_out else None,
    }


def _in_conflict(row: Any, winner: ProfileId) -> dict[str, Any]:
    return {
        "id": row.id,
        "profile_id": winner,
        "is_primary": False,
        "desired_version": row.desired_version,
        "due_at": None,
        "wake_at": None,
        "state": LinkState.CONFLICT,
        "error_class": "conflict",
        "error_code": "TWO_RECORDS",
    }


def _may_have_a_record(row: Any) -> bool:
    return bool(row.crm_id or row.create_intent_at or row.lease_token)
