"""About 1,000 plainly fictional people of about 40 companies, as calls of the tracking spec.

`generate` is deterministic for its arguments. Every domain ends in `.example` (RFC 2606), apart
from one intranet-like address. Two people are there to show what a refusal looks like: one whose
plan, `platinum-legacy`, is no option of the CRM's picklist, and one whose e-mail, `REFUSED_EMAIL`,
passes crmsync's light check (a domain without a dot may be real) but not the CRM's.
"""

# ruff: noqa: SIM905 - a hundred names read better as text than as a list

from __future__ import annotations

import itertools
import json
import random
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

REFUSED_PLAN = "platinum-legacy"
REFUSED_EMAIL = "rosa.nakamura@harbourlight"
GOALS = ("plan_upgraded", "demo_booked")
"""The tracked events that the demo's crmsync.yaml counts as goals."""

_DAYS = 45
_SHARE_WITH_TWO_DEVICES = 0.2
_SHARE_OF_DEMOS = 0.15
_SHARE_WITH_ONE_NAME = 0.4
"""Of people of whom `name` is sent, rather than `first_name` and `last_name`."""
_FIRST_NAMES = (
    "Aaliyah Adaeze Aiko Alejandro Amara Amir Anders Anjali Anneli Arjun Astrid Ayodele Beatriz "
    "Birgit Bogdan Camila Carlos Chiara Chidi Daichi Dalia Darius Deepa Diego Dimitri Ebele Eirik "
    "Elif Elena Emeka Erik Esme Farah Fatima Femi Fiona Gabriela Giorgos Grace Hamid Hana Hassan "
    "Helga Hiroshi Ibrahim Ines Ingrid Isla Ivan Jamal Jana Javier Jin João Kamala Karim "
    "Katarzyna Keiko Kofi Kwame Laila Lars Leila Lerato Linh Luca Lucía Maja Malik Mariam Marek "
    "Mateo Mei Mila Mohan Nadia Naomi Nia Nikolai Noor Oluwaseun Omar Paloma Priya Quynh Rafael "
    "Rania Ravi Renata Rohan Rosa Ryo Saanvi Salma Samuel Sanna Sergei Shira Siobhán Sofia Soren "
    "Sunita Tariq Tendai Thandiwe Tomasz Ulla Valentina Viktor Wanjiru Wei Xiomara Yara Yosef "
    "Yuki Zainab Zoë"
).split()
_LAST_NAMES = (
    "Abara Adeyemi Aguilar Ahlgren Akhtar Alvarez Andersson Antonova Aoki Asante Baker Banerjee "
    "Bauer Belmonte Bergström Bianchi Castillo Chandra Chukwu Cohen Costa Dahl Delgado Demir "
    "Diallo Dlamini Dubois Eklund Eriksen Farouk Fernandes Fischer Fujita García Ghosh Gomes "
    "Haddad Hakimi Hansen Hashimoto Herrera Hoang Horvat Ibarra Ivanova Iyer Jansen Jensen Joshi "
    "Kamau Kapoor Karlsson Kim Kowalski Krüger Kumar Laurent Lindqvist Lopez Mahlangu Makinde "
    "Marino Mbeki Mehta Mendoza Moreau Mori Mwangi Nakamura Ndlovu Nguyen Novak Núñez O'Brien "
    "Oduya Okafor Olsen Ortiz Osei Park Patel Pereira Petrov Popescu Quispe Rahman Ramos Rossi "
    "Saito Salazar Santos Schmidt Sharma Silva Singh Sokolov Suzuki Tanaka Tesfaye Toivonen "
    "Torres Tran Traoré Usman Vargas Volkov Wanjala Weber Yamamoto Yilmaz Zhang Zhou Zielinski"
).split()
_COMPANY_WORDS = (
    ("Harbour Blue Cedar Copper Quiet North Bright Silver Amber Maple").split(),
    ("Light Loom Lantern Mill Orchard Field Anchor Compass Kiln Bridge").split(),
    ("Works Labs Foods Logistics Studio Energy Health Robotics").split(),
)
_INDUSTRIES = ("software", "logistics", "retail", "health", "energy", "food", "education")
_POSITIONS = ("Engineer", "Head of Sales", "Designer", "CFO", "Analyst", "Founder", "Support Lead")
_ROLES = ("admin", "member", "member", "member", "viewer")
_PLANS = ("free", "free", "free", "trial", "pro", "pro", "enterprise")
_PUBLIC_PAGES = ("/", "/pricing", "/features", "/docs", "/blog", "/customers")
_APP_PAGES = ("/app", "/app/reports", "/app/settings", "/docs")
_DEVICES = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 Version/18.0 Safari/605.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
)


@dataclass(frozen=True, slots=True)
class _Company:
    id: str
    name: str
    domain: str
    industry: str
    size: int


@dataclass(frozen=True, slots=True)
class _Person:
    number: int
    first_name: str
    last_name: str
    email: str
    plan: str
    company: _Company


def generate(now: datetime, *, people: int = 1000, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Yield calls (`identify`, `page`, `track`, `group`) of the 45 days before `now` (UTC).

    A person's calls come in the order of their time, about 7 for each; one visitor more for
    every 20 people never says who they are. `people` is at least 2.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up people, not secrets
    companies = _companies(dice, max(1, people // 25))
    refused_plan, refused_email = dice.sample(range(people), 2)
    taken: set[str] = set()
    for number in range(people):
        person = _person(dice, number, companies, taken)
        if number == refused_plan:
            person = replace(person, plan=REFUSED_PLAN)
        if number == refused_email:
            person = replace(
                person, first_name="Rosa", last_name="Nakamura", email=REFUSED_EMAIL, plan="pro"
            )
        yield from _person_story(dice, person, now)
    for number in range(people // 20):
        diary = _Diary(dice, f"visitor-{number}", now)
        diary.visit({"anonymousId": f"anon-v{number:04}"}, dice.choice(_DEVICES), 2)
        yield from diary.calls


def main() -> None:
    """Print the data set as JSON lines, for `crmsync ingest -`."""
    for call in generate(datetime.now(UTC)):
        sys.stdout.write(json.dumps(call, ensure_ascii=False) + "\n")


class _Diary:
    """One person's calls as they happen, with a clock that only goes forward to `now`."""

    def __init__(self, dice: random.Random, key: str, now: datetime) -> None:
        self.calls: list[dict[str, Any]] = []
        self._dice = dice
        self._key = key
        self._at = now - timedelta(days=dice.uniform(2, _DAYS))
        self._now = now

    def wait(self, *, days: float = 0, minutes: float = 0) -> None:
        """Let time pass, at most half of what is left until now."""
        left = self._now - self._at
        self._at += min(timedelta(days=days, minutes=minutes), left / 2)

    def write(self, kind: str, who: Mapping[str, str], device: str, **content: object) -> None:
        """Write down a call."""
        self.wait(minutes=self._dice.uniform(0.3, 4))
        time = self._at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        call = {"type": kind, "messageId": f"demo-{self._key}-{len(self.calls)}", "timestamp": time}
        self.calls.append({**call, **who, "context": {"userAgent": device}, **content})

    def visit(self, who: Mapping[str, str], device: str, pages: int) -> None:
        """Write down a visit of some pages."""
        for _ in range(pages):
            path = self._dice.choice(_APP_PAGES if "userId" in who else _PUBLIC_PAGES)
            properties = {"path": path, "url": f"https://www.lumenboard.example{path}"}
            self.write("page", who, device, name=path, properties=properties)


def _person_story(dice: random.Random, person: _Person, now: datetime) -> Iterator[dict[str, Any]]:
    """Tell one person's story: looks around, signs up, comes back, perhaps upgrades."""
    diary = _Diary(dice, f"{person.number:04}", now)
    device = dice.choice(_DEVICES)
    who = {"userId": f"u_{person.number:04}", "anonymousId": f"anon-{person.number:04}"}
    diary.visit({"anonymousId": who["anonymousId"]}, device, dice.randint(1, 3))
    pays = person.plan not in ("free", "trial")
    traits = _traits(dice, person) | {"plan": "trial" if pays else person.plan}
    diary.write("identify", who, device, traits=traits)
    about = {"name": person.company.name, "industry": person.company.industry}
    size = {"size": person.company.size}
    diary.write("group", who, device, groupId=person.company.id, traits=about | size)
    diary.wait(days=dice.uniform(0.2, 6))
    if dice.random() < _SHARE_WITH_TWO_DEVICES:
        who, device = _on_second_device(dice, diary, who)
    diary.visit(who, device, dice.randint(0, 2))
    if dice.random() < _SHARE_OF_DEMOS:
        diary.write("track", who, device, event="demo_booked", properties={"seats": 5})
    if pays:
        diary.wait(days=dice.uniform(0.5, 5))
        price = {"plan": person.plan, "revenue": dice.choice((49, 99, 99, 490, 990))}
        diary.write("track", who, device, event="plan_upgraded", properties=price)
        diary.write("identify", who, device, traits={"plan": person.plan})
    else:
        diary.write("track", who, device, event="report_viewed", properties={"report": "weekly"})
    yield from diary.calls


def _on_second_device(
    dice: random.Random, diary: _Diary, who: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """Look around on another device, then log in there: (ids, device) from then on."""
    other = {"anonymousId": who["anonymousId"] + "-b"}
    device = dice.choice(_DEVICES)
    diary.visit(other, device, 1)
    who = {**who, **other}
    diary.write("identify", who, device)
    return who, device


def _traits(dice: random.Random, person: _Person) -> dict[str, Any]:
    traits: dict[str, Any] = {
        "email": person.email,
        "role": dice.choice(_ROLES),
        "company_position": dice.choice(_POSITIONS),
    }
    if dice.random() < _SHARE_WITH_ONE_NAME:
        return traits | {"name": f"{person.first_name} {person.last_name}"}
    return traits | {"first_name": person.first_name, "last_name": person.last_name}


def _companies(dice: random.Random, count: int) -> list[_Company]:
    every = [" ".join(words) for words in itertools.product(*_COMPANY_WORDS)]
    return [
        _Company(
            id=f"org_{number:03}",
            name=name,
            domain=name.lower().replace(" ", "") + ".example",
            industry=dice.choice(_INDUSTRIES),
            size=dice.choice((4, 12, 35, 80, 220, 900, 4000)),
        )
        for number, name in enumerate(dice.sample(every, min(count, len(every))))
    ]


def _person(
    dice: random.Random, number: int, companies: list[_Company], taken: set[str]
) -> _Person:
    first, last = dice.choice(_FIRST_NAMES), dice.choice(_LAST_NAMES)
    company = dice.choice(companies)
    name = f"{_ascii(first)}.{_ascii(last)}"
    email = f"{name}@{company.domain}"
    if email in taken:
        email = f"{name}{number}@{company.domain}"
    taken.add(email)
    return _Person(number, first, last, email, dice.choice(_PLANS), company)


def _ascii(name: str) -> str:
    """Spell a name as e-mail addresses do."""
    plain = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


if __name__ == "__main__":
    main()
