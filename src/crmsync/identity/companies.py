"""Which company a call speaks of: by id, under either kind, else by name.

A company known by name only is provisional (it has no id in `Profile.user_id`); it becomes the
one with an id as soon as a call carries both. Two companies with ids never become one, and the
first of them keeps a name that both have.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crmsync.identity.clean import MAX_NAME_LENGTH
from crmsync.identity.directory import Directory
from crmsync.model import Event, EventType, Identifier, IdentifierKind, Profile, ProfileKind

COMPANY = "company"
"""The trait of an event that speaks of the person's company."""


@dataclass(frozen=True, slots=True)
class CompanyClaim:
    """What a call says of a company. It has an id or a name."""

    identifiers: tuple[Identifier, ...]
    """Of its id: the kind it came as, then the other."""
    name: Identifier | None
    traits: Mapping[str, Any]


def claim_of(event: Event) -> CompanyClaim | None:
    """Read what an event says of a company; None where that is nothing, or that there is none."""
    if event.type is EventType.GROUP and event.group_id is not None:
        group = _ids(event.group_id, IdentifierKind.GROUP_ID, IdentifierKind.COMPANY_ID)
        return CompanyClaim(group, name_identifier(event.traits.get("name")), event.traits)
    said = event.traits.get(COMPANY) if event.traits else None
    if said is None:
        return None
    ids: tuple[Identifier, ...] = ()
    if said["id"] is not None:
        ids = _ids(said["id"], IdentifierKind.COMPANY_ID, IdentifierKind.GROUP_ID)
    name = name_identifier(said["name"])
    return CompanyClaim(ids, name, said["traits"]) if ids or name else None


def company_identifiers(event: Event) -> list[Identifier]:
    """Name every identifier by which `company_of` looks."""
    claim = claim_of(event)
    if claim is None:
        return []
    return [*claim.identifiers, *([] if claim.name is None else [claim.name])]


def company_of(claim: CompanyClaim, event: Event, directory: Directory) -> tuple[Profile, bool]:
    """Find or make the company, and link its id and name; whether it got its id by this."""
    company = None
    for identifier in claim.identifiers:
        company = company or directory.find(identifier)
    namesake = None if claim.name is None else directory.find(claim.name)
    provisional = namesake is not None and namesake.user_id is None
    if company is None and namesake is not None and (provisional or not claim.identifiers):
        company = namesake
    elif company is None:
        company = directory.create(ProfileKind.COMPANY)
    elif namesake is not None and namesake is not company and provisional:
        evidence = IdentifierKind.COMPANY_NAME
        company = directory.merge(company, namesake, evidence, event.message_id)
    got_id = bool(claim.identifiers) and company.user_id is None
    if claim.identifiers:
        directory.claim(claim.identifiers[0], company)
        if got_id:
            company.user_id = claim.identifiers[0].value
            directory.touch(company).changed.add("group_id")
    if claim.name is not None:
        directory.claim(claim.name, company)
    return company, got_id


def name_identifier(name: object) -> Identifier | None:
    """Give the identifier of a company's name; None where it has none to speak of."""
    if not isinstance(name, str):
        return None
    plain = name if name.isascii() else unicodedata.normalize("NFKC", name)
    text = " ".join(plain.casefold().split())
    if not text or len(text) > MAX_NAME_LENGTH:
        return None
    return Identifier(IdentifierKind.COMPANY_NAME, text)


def _ids(
    value: str, sent_as: IdentifierKind, other: IdentifierKind
) -> tuple[Identifier, Identifier]:
    return Identifier(sent_as, value), Identifier(other, value)
