"""Section `calls`: what changes cost in API calls. Counts only; no machine's speed changes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contacts import CHANGING, identify
from bench.crm import is_write, simulated_hubspot, traffic
from bench.product import Project, drain_all, take, take_everybody
from bench.tables import Aim, Column, Section, number
from crmsync.sandbox import Control

CONTACTS = 1_000
FEW = 10
BURST = 100
POPULATION = "calls"
Call = dict[str, Any]

COLUMNS = (
    Column("case", "what came in"),
    Column("events", "events", number()),
    Column("writes", "write calls", number()),
    Column("expected", "expected", number()),
    Column("calls", "all calls", number()),
    Column("fields", "fields sent"),
    Column("bytes_in", "bytes", number()),
)


@dataclass(frozen=True, slots=True)
class Case:
    """Events that come in between two pushes, and the write calls they may cost."""

    text: str
    calls: Sequence[Call]
    expected: int
    fields: frozenset[str] = frozenset()


def measure(folder: Path) -> Section:
    """Push a thousand contacts, then count what each kind of change costs."""
    with simulated_hubspot() as crm:
        crm.settings(ledger_bodies=True)
        works = Project(folder, crm.url, f"sqlite:///{folder / 'calls.db'}").prepare()
        take_everybody(works, CONTACTS, 0, POPULATION)
        drain_all(works)
        rows = []
        for case in cases():
            crm.clear_ledger()
            take(works, case.calls)
            drain_all(works)
            rows.append(_row(case, crm))
        works.store.database.dispose()
    return Section(
        "calls",
        f"Calls that changes cost, {CONTACTS:,} contacts in sync",
        COLUMNS,
        [{**row, "fields": ", ".join(row["fields"]) or "-"} for row in rows],
        [_aim(case, row) for case, row in zip(cases(), rows, strict=True)],
    )


def cases() -> Iterator[Case]:
    """Yield the cases, in the order in which they must come."""
    changing = frozenset(CHANGING)
    everybody, few = range(CONTACTS), range(FEW)
    now = [2 if n < FEW else 1 for n in everybody]
    yield Case("all changed", [identify(n, 1, POPULATION) for n in everybody], 10, changing)
    yield Case("1 % changed", [identify(n, 2, POPULATION) for n in few], 1, changing)
    same = [_again("same", n, now[n]) for n in everybody]
    yield Case("the same traits again", same, 0)
    colour = [
        {**_again("colour", n, now[n]), "traits": {"favourite_colour": "blue"}} for n in everybody
    ]
    yield Case("a trait changed that no mapping reads", colour, 0)
    pages = [{**_again("page", n, now[n]), "type": "page", "traits": {}} for n in everybody]
    yield Case("a page viewed", pages, 0)
    there = [_again("there", n, 3) for n in everybody]
    back = [_again("back", n, now[n]) for n in everybody]
    yield Case("changed and changed back before the push", there + back, 0)
    burst = [_again(f"burst-{n}", 0, 4 + n) for n in range(BURST)]
    yield Case(f"one contact changed {BURST} times", burst, 1, changing)


def _again(label: str, person: int, edition: int) -> Call:
    return {**identify(person, edition, POPULATION), "messageId": f"{label}-{person}"}


def _row(case: Case, crm: Control) -> dict[str, Any]:
    seen = traffic(crm)
    bodies = [entry["body"] for entry in crm.ledger() if is_write(entry["method"], entry["path"])]
    fields = {name for body in bodies for i in body["inputs"] for name in i["properties"]}
    return {
        "case": case.text,
        "events": len(case.calls),
        "writes": seen.writes,
        "expected": case.expected,
        "calls": seen.calls,
        "fields": sorted(fields),
        "bytes_in": seen.bytes_in,
    }


def _aim(case: Case, row: dict[str, Any]) -> Aim:
    right = row["writes"] == case.expected and set(row["fields"]) <= case.fields
    fields = f", only {', '.join(sorted(case.fields))}" if case.fields else ""
    got = f"{row['writes']}{', ' + ', '.join(row['fields']) if row['fields'] else ''}"
    text = f"{case.text}: {case.expected} write calls{fields}"
    return Aim(text, got, right, counted=True)
