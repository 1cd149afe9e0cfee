"""Profiles and what names them: loading what a fold needs to know, and saving its outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, or_, select, update

from crmsync.identity.sources import pack_sources, unpack_sources
from crmsync.model import (
    Identifier,
    IdentifierKind,
    Profile,
    ProfileId,
    ProfileKind,
    TraitSource,
)
from crmsync.store import bulk
from crmsync.store.tables import events, identifiers, profiles, trait_names

_KINDS = {str(kind): kind for kind in ProfileKind}
COLUMNS = tuple(
    profiles.c[name]
    for name in (
        "id", "kind", "version", "user_id", "email", "company_id", "traits",
        "stats", "created_at", "identified_at", "first_seen", "last_seen",
    )
)  # fmt: skip


def find_identifiers(
    connection: Connection, wanted: Collection[Identifier]
) -> dict[Identifier, ProfileId]:
    """Return who holds each identifier that is known."""
    found: dict[Identifier, ProfileId] = {}
    by_kind: dict[IdentifierKind, list[str]] = {}
    for identifier in wanted:
        by_kind.setdefault(identifier.kind, []).append(identifier.value)
    for kind, values in by_kind.items():
        rows = connection.execute(
            select(identifiers.c.value, identifiers.c.profile_id).where(
                identifiers.c.kind == kind, bulk.among(connection, identifiers.c.value, values)
            )
        )
        found |= {Identifier(kind, value): ProfileId(holder) for value, holder in rows}
    return found


def identifiers_of(connection: Connection, profile_id: ProfileId) -> list[Identifier]:
    """Return everything that names a profile."""
    rows = connection.execute(
        select(identifiers.c.kind, identifiers.c.value)
        .where(identifiers.c.profile_id == profile_id)
        .order_by(identifiers.c.kind, identifiers.c.value)
    )
    return [Identifier(IdentifierKind(kind), value) for kind, value in rows]


def identifiers_of_each(
    connection: Connection, ids: Collection[ProfileId]
) -> dict[ProfileId, list[Identifier]]:
    """Return everything that names each of these profiles."""
    found: dict[ProfileId, list[Identifier]] = {}
    rows = connection.execute(
        select(identifiers.c.profile_id, identifiers.c.kind, identifiers.c.value)
        .where(bulk.among(connection, identifiers.c.profile_id, ids))
        .order_by(identifiers.c.kind, identifiers.c.value)
    )
    for holder, kind, value in rows:
        found.setdefault(holder, []).append(Identifier(IdentifierKind(kind), value))
    return found


def sources_of(connection: Connection, profile_id: ProfileId) -> dict[str, TraitSource]:
    """Return where each trait of a profile came from."""
    packed = connection.execute(
        select(profiles.c.trait_sources).where(profiles.c.id == profile_id)
    ).scalar()
    return unpack_sources(packed) if packed else {}


def load(connection: Connection, ids: Collection[ProfileId]) -> dict[ProfileId, Profile]:
    """Return the profiles that exist, to be read: without the sources of their traits."""
    if not ids:
        return {}
    query = select(*COLUMNS).where(bulk.among(connection, profiles.c.id, ids))
    return {row.id: _profile(row) for row in connection.execute(query).all()}


def load_for_change(connection: Connection, ids: Collection[ProfileId]) -> dict[ProfileId, Profile]:
    """Return the profiles that exist, whole, and locked in one order: writers do not cross."""
    if not ids:
        return {}
    query = (
        select(*COLUMNS, profiles.c.trait_sources)
        .where(bulk.among(connection, profiles.c.id, ids))
        .order_by(profiles.c.id)
        .with_for_update()
    )
    found = {}
    for row in connection.execute(query).all():
        found[row.id] = profile = _profile(row)
        profile.trait_sources = unpack_sources(row.trait_sources)
    return found


def merged_away(connection: Connection, ids: Collection[ProfileId]) -> set[ProfileId]:
    """Return those of the profiles that have become a part of another."""
    rows = connection.execute(
        select(profiles.c.id).where(
            bulk.among(connection, profiles.c.id, ids), profiles.c.merged_into.is_not(None)
        )
    )
    return set(rows.scalars())


def find(connection: Connection, name: str) -> Profile | None:
    """Return the profile that an id, a user id, an e-mail or any other identifier names."""
    holder = connection.execute(
        select(identifiers.c.profile_id)
        .where(identifiers.c.value.in_([name, name.strip().lower()]))
        .limit(1)
    ).scalar()
    wanted = ProfileId(holder or name)
    found = load(connection, [wanted]).get(wanted)
    if found is not None:
        return found
    survivor = connection.execute(
        select(profiles.c.merged_into).where(profiles.c.id == wanted)
    ).scalar()
    return load(connection, [ProfileId(survivor)]).get(ProfileId(survivor)) if survivor else None


def insert(connection: Connection, fresh: Sequence[Profile]) -> None:
    """Add new profiles."""
    bulk.insert(connection, profiles, [_row(profile) for profile in fresh])


def save(connection: Connection, changed: Sequence[Profile]) -> None:
    """Write profiles that exist."""
    bulk.update(connection, profiles, [_row(profile) for profile in changed])


def add_identifiers(connection: Connection, added: Mapping[Identifier, ProfileId]) -> None:
    """Record who holds each identifier; a race for a new one makes the transaction run again."""
    bulk.insert(
        connection,
        identifiers,
        [{"kind": i.kind, "value": i.value, "profile_id": holder} for i, holder in added.items()],
    )


def add_missing_identifier(
    connection: Connection, identifier: Identifier, holder: ProfileId
) -> None:
    """Record who holds an identifier, where nobody is known to."""
    row = {"kind": identifier.kind, "value": identifier.value, "profile_id": holder}
    bulk.insert(connection, identifiers, [row], or_ignore=True)


def merge(connection: Connection, winner_of: Mapping[ProfileId, ProfileId]) -> None:
    """Give losers' identifiers, events and people to their winners and leave pointers behind."""
    for column in (
        identifiers.c.profile_id,
        events.c.profile_id,
        profiles.c.company_id,
        profiles.c.merged_into,
    ):
        connection.execute(
            update(column.table)
            .where(bulk.among(connection, column, winner_of.keys()))
            .values({column: case(dict(winner_of), value=column)})
        )
    connection.execute(
        update(profiles)
        .where(bulk.among(connection, profiles.c.id, winner_of.keys()))
        .values(merged_into=case(dict(winner_of), value=profiles.c.id))
    )


def members(connection: Connection, firms: Collection[ProfileId]) -> list[ProfileId]:
    """Return the people of companies."""
    query = select(profiles.c.id).where(
        bulk.among(connection, profiles.c.company_id, firms), profiles.c.merged_into.is_(None)
    )
    return list(connection.execute(query).scalars())


def known_trait_names(connection: Connection) -> set[str]:
    """Return the names of all traits ever taken."""
    return set(connection.execute(select(trait_names.c.name)).scalars())


def add_trait_names(connection: Connection, names: Iterable[str], now: datetime) -> None:
    """Remember new trait names."""
    rows = [{"name": name, "first_seen_at": now} for name in sorted(names)]
    bulk.insert(connection, trait_names, rows, or_ignore=True)


def count(connection: Connection, kind: ProfileKind) -> int:
    """Return how many profiles of a kind there are."""
    query = select(func.count()).where(profiles.c.kind == kind, profiles.c.merged_into.is_(None))
    return connection.execute(query).scalar_one()


def search(
    connection: Connection, kind: ProfileKind, words: str, *, after: str = "", limit: int = 500
) -> list[Profile]:
    """Return profiles whose e-mail or user id holds the words, or whose id begins so."""
    text = words.strip()
    query = (
        select(*COLUMNS)
        .where(
            profiles.c.kind == kind,
            profiles.c.id > after,
            profiles.c.merged_into.is_(None),
            or_(
                profiles.c.email.contains(text.lower(), autoescape=True),
                profiles.c.user_id.contains(text, autoescape=True),
                profiles.c.id.startswith(text.lower(), autoescape=True),
            ),
        )
        .order_by(profiles.c.id)
        .limit(limit)
    )
    return [_profile(row) for row in connection.execute(query)]


def page(
    connection: Connection, kind: ProfileKind, *, after: str = "", limit: int = 500
) -> list[Profile]:
    """Return profiles in order of id, after one: a million can be walked in bounded memory."""
    query = (
        select(*COLUMNS)
        .where(profiles.c.kind == kind, profiles.c.id > after, profiles.c.merged_into.is_(None))
        .order_by(profiles.c.id)
        .limit(limit)
    )
    return [_profile(row) for row in connection.execute(query)]


def _profile(row: Any) -> Profile:
    return Profile(
        id=row.id,
        kind=_KINDS[row.kind],
        version=row.version,
        user_id=row.user_id,
        email=row.email,
        company_id=row.company_id,
        traits=row.traits,
        stats=row.stats,
        created_at=row.created_at,
        identified_at=row.identified_at,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
    )


def _row(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "kind": profile.kind,
        "version": profile.version,
        "user_id": profile.user_id,
        "email": profile.email,
        "company_id": profile.company_id,
        "traits": profile.traits,
        "trait_sources": pack_sources(profile.trait_sources),
        "stats": profile.stats,
        "created_at": profile.created_at,
        "identified_at": profile.identified_at,
        "first_seen": profile.first_seen,
        "last_seen": profile.last_seen,
    }
