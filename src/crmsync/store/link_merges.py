"""What becomes of links when two of our profiles turn out to be one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from crmsync.model import CrmId, LinkId, ProfileId
from crmsync.store import bulk, link_records
from crmsync.store.links import KEPT_OUT, LinkState
from crmsync.store.tables import links

TWO_RECORDS = "TWO_RECORDS"
"""The code of a link whose profile, after a merge of profiles, has another record as well."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two records of one object type that are one person."""

    winner_link: LinkId
    winner: CrmId
    loser_link: LinkId | None
    """None where the other record is no link's."""
    loser: CrmId


def duplicates(connection: Connection, name: str, object_type: str, limit: int) -> list[Duplicate]:
    """Return records that are one person, where nothing is under way to either."""
    loser, winner = links.alias(), links.alias()
    rows = connection.execute(
        select(winner.c.id, winner.c.crm_id, loser.c.id, loser.c.crm_id)
        .join(
            winner,
            (winner.c.connection == loser.c.connection)
            & (winner.c.object_type == loser.c.object_type)
            & (winner.c.profile_id == loser.c.profile_id)
            & winner.c.is_primary,
        )
        .where(
            loser.c.connection == name,
            loser.c.object_type == object_type,
            loser.c.state == LinkState.CONFLICT,
            loser.c.error_code == TWO_RECORDS,
            loser.c.crm_id.is_not(None),
            loser.c.lease_token.is_(None),
            winner.c.crm_id.is_not(None),
            winner.c.lease_token.is_(None),
            winner.c.state.not_in(KEPT_OUT),
        )
        .order_by(loser.c.id)
        .limit(limit)
    )
    return [Duplicate(*row) for row in rows]


def merged(connection: Connection, pair: Duplicate, stays: CrmId, now: datetime) -> None:
    """Keep one link for two records that were merged; it is read before it is written."""
    if pair.loser_link is not None:
        link_records.forget(connection, [pair.loser_link])
    row = connection.execute(
        select(links.c.desired_version, links.c.lease_token, links.c.wake_at, links.c.state)
        .where(links.c.id == pair.winner_link)
        .with_for_update()
    ).one()
    is_active = row.state == LinkState.ACTIVE  # what is set aside stays so, and wakes nobody
    connection.execute(
        update(links)
        .where(links.c.id == pair.winner_link)
        .values(
            crm_id=stays,
            desired_version=row.desired_version + 1,
            due_at=now if is_active else None,
            verify_at=now,
            wake_at=now if is_active and not row.lease_token else row.wake_at,
        )
    )


def refused(connection: Connection, loser: LinkId, code: str) -> None:
    """Leave two records to a person that the CRM does not merge."""
    connection.execute(update(links).where(links.c.id == loser).values(error_code=code))


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
    link_records.forget(connection, gone)
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
    kept_out = row.state in KEPT_OUT
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
        "error_code": TWO_RECORDS,
    }


def _may_have_a_record(row: Any) -> bool:
    return bool(row.crm_id or row.create_intent_at or row.lease_token)
