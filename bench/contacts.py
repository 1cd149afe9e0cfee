"""The people of the measurements: ten mapped traits each, three of which change every round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CHANGING = ("company_position", "city", "postcode")
"""Somebody took another job and moved."""
OWN_TRAITS = ("homepage", "branch", "country", "city", "postcode")
"""Those that are not among the tracking specification's."""

_FIRST_NAMES = ("Amara", "Birgit", "Chidi", "Dalia", "Emeka", "Fiona", "Giorgos", "Hana")
_LAST_NAMES = ("Andersson", "Banerjee", "Costa", "Dlamini", "Eklund", "Fischer", "Gomes")
_JOBS = ("Head of Sales", "Software Engineer", "Founder", "Analyst", "Support Lead")
_CITIES = ("Lisbon", "Gothenburg", "Kraków", "Valencia", "Utrecht", "Thessaloniki")


def traits(number: int, edition: int, population: str) -> dict[str, str]:
    """Return what is known of one person in one round."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number % len(_LAST_NAMES)]
    return {
        "email": f"{first}.{last}.{number}@{population}.example".lower(),
        "first_name": first,
        "last_name": f"{last} {number}",
        "phone": f"+46 31 {number:07}",
        "homepage": f"https://www.{population}.example/people/{number}",
        "branch": "Professional services",
        "country": "Sweden",
        "company_position": f"{_JOBS[(number + edition) % len(_JOBS)]} {edition}",
        "city": _CITIES[(number + edition) % len(_CITIES)],
        "postcode": f"{(number + 7919 * edition) % 100_000:05}",
    }


TRAITS = tuple(traits(0, 0, ""))
"""Their names, in order."""


def identify(number: int, edition: int, population: str) -> dict[str, Any]:
    """Return the call that tells us so."""
    return {
        "type": "identify",
        "messageId": f"{population}-{number}-{edition}",
        "userId": f"user-{number}",
        "traits": traits(number, edition, population),
    }


def everybody(count: int, edition: int, population: str) -> Iterator[dict[str, str]]:
    """Yield what is known of everybody."""
    return (traits(number, edition, population) for number in range(count))


def number_of(email: str) -> int:
    """Return whose address it is."""
    return int(email.partition("@")[0].rpartition(".")[2])
