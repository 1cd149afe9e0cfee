"""What has to be known of claimed links besides their profiles; nothing, for a plain mapping."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from crmsync.mapping.compiled import Conflict, Drift, SyncMapping
from crmsync.model import CrmId, Directory, LinkId, ProfileId
from crmsync.store import link_records
from crmsync.sync.context import Sync
from crmsync.sync.naming import names_of
from crmsync.sync.records import NOTHING_AROUND, Around, Target
from crmsync.sync.slices import Slice


def around(sync: Sync, target: Target, slice_: Slice) -> Around:
    """Look up what the mapping asks for beyond profiles. May ask the CRM for its users."""
    mapping = sync.mapping
    plain = not (mapping.associations or mapping.unless_linked or _takes_turns(mapping))
    if plain and not target.owner_fields:
        return NOTHING_AROUND
    names = names_of(sync, {Directory.OWNERS}) if target.owner_fields else None
    with sync.store.database.read() as connection:
        return Around(
            names,
            _frozen(connection, mapping, [claim.link_id for claim in slice_.claims]),
            *elsewhere(connection, sync, {claim.profile_id for claim in slice_.claims}),
            _firms(connection, sync, slice_),
        )


def elsewhere(
    connection: Connection, sync: Sync, people: Collection[ProfileId]
) -> tuple[set[ProfileId], set[ProfileId]]:
    """Return who has a record by a sync that keeps them from this one, and who may get one."""
    found: set[ProfileId] = set()
    waiting: set[ProfileId] = set()
    ours = sync.mapping
    by_sync = {other.sync: other for other in sync.neighbours}
    for other in sync.neighbours:
        if other.sync not in ours.unless_linked:
            continue
        place = other.connection, other.object_type
        found |= link_records.of_people(connection, *place, people).keys()
        # Where each is to keep from the other, also by way of others, one of them does not wait.
        if ours.sync not in _keeps_from(other, by_sync) or other.sync < ours.sync:
            waiting |= link_records.undecided(connection, *place, people)
    return found, waiting


def _keeps_from(mapping: SyncMapping, by_sync: Mapping[str, SyncMapping]) -> set[str]:
    """Return the syncs that a mapping keeps from, and those that they keep from in turn."""
    found: set[str] = set()
    ahead = set(mapping.unless_linked)
    while ahead:
        found |= ahead
        further = (by_sync[name].unless_linked for name in ahead if name in by_sync)
        ahead = set().union(*further) - found
    return found


def _takes_turns(mapping: SyncMapping) -> bool:
    two_way = {Conflict.THEIRS, Conflict.NEWEST}
    reasserts = mapping.drift is Drift.REASSERT
    return reasserts or any(field.conflict in two_way for field in mapping.fields)


def _frozen(
    connection: Connection, mapping: SyncMapping, ids: Collection[LinkId]
) -> dict[LinkId, list[str]]:
    if not _takes_turns(mapping):
        return {}
    return {
        link: [name for name, kept in fields.items() if kept.frozen_at]
        for link, fields in link_records.flips(connection, ids).items()
    }


def _firms(
    connection: Connection, sync: Sync, slice_: Slice
) -> Mapping[str, Mapping[ProfileId, CrmId]]:
    """Return the records of people's companies, by the CRM's name of their object."""
    firms = {p.company_id for p in slice_.profiles.values() if p.company_id}
    by_sync = {other.sync: other for other in sync.neighbours}
    return {
        other: link_records.of_people(
            connection, by_sync[name].connection, by_sync[name].object_type, firms
        )
        for other, name in sync.mapping.associations
        if firms
    }
