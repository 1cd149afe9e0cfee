"""Records that are no link's, though their key says whose they are: who has another record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from crmsync.model import CrmId, LinkId, ProfileId
from crmsync.store import bulk
from crmsync.store.link_merges import Duplicate
from crmsync.store.links import LinkState
from crmsync.store.tables import duplicates, links, profiles


@dataclass(frozen=True, slots=True)
class Doubled:
    """A record that is nobody's, and the one that its person is linked to."""

    crm_id: CrmId
    link_id: LinkId
    profile_id: ProfileId
    linked: CrmId
    field: str
    """The CRM's field whose value says whose it is."""


def named_by_id(connection: Connection, ids: Collection[str]) -> dict[str, ProfileId]:
    """Return which profile each of our ids names by now; merged ones are their winners'."""
    rows = connection.execute(
        select(profiles.c.id, profiles.c.merged_into).where(
            bulk.among(connection, profiles.c.id, ids)
        )
    )
    return {old: ProfileId(winner or old) for old, winner in rows}


def records_of(
    connection: Connection, name: str, object_type: str, people: Collection[ProfileId]
) -> dict[ProfileId, tuple[LinkId, CrmId]]:
    """Return the record that each profile goes by, where it has one."""
    rows = connection.execute(
        select(links.c.profile_id, links.c.id, links.c.crm_id).where(
            links.c.connection == name,
            links.c.object_type == object_type,
            bulk.among(connection, links.c.profile_id, people),
            links.c.is_primary,
            links.c.crm_id.is_not(None),
            links.c.state.in_([LinkState.ACTIVE, LinkState.DEAD]),
        )
    )
    return {ProfileId(person): (link, CrmId(crm_id)) for person, link, crm_id in rows}


def keep(
    connection: Connection, name: str, object_type: str, found: Sequence[Doubled], now: datetime
) -> set[CrmId]:
    """Keep what was found to be so now; return which of it is new."""
    place = {"connection": name, "object_type": object_type}
    old = _known(connection, name, object_type, [one.crm_id for one in found])
    same = {one.crm_id for one in found if old.get(one.crm_id) == (one.link_id, one.linked)}
    forget(connection, name, object_type, [one.crm_id for one in found if one.crm_id not in same])
    rows = [
        {
            **place,
            "crm_id": one.crm_id,
            "link_id": one.link_id,
            "linked_crm_id": one.linked,
            "error_field": one.field,
            "found_at": now,
            "confirmed_at": now,
        }
        for one in found
        if one.crm_id not in same
    ]
    bulk.insert(connection, duplicates, rows)
    connection.execute(
        update(duplicates).where(_are(connection, name, object_type, same)).values(confirmed_at=now)
    )
    return {one.crm_id for one in found} - same


def forget(connection: Connection, name: str, object_type: str, crm_ids: Collection[CrmId]) -> None:
    """Forget records that are gone, somebody's own by now, or of another key."""
    connection.execute(delete(duplicates).where(_are(connection, name, object_type, crm_ids)))


def unconfirmed(
    connection: Connection, name: str, object_type: str, since: datetime, limit: int
) -> list[CrmId]:
    """Return records that were found before a moment, and not confirmed since."""
    rows = connection.execute(
        select(duplicates.c.crm_id)
        .where(_of(name, object_type), duplicates.c.confirmed_at < since)
        .order_by(duplicates.c.confirmed_at)
        .limit(limit)
    )
    return [CrmId(one) for one in rows.scalars()]


def count(connection: Connection, name: str, object_type: str) -> int:
    """Return how many records are duplicates."""
    query = select(func.count()).select_from(duplicates).where(_of(name, object_type))
    return connection.execute(query).scalar_one()


def to_merge(
    connection: Connection, name: str, object_type: str, since: datetime, limit: int
) -> list[Duplicate]:
    """Return pairs to merge that were read since a moment, with nothing under way to the link."""
    rows = connection.execute(
        select(links.c.id, links.c.crm_id, duplicates.c.crm_id.label("loser"))
        .join(links, links.c.id == duplicates.c.link_id)
        .where(
            _of(name, object_type),
            duplicates.c.confirmed_at >= since,
            duplicates.c.refused.is_(None),
            links.c.crm_id == duplicates.c.linked_crm_id,
            links.c.lease_token.is_(None),
            links.c.state.in_([LinkState.ACTIVE, LinkState.DEAD]),
        )
        .order_by(duplicates.c.crm_id)
        .limit(limit)
    )
    found = [Duplicate(link, CrmId(winner), None, CrmId(loser)) for link, winner, loser in rows]
    # One of each link: the record that stays may have another id than either.
    return list({pair.winner_link: pair for pair in found}.values())


def refused(connection: Connection, name: str, object_type: str, crm_id: CrmId, code: str) -> None:
    """Leave a record to a person that the CRM does not merge."""
    change = update(duplicates).where(_of(name, object_type), duplicates.c.crm_id == crm_id)
    connection.execute(change.values(refused=code))


def _known(
    connection: Connection, name: str, object_type: str, crm_ids: Collection[CrmId]
) -> dict[CrmId, tuple[Any, ...]]:
    rows = connection.execute(
        select(duplicates.c.crm_id, duplicates.c.link_id, duplicates.c.linked_crm_id).where(
            _are(connection, name, object_type, crm_ids)
        )
    )
    return {CrmId(row.crm_id): (row.link_id, row.linked_crm_id) for row in rows}


def _are(
    connection: Connection, name: str, object_type: str, crm_ids: Collection[CrmId]
) -> ColumnElement[bool]:
    return and_(_of(name, object_type), bulk.among(connection, duplicates.c.crm_id, crm_ids))


def _of(name: str, object_type: str) -> ColumnElement[bool]:
    return and_(duplicates.c.connection == name, duplicates.c.object_type == object_type)
