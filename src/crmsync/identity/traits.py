"""Traits as clients send them -> traits as profiles hold them.

Names of the standard traits are brought to one spelling, `custom` is flattened, what is said of
the company is set apart, declared types are enforced. Any other trait keeps its name and value.
Called once per call by `calls`; features.md rows Z5, C12, G6, G8 and G9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crmsync.identity.clean import Unusable, check_trait_name, clean_id
from crmsync.identity.emails import normalise_email
from crmsync.identity.reading import Reading
from crmsync.identity.rules import NoteCode, TraitType, Types
from crmsync.identity.times import iso, parse_time

STANDARD: Mapping[str, TraitType] = {
    "email": TraitType.STRING,
    "name": TraitType.STRING,
    "first_name": TraitType.STRING,
    "last_name": TraitType.STRING,
    "username": TraitType.STRING,
    "description": TraitType.STRING,
    "avatar": TraitType.STRING,
    "phone": TraitType.STRING,
    "plan": TraitType.STRING,
    "role": TraitType.STRING,
    "created_at": TraitType.DATETIME,
    "company_size": TraitType.NUMBER,
    "company_industry": TraitType.STRING,
    "company_position": TraitType.STRING,
}
"""The standard traits of a person. `company` and `company_name` become a company profile."""

STANDARD_COMPANY: Mapping[str, TraitType] = {
    "name": TraitType.STRING,
    "size": TraitType.NUMBER,
    "industry": TraitType.STRING,
    "plan": TraitType.STRING,
    "created_at": TraitType.DATETIME,
}
"""The standard traits of a company."""

RESERVED = frozenset(
    {
        "profile_id",
        "user_id",
        "sessions",
        "visits",
        "pages_viewed",
        "goals_completed",
        "revenue",
        "first_seen",
        "last_seen",
        "identified_at",
        "company_id",
    }
)
"""Facts that crmsync keeps itself about a person: a trait of such a name is not taken."""

RESERVED_COMPANY = frozenset({"profile_id", "group_id"})

_RENAMED = {
    "firstName": "first_name",
    "lastName": "last_name",
    "createdAt": "created_at",
    "companyName": "company_name",
    "companySize": "company_size",
    "companyIndustry": "company_industry",
    "companyPosition": "company_position",
}
_RENAMED_COMPANY = {
    "createdAt": "created_at",
    "company_name": "name",
    "company_size": "size",
    "company_industry": "industry",
    "employees": "size",
    "employee_count": "size",
    "employeeCount": "size",
}
_ABSOLUTE_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


def person_traits(raw: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Give a person's traits; None unsets.

    `company`, where the call says anything of it, is None (belongs to none) or
    `{"id": str | None, "name": str | None, "traits": {...}}`.
    """
    traits: dict[str, Any] = {}
    company: Any = None
    for sent_name, value in raw.items():
        name = _RENAMED.get(sent_name, sent_name)
        if name in ("company", "company_name"):
            company = _joined(company, value, name)
            if value is None:
                traits["company"] = None
        elif name == "custom" and isinstance(value, Mapping):
            for custom_name, custom_value in value.items():
                _keep(traits, f"custom_{custom_name}", custom_value, reading, STANDARD)
        elif name in RESERVED:
            reading.dropped(Unusable(f"traits.{name} is kept by crmsync itself; use another name"))
        else:
            _keep(traits, name, value, reading, STANDARD)
    if company is not None:
        _keep_company(traits, company, reading)
    return traits


def company_traits(raw: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Give a company's traits, without its id; None unsets."""
    traits: dict[str, Any] = {}
    for sent_name, value in raw.items():
        name = _RENAMED_COMPANY.get(sent_name, sent_name)
        if name in RESERVED_COMPANY:
            reading.dropped(Unusable(f"traits.{name} is kept by crmsync itself; use another name"))
        elif name != "id":
            _keep(traits, name, value, reading, STANDARD_COMPANY)
    return traits


def _keep(
    traits: dict[str, Any],
    name: str,
    raw: object,
    reading: Reading,
    standard: Mapping[str, TraitType],
) -> None:
    try:
        if not reading.harmless or not name.strip() or len(name) > 64:  # noqa: PLR2004 - surely short
            check_trait_name(name)
        value = reading.value(raw, f"traits.{name}")
        if value is not None:
            declared = reading.arrival.rules.trait_types.get(name) or standard.get(name)
            if declared is not None:
                value = _fitted(value, name, declared, reading)
        traits[name] = value
    except Unusable as error:
        reading.dropped(error)


def _fitted(value: Any, name: str, declared: TraitType, reading: Reading) -> Any:  # noqa: ANN401 - JSON
    """Bring a value to its declared type. Raises Unusable where it must not be kept."""
    if name == "email":
        return _email(value)
    if name == "avatar" and not (isinstance(value, str) and _ABSOLUTE_URL.fullmatch(value)):
        raise Unusable("traits.avatar is not an absolute http or https URL")
    if declared in (TraitType.DATE, TraitType.DATETIME):
        try:
            moment = iso(parse_time(value))
        except ValueError as error:
            raise Unusable(f"traits.{name} is {error}") from None
        return moment if declared is TraitType.DATETIME else moment[:10]
    if declared is TraitType.ANY or value_type(value) is declared:
        return value
    problem = f"traits.{name} is not of type {declared.value}"
    if reading.arrival.rules.types is Types.STRICT:
        raise Unusable(problem)
    reading.note(NoteCode.TYPE_CHANGED, f"{problem}; it was taken as it is")
    return value


def value_type(value: object) -> TraitType:
    """Tell which type a JSON value has."""
    if isinstance(value, str):
        return TraitType.STRING
    if isinstance(value, bool):
        return TraitType.BOOLEAN
    if isinstance(value, int | float):
        return TraitType.NUMBER
    return TraitType.ANY


def _email(value: object) -> str:
    email = normalise_email(value) if isinstance(value, str) else None
    if email is None:
        raise Unusable("traits.email is not an e-mail address; send null to unset it")
    return email


def _joined(company: Mapping[str, Any] | None, value: object, name: str) -> Any:  # noqa: ANN401 - raw
    """Join what `company` and `company_name` say into one raw object; an object's name wins."""
    if value is None:
        return company
    said = value if isinstance(value, Mapping) and name == "company" else {"name": value}
    return said if company is None else {**said, **company}


def _keep_company(traits: dict[str, Any], raw: Mapping[str, Any], reading: Reading) -> None:
    """Set apart what was said of the company, with its flat traits where it has a name or id."""
    position = raw.get("position")
    if position is not None:
        _keep(traits, "company_position", position, reading, STANDARD)
    try:
        company_id = clean_id(raw.get("id"), "traits.company.id")
    except Unusable as error:
        reading.dropped(error)
        company_id = None
    about = company_traits({n: v for n, v in raw.items() if n != "position"}, reading)
    name = about.get("name")
    if not (company_id or (isinstance(name, str) and name.strip())):
        reading.dropped(Unusable("traits.company has neither an id nor a name as text"))
        return
    for flat, own in (("company_size", "size"), ("company_industry", "industry")):
        if flat in traits:
            about.setdefault(own, traits.pop(flat))
    traits["company"] = {"id": company_id, "name": name, "traits": about}
