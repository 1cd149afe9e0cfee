"""Section `calls`: what changes cost in API calls. Counts only; no machine's speed changes them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contacts import CHANGING, everybody, identify
from bench.crms import Crm
from bench.product import Project, drain_all, standing, take
from bench.simulated import ALL, simulated
from bench.tables import Aim, Column, Section, number
from crmsync.sandbox import Control
from crmsync.sync.context import Works

CONTACTS = 1_000
FEW = 10
BURST = 100
NAMED = ("email", "first_name", "last_name", "phone")
"""What is known of whoever was there before."""
POPULATION = "calls"
Event = dict[str, Any]

COLUMNS = (
    Column("crm", "CRM"),
    Column("case", "what came in"),
    Column("events", "events", number()),
    Column("writes", "write calls", number()),
    Column("most_writes", "at most", number()),
    Column("reads", "read calls", number()),
    Column("most_reads", "at most", number()),
    Column("metadata", "metadata", number()),
    Column("fields", "fields sent"),
    Column("bytes_in", "bytes", number()),
)


@dataclass(frozen=True, slots=True)
class Case:
    """Events that come in between two pushes, and what they may cost."""

    text: str
    events: Sequence[Event]
    changed: int
    """Contacts of whom any value that is sent changes."""
    traits: frozenset[str] | None = frozenset()
    """Of which the fields may be sent; None: any."""
    first: bool = False
    """Whether nobody is linked to a record yet."""

    def most_writes(self, crm: Crm) -> int:
        """Return how many write calls it may cost."""
        return math.ceil(self.changed / crm.batch)

    def most_reads(self, crm: Crm) -> int:
        """Return how many calls that read records it may cost."""
        return crm.first_reads if self.first else 0

    def fields(self, crm: Crm) -> set[str]:
        """Return the fields that may be sent."""
        return {t for t, ours in crm.fields.items() if self.traits is None or ours in self.traits}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the CRM saw of a case."""

    calls: Mapping[str, int]
    """By kind."""
    bytes_in: int
    records: int
    """That it holds in the end."""
    waiting: int
    """Links of ours with anything left to do."""
    fields: Sequence[str]


def measure(folder: Path, crms: Sequence[Crm]) -> Section:
    """Push a thousand contacts to each CRM, then count what each kind of change costs."""
    rows, aims = [], []
    for crm in crms:
        for seeded, some in ((True, [adoption()]), (False, list(cases()))):
            place = folder / f"{crm.name}-{'there' if seeded else 'new'}"
            for case, seen in _counted(crm, place, some, seeded=seeded):
                rows.append(_row(crm, case, seen))
                aims.append(aim(crm, case, seen))
    title = f"Calls that changes cost, {CONTACTS:,} contacts"
    return Section("calls", title, COLUMNS, rows, aims)


def adoption() -> Case:
    """Return the case that needs records which are there before."""
    return _everybody("first push, all there by e-mail", 0, first=True)


def cases() -> Iterator[Case]:
    """Yield the cases, in the order in which they must come."""
    changing = frozenset(CHANGING)
    yield _everybody("first push, all new", 0, first=True)
    yield _everybody("all changed", 1, traits=changing)
    few = [identify(n, 2, POPULATION) for n in range(FEW)]
    yield Case("1 % changed", few, FEW, changing)
    now = [2 if n < FEW else 1 for n in range(CONTACTS)]
    same = [_again("same", n, edition) for n, edition in enumerate(now)]
    yield Case("unchanged: the same traits again", same, 0)
    colour = [{**event, "traits": {"favourite_colour": "blue"}} for event in _renamed(same, "blue")]
    yield Case("touched: a trait that no mapping reads", colour, 0)
    pages = [{**event, "type": "page", "traits": {}} for event in _renamed(same, "page")]
    yield Case("touched: a page viewed", pages, 0)
    there = [_again("there", n, 3) for n in range(CONTACTS)]
    yield Case("touched: changed and changed back", there + _renamed(same, "back"), 0)
    burst = [_again(f"burst-{n}", 0, 4 + n) for n in range(BURST)]
    yield Case(f"one contact changed {BURST} times", burst, 1, changing)


def _everybody(
    text: str, edition: int, *, traits: frozenset[str] | None = None, first: bool = False
) -> Case:
    events = [identify(n, edition, POPULATION) for n in range(CONTACTS)]
    return Case(text, events, CONTACTS, traits, first)


def _again(label: str, person: int, edition: int) -> Event:
    return {**identify(person, edition, POPULATION), "messageId": f"{label}-{person}"}


def _renamed(events: Sequence[Event], label: str) -> list[Event]:
    return [{**event, "messageId": f"{label}-{event['messageId']}"} for event in events]


def _counted(
    crm: Crm, folder: Path, some: Sequence[Case], *, seeded: bool
) -> Iterator[tuple[Case, Seen]]:
    """Yield what an account saw of cases that come one after the other."""
    with simulated(crm) as control:
        control.settings(ledger_bodies=True)
        works = Project(folder, control.url, f"sqlite:///{folder}.db", crm_name=crm.name).prepare()
        if seeded:
            control.seed(crm.object_type, map(crm.typed, _as_entered(crm)))
        for case in some:
            yield case, _pushed(crm, control, works, case)
        works.store.database.dispose()


def _as_entered(crm: Crm) -> Iterator[dict[str, str]]:
    """Yield contacts as somebody typed them in: a name, an address and a phone number."""
    for person in everybody(CONTACTS, 0, POPULATION):
        yield crm.record({trait: person[trait] for trait in NAMED})


def _pushed(crm: Crm, control: Control, works: Works, case: Case) -> Seen:
    take(works, case.events)
    control.clear_ledger()
    drain_all(works)
    entries = control.ledger(limit=ALL)
    labels = crm.labels(control)
    writes = [entry for entry in entries if crm.kind(entry) == "write"]
    return Seen(
        Counter(crm.kind(entry) for entry in entries),
        sum(entry["bytes_in"] for entry in entries),
        int(control.about()["objects"][crm.object_type]),
        standing(works).waiting,
        sorted(set().union(*(crm.fields_sent(entry, labels) for entry in writes))),
    )


def _row(crm: Crm, case: Case, seen: Seen) -> dict[str, Any]:
    return {
        "crm": crm.label,
        "case": case.text,
        "events": len(case.events),
        "writes": seen.calls["write"],
        "most_writes": case.most_writes(crm),
        "reads": seen.calls["read"],
        "most_reads": case.most_reads(crm),
        "metadata": seen.calls["metadata"],
        "fields": _named(seen.fields),
        "bytes_in": seen.bytes_in,
    }


def aim(crm: Crm, case: Case, seen: Seen) -> Aim:
    """Say whether a case cost no more than it may, and all is there once."""
    writes, reads, allowed = case.most_writes(crm), case.most_reads(crm), case.fields(crm)
    reached = (
        seen.calls["write"] <= writes
        and seen.calls["read"] <= reads
        and set(seen.fields) <= allowed
        and (seen.records, seen.waiting) == (CONTACTS, 0)
    )
    only = f", only {_named(sorted(allowed))}" if case.traits else ""
    return Aim(
        f"{crm.label}, {case.text}: at most {writes:,} write and {reads} read calls{only}",
        f"{seen.calls['write']:,} and {seen.calls['read']}, {seen.records:,} records",
        reached,
        counted=True,
    )


def _named(fields: Sequence[str]) -> str:
    """Name a few fields, and count many."""
    return ", ".join(fields) if 0 < len(fields) <= len(CHANGING) else f"{len(fields) or '-'}"
