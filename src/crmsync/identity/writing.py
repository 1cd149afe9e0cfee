"""Writing to one profile: per trait the newest value wins, whatever the order of arrival.

Newest is by (event time, message id); a null unsets and keeps its place in that order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crmsync.identity import statistics
from crmsync.identity.facts import changed_with
from crmsync.identity.state import Touched, TraitChange
from crmsync.model import Profile, ProfileId, ProfileKind, TraitSource

COMPANY = "company"
"""The name under which `Profile.trait_sources` keeps the source of `Profile.company_id`."""


def write_trait(touched: Touched, trait: str, value: Any, source: TraitSource) -> bool:  # noqa: ANN401 - JSON
    """Write a trait unless a newer value is held; whether the held value changed."""
    profile = touched.profile
    held = profile.trait_sources.get(trait)
    if held is not None and not _newer(source, held):
        return False
    profile.trait_sources[trait] = source
    old = profile.traits.get(trait)
    if same_value(old, value):
        return False
    if value is None:
        del profile.traits[trait]
    else:
        profile.traits[trait] = value
    if profile.kind is ProfileKind.COMPANY:
        touched.changed.add(trait)
    else:
        if trait == "email":
            profile.email = value
        touched.changed |= changed_with(trait)
    touched.changes.append(TraitChange(trait, old, value, source))
    return True


def write_company(touched: Touched, company_id: ProfileId | None, source: TraitSource) -> bool:
    """Say which company a person belongs to, unless newer is held; whether that changed.

    The caller adds the names of the facts that changed with it.
    """
    profile = touched.profile
    held = profile.trait_sources.get(COMPANY)
    if held is not None and not _newer(source, held):
        return False
    profile.trait_sources[COMPANY] = source
    old = profile.company_id
    if old == company_id:
        return False
    profile.company_id = company_id
    touched.changes.append(TraitChange(COMPANY, old, company_id, source))
    return True


def absorb(winner: Touched, loser: Profile) -> None:
    """Bring everything the loser holds, other than identifiers, to the winner."""
    profile = winner.profile
    for trait, source in loser.trait_sources.items():
        if trait == COMPANY and profile.kind is ProfileKind.PERSON:
            if write_company(winner, loser.company_id, source):
                winner.changed.add(COMPANY)
        else:
            write_trait(winner, trait, loser.traits.get(trait), source)
    winner.changed |= statistics.merge(profile, loser)
    if profile.user_id is None and loser.user_id is not None:
        profile.user_id = loser.user_id
        winner.changed.add("user_id" if profile.kind is ProfileKind.PERSON else "group_id")
    if loser.identified_at is not None:
        write_identified(winner, loser.identified_at)


def write_identified(touched: Touched, at: datetime) -> None:
    """Note when a known id was seen, unless one was seen earlier."""
    profile = touched.profile
    if profile.identified_at is None or at < profile.identified_at:
        profile.identified_at = at
        touched.changed |= {"identified_at", "created_at"}


def same_value(left: object, right: object) -> bool:
    """Tell whether two JSON values are the same: 1 is 1.0, but not true."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _newer(source: TraitSource, held: TraitSource) -> bool:
    if source.at == held.at:
        return source.message_id > held.message_id
    return source.at > held.at
