"""Profile -> facts: the flat dict of everything a mapping or a condition can read by name.

Traits under their own names, the statistics, what is derived, and for a person what the company
profile says as `company_<name>`. Times are text in canonical form. Runs once per pushed record.
`CHANGED_WITH` tells which facts change with a trait, so that exactly the right links are marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from crmsync.identity.times import iso
from crmsync.identity.traits import STANDARD, STANDARD_COMPANY
from crmsync.model import Profile, ProfileKind

KNOWN_FACTS: Mapping[str, str] = MappingProxyType(
    {name: declared.value for name, declared in STANDARD.items()}
    | {
        "profile_id": "string",
        "user_id": "string",
        "company": "string",
        "company_name": "string",
        "company_id": "string",
        "sessions": "number",
        "visits": "number",
        "pages_viewed": "number",
        "goals_completed": "number",
        "revenue": "number",
        "first_seen": "datetime",
        "last_seen": "datetime",
        "identified_at": "datetime",
    }
)
"""Facts of people: name -> string, number, boolean, date, datetime or any. Others are traits."""

COMPANY_FACTS: Mapping[str, str] = MappingProxyType(
    {name: declared.value for name, declared in STANDARD_COMPANY.items()}
    | {"profile_id": "string", "group_id": "string"}
)
"""Facts of companies: name -> type."""

CHANGED_WITH: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "name": frozenset({"name", "first_name", "last_name"}),
        "first_name": frozenset({"name", "first_name", "last_name"}),
        "last_name": frozenset({"name", "first_name", "last_name"}),
        "email": frozenset({"email", "avatar"}),
    }
)
"""Trait -> the facts that may change with it, where that is more than the trait itself."""

_EMPTY_COUNTS = {
    "sessions": 0,
    "visits": 0,
    "pages_viewed": 0,
    "goals_completed": 0,
    "revenue": 0,
}
_OF_COMPANY = "company_"
"""Before the name of a company's trait, where it is a fact of the company's people."""
_GRAVATAR = "https://www.gravatar.com/avatar/"
"""Followed by the SHA-256 of the lower-cased e-mail (docs.gravatar.com/rest/hash, read 2026-11)."""


def facts(profile: Profile, company: Profile | None = None) -> dict[str, Any]:
    """Give the facts of a profile; `company` is the company profile of a person.

    A fact without a value is absent, except the counts, which start at 0.
    """
    if profile.kind is ProfileKind.COMPANY:
        return _company_facts(profile)
    found = {**_EMPTY_COUNTS, **profile.traits}
    if company is not None:
        _add_company(found, company)
    found["profile_id"] = profile.id
    if profile.user_id is not None:
        found["user_id"] = profile.user_id
    stats = profile.stats
    if stats:
        found["sessions"] = found["visits"] = stats.get("sessions", 0)
        found["pages_viewed"] = stats.get("pages_viewed", 0)
        found["goals_completed"] = stats.get("goals_completed", 0)
        found["revenue"] = stats.get("revenue", 0)
    if profile.first_seen is not None and profile.last_seen is not None:
        found["first_seen"] = iso(profile.first_seen)
        found["last_seen"] = iso(profile.last_seen)
    if profile.identified_at is not None:
        found["identified_at"] = iso(profile.identified_at)
        found.setdefault("created_at", found["identified_at"])
    _derive(found)
    return found


def changed_with(trait: str) -> frozenset[str]:
    """Give the names of the facts that may change when a trait does."""
    return CHANGED_WITH.get(trait) or frozenset((trait,))


def company_changed_with(company_facts: Iterable[str]) -> set[str]:
    """Give the names of a person's facts that change when these facts of their company do."""
    changed = set()
    for name in company_facts:
        if name == "name":
            changed |= {"company", "company_name"}
        else:
            changed.add("company_id" if name == "group_id" else f"{_OF_COMPANY}{name}")
    return changed


def traits_behind(names: Iterable[str]) -> set[str]:
    """Give every trait that facts of these names can come from, be it a person's or a company's."""
    found = set(names)
    return found | {name.removeprefix(_OF_COMPANY) for name in found}


def gravatar(email: str) -> str:
    """Give the address of an e-mail's picture."""
    return _GRAVATAR + hashlib.sha256(email.encode()).hexdigest()


def _company_facts(profile: Profile) -> dict[str, Any]:
    found: dict[str, Any] = {**profile.traits, "profile_id": profile.id}
    if profile.user_id is not None:
        found["group_id"] = profile.user_id
    return found


def _add_company(found: dict[str, Any], company: Profile) -> None:
    for name, value in company.traits.items():
        found[f"{_OF_COMPANY}{name}"] = value
    if "company_name" in found:
        found["company"] = found["company_name"]
    if company.user_id is not None:
        found["company_id"] = company.user_id


def _derive(found: dict[str, Any]) -> None:
    """Add names and avatar where they follow from what is known."""
    name = found.get("name")
    first, last = found.get("first_name"), found.get("last_name")
    if name:
        if first is None and last is None and isinstance(name, str):
            first, _, last = name.strip().partition(" ")
            found["first_name"] = first
            if last:
                found["last_name"] = last.strip()
    elif first or last:
        found["name"] = f"{first} {last}" if first and last else str(first or last)
    if "avatar" not in found and "email" in found:
        found["avatar"] = gravatar(found["email"])
