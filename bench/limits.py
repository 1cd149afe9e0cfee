"""Section `limits`: all is delivered under a CRM's limits, none of its calls too many.

Salesforce is left out: its limits are the day's calls, and calls that take 20 s and more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.children import run
from bench.crms import HUBSPOT, PIPEDRIVE, ZOHO, Crm
from bench.figures import Figures
from bench.product import Project, drain_all, standing, take_everybody, timed_drain
from bench.simulated import ALL, Traffic, most_at_once, simulated, traffic
from bench.tables import Aim, Column, Section, number, times
from crmsync.sandbox import Control
from crmsync.sync.context import Works

SLOWEST = 1.15
POPULATION = "limits"
CREDITS, TOKENS = 5_000, 30_000
"""Of a day, on the lowest tiers. What the preparation has used is gone, for crmsync."""

COLUMNS = (
    Column("crm", "CRM"),
    Column("limit", "limit"),
    Column("contacts", "contacts", number()),
    Column("needed", "calls needed", number()),
    Column("calls", "calls made", number()),
    Column("refused", "refused", number()),
    Column("peak", "peak", number()),
    Column("spent", "tokens, credits", number()),
    Column("worth", "needed", number()),
    Column("possible", "possible s", number(2)),
    Column("seconds", "took s", number(2)),
    Column("ratio", "took / possible", times),
)


@dataclass(frozen=True, slots=True)
class Window:
    """So many calls within any so many seconds."""

    amount: int
    seconds: int

    def __str__(self) -> str:
        """Say it."""
        return f"{self.amount} calls per {self.seconds} s"

    def possible_seconds(self, calls: int, latency_seconds: float) -> float:
        """Return the least time in which so many calls can be made: full windows, then one."""
        return (calls - 1) // self.amount * self.seconds + latency_seconds

    def peak(self, control: Control) -> int:
        """Return the most calls of any window, wherever it begins."""
        return control.peak(self.seconds)


@dataclass(frozen=True, slots=True)
class AtOnce:
    """So many calls under way together."""

    amount: int
    seconds: int = 0

    def __str__(self) -> str:
        """Say it."""
        return f"{self.amount} calls at once"

    def possible_seconds(self, calls: int, latency_seconds: float) -> float:
        """Return the least time in which so many calls can be made, each taking the latency."""
        return math.ceil(calls / self.amount) * latency_seconds

    def peak(self, control: Control) -> int:
        """Return the most calls that were under way together."""
        return most_at_once(control.ledger(bodies=False, limit=ALL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A CRM under one of its limits, both sides knowing of it."""

    crm: Crm
    limit: Window | AtOnce
    contacts: int
    quick_contacts: int
    latency_seconds: float
    ours: Mapping[str, int]
    """`limits:` of the connection."""
    theirs: Mapping[str, Any]
    """The same of the simulated account."""
    prices: int = 0
    """What a call with a full batch costs of the day's allowance, where calls have prices."""
    spent: Callable[[Control], int] = field(default=lambda _: 0)
    """What was used of it so far."""

    def calls(self, contacts: int) -> int:
        """Return how many calls so many contacts need."""
        return math.ceil(contacts / self.crm.batch)


LIMITED = (
    Limited(
        crm=HUBSPOT,
        limit=Window(50, 10),
        contacts=10_500,
        quick_contacts=5_500,
        latency_seconds=0.05,
        ours={"calls_per_10s": 50},
        theirs={"calls_per_10s": 50, "daily_calls": 100_000_000},
    ),
    Limited(
        crm=ZOHO,
        limit=AtOnce(5),
        contacts=10_000,
        quick_contacts=5_000,
        # A slow CRM: or else this machine, not the limit, says how long it takes.
        latency_seconds=1.0,
        ours={"concurrent_calls": 5, "daily_credits": CREDITS},
        theirs={"concurrency": 5, "credits_per_day": CREDITS},
        prices=10,
        spent=lambda control: int(control.act("credits_used")),
    ),
    Limited(
        crm=PIPEDRIVE,
        limit=Window(80, 2),
        contacts=740,
        quick_contacts=380,
        latency_seconds=0.05,
        ours={"calls_per_2s": 80, "daily_tokens": TOKENS},
        theirs={"calls_per_2s": 80, "daily_tokens": TOKENS},
        prices=5,
        spent=lambda control: TOKENS - int(control.act("tokens_left")),
    ),
)


def measure(folder: Path, crms: Sequence[Crm], *, quick: bool) -> Section:
    """Change contacts of each CRM and push them under its limit."""
    rows: list[dict[str, Any]] = []
    aims: list[Aim] = []
    for limited in LIMITED:
        if limited.crm in crms:
            contacts = limited.quick_contacts if quick else limited.contacts
            row = _pushed(folder / limited.crm.name, limited, contacts)
            rows.append(row)
            aims += _aims(limited, row)
    return Section("limits", "Under the limits of an account", COLUMNS, rows, aims)


def _pushed(folder: Path, limited: Limited, contacts: int) -> dict[str, Any]:
    crm = limited.crm
    with simulated(crm) as control:
        project = Project(folder, control.url, f"sqlite:///{folder}.db", crm_name=crm.name)
        works = project.prepare()
        take_everybody(works, contacts, 0, POPULATION)
        drain_all(works)
        prepared_at = time.monotonic()
        take_everybody(works, contacts, 1, POPULATION)
        limited_project = replace(project, limits=limited.ours)
        limited_project.write()
        control.settings(limits=True, latency_seconds=limited.latency_seconds, **limited.theirs)
        control.advance(limited.limit.seconds)
        # What the preparation has just sent counts in our own window: let it pass.
        time.sleep(max(0.0, prepared_at + limited.limit.seconds + 1 - time.monotonic()))
        control.clear_ledger()
        spent = limited.spent(control)
        figures, _ = run(timed_drain, project=limited_project.plain())
        spent = limited.spent(control) - spent
        row = _row(limited, contacts, figures, traffic(control), limited.limit.peak(control))
        row |= {"spent": spent if limited.prices else None, **_delivered(crm, control, works)}
        works.store.database.dispose()
    return row


def _row(
    limited: Limited, contacts: int, figures: Figures, seen: Traffic, peak: int
) -> dict[str, Any]:
    needed = limited.calls(contacts)
    possible = limited.limit.possible_seconds(needed, limited.latency_seconds)
    return {
        "crm": limited.crm.label,
        "limit": str(limited.limit),
        "contacts": contacts,
        "needed": needed,
        "calls": seen.calls,
        "refused": seen.refused,
        "peak": peak,
        "worth": needed * limited.prices or None,
        "possible": possible,
        "seconds": figures.seconds,
        "ratio": figures.seconds / possible,
    }


def _delivered(crm: Crm, control: Control, works: Works) -> dict[str, Any]:
    """Return how many wait, how many writes succeeded, and whether what is held is right."""
    stand = standing(works)
    held, labels = control.records(crm.object_type, stand.crm_ids), crm.labels(control)
    right = all(crm.is_as_told(r["properties"], labels, 1, POPULATION) for r in held)
    return {"waiting": stand.waiting, "logged": stand.logged, "right": right}


def _aims(limited: Limited, row: Mapping[str, Any]) -> Iterator[Aim]:
    name, waiting = limited.crm.label, row["waiting"]
    delivered = not waiting and row["right"] and row["logged"] == 2 * row["contacts"]
    yield Aim(f"{name}: everything is delivered", f"{waiting} waiting", delivered, counted=True)
    yield Aim(f"{name}: no call is refused", str(row["refused"]), not row["refused"], counted=True)
    yield Aim(
        f"{name}: never more than {limited.limit}",
        str(row["peak"]),
        row["peak"] <= limited.limit.amount,
        counted=True,
    )
    yield Aim(
        f"{name}: within {SLOWEST}x of the possible time",
        times(row["ratio"]),
        row["ratio"] <= SLOWEST,
    )
