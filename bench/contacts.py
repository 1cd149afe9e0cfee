"""The people of the measurements: ten mapped fields each, three of which change every round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FIELDS = {
    "email": "email",
    "firstname": "first_name",
    "lastname": "last_name",
    "phone": "phone",
    "website": "homepage",
    "industry": "branch",
    "country": "country",
    "jobtitle": "company_position",
    "city": "city",
    "zip": "postcode",
}
"""The CRM's field: our trait."""
CHANGING = ("jobtitle", "city", "zip")
"""Somebody took another job and moved."""
OWN_TRAITS = ("homepage", "branch", "country", "city", "postcode")
"""Those that are not among the tracking specification's."""

_FIRST_NAMES = ("Amara", "Birgit", "Chidi", "Dalia", "Emeka", "Fiona", "Giorgos", "Hana")
_LAST_NAMES = ("Andersson", "Banerjee", "Costa", "Dlamini", "Eklund", "Fischer", "Gomes")
_JOBS = ("Head of Sales", "Software Engineer", "Founder", "Analyst", "Support Lead")
_CITIES = ("Lisbon", "Gothenburg", "Kraków", "Valencia", "Utrecht", "Thessaloniki")


def fields(number: int, edition: int, population: str) -> dict[str, str]:
    """Return what the CRM should hold of one person in one round."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number % len(_LAST_NAMES)]
    return {
        "email": f"{first}.{last}.{number}@{population}.example".lower(),
        "firstname": first,
        "lastname": f"{last} {number}",
        "phone": f"+46 31 {number:07}",
        "website": f"https://www.{population}.example/people/{number}",
        "industry": "Professional services",
        "country": "Sweden",
        "jobtitle": f"{_JOBS[(number + edition) % len(_JOBS)]} {edition}",
        "city": _CITIES[(number + edition) % len(_CITIES)],
        "zip": f"{(number + 7919 * edition) % 100_000:05}",
    }


def identify(number: int, edition: int, population: str) -> dict[str, Any]:
    """Return the call that tells us so."""
    said = fields(number, edition, population)
    return {
        "type": "identify",
        "messageId": f"{population}-{number}-{edition}",
        "userId": f"user-{number}",
        "traits": {trait: said[field] for field, trait in FIELDS.items()},
    }


def everybody(count: int, edition: int, population: str) -> Iterator[dict[str, str]]:
    """Yield what the CRM should hold of everybody."""
    return (fields(number, edition, population) for number in range(count))


def is_as_told(held: Mapping[str, str], edition: int, population: str) -> bool:
    """Say whether a record of the CRM holds what was last said of that person."""
    person = int(held["email"].partition("@")[0].rpartition(".")[2])
    return all(held[name] == value for name, value in fields(person, edition, population).items())
