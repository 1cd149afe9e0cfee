"""Links to records that were there before us: who has none yet, and taking what was found over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from crmsync.model import CrmId, LinkId, ProfileId, RunTrigger, Value
from crmsync.store import bulk, link_records, links, profiles
from crmsync.store.link_records import Linked
from crmsync.store.links import KEPT_OUT, PRIORITY_BACKFILL, Mark
from crmsync.store.tables import links as table
from crmsync.store.vault import Vault


class Standing(StrEnum):
    """How far a profile's link is."""

    LINKED = "linked"
    """It has a record."""
    BUSY = "busy"
    """A write is under way, or one may still land: its record may be about to be made."""
    KEPT_OUT = "kept_out"
    """A person has to decide about it first, or it is over."""


@dataclass(frozen=True, slots=True)
class Found:
    """The record that was found for a profile."""

    profile_id: ProfileId
    crm_id: CrmId
    known: Mapping[str, Value]
    """What it holds of what is ours."""


def standings(
    connection: Connection, name: str, object_type: str, people: Collection[ProfileId]
) -> dict[ProfileId, Standing]:
    """Return how far the links of profiles are; those that may be given a record are left out."""
    rows = connection.execute(
        select(
            table.c.profile_id,
            table.c.crm_id,
            table.c.state,
            table.c.lease_token,
            table.c.verify_at,
            table.c.create_intent_at,
        ).where(
            table.c.connection == name,
            table.c.object_type == object_type,
            table.c.is_primary,
            bulk.among(connection, table.c.profile_id, people),
        )
    )
    found: dict[ProfileId, Standing] = {}
    for row in rows:
        if row.state in KEPT_OUT:
            found[row.profile_id] = Standing.KEPT_OUT
        elif row.crm_id is not None:
            found[row.profile_id] = Standing.LINKED
        elif row.lease_token or row.verify_at or row.create_intent_at:
            found[row.profile_id] = Standing.BUSY
    return found


def adopt(  # noqa: PLR0913, PLR0917 - a link is named by all of these
    connection: Connection,
    vault: Vault,
    name: str,
    object_type: str,
    found: Sequence[Found],
    now: datetime,
) -> list[Found]:
    """Make records their profiles' own, as links that differ still; return which were.

    `found`: each profile and each record once. Left out is who has a link that is busy, kept out or
    has a record by now, and a record that is another's.
    """
    people = {one.profile_id for one in found}
    profiles.load_for_change(connection, people)  # locked in the order in which everybody does
    fit = people - standings(connection, name, object_type, people).keys()
    fit -= profiles.merged_away(connection, people)
    trigger, priority = RunTrigger.BACKFILL, PRIORITY_BACKFILL
    links.mark(
        connection,
        [Mark(name, object_type, person, now, trigger, priority) for person in sorted(fit)],
    )
    ids = _links_of(connection, name, object_type, fit)
    locked = link_records.lock(connection, vault, ids.values())
    # Until they were locked somebody else could take them up.
    by_person = {one.profile_id: one for one in locked.values() if _is_free(one)}
    owners = links.owners_of(connection, name, object_type, {one.crm_id for one in found})
    taken = [one for one in found if one.profile_id in by_person and one.crm_id not in owners]
    for one in taken:
        linked = by_person[one.profile_id]
        linked.crm_id = one.crm_id
        linked.known, linked.is_known_anew = dict(one.known), True
    given = [by_person[one.profile_id] for one in taken]
    link_records.save(connection, vault, given, now)
    return taken


def _is_free(linked: Linked) -> bool:
    return linked.state not in KEPT_OUT and linked.crm_id is None and not linked.is_busy


def _links_of(
    connection: Connection, name: str, object_type: str, people: Collection[ProfileId]
) -> dict[ProfileId, LinkId]:
    rows = connection.execute(
        select(table.c.profile_id, table.c.id).where(
            table.c.connection == name,
            table.c.object_type == object_type,
            table.c.is_primary,
            bulk.among(connection, table.c.profile_id, people),
        )
    )
    return {row.profile_id: row.id for row in rows}
