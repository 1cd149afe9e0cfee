"""Section `limits`: all is delivered under 50 calls per 10 s, and none of them too many."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

from bench.children import run
from bench.contacts import is_as_told
from bench.crm import simulated_hubspot, traffic
from bench.product import PLENTY, Project, drain_all, standing, take_everybody, timed_drain
from bench.tables import Aim, Column, Section, number, times

CALLS_PER_WINDOW = 50
WINDOW_SECONDS = 10
BATCH = 100
LATENCY_SECONDS = 0.05
SLOWEST = 1.15
POPULATION = "limits"

COLUMNS = (
    Column("contacts", "contacts", number()),
    Column("needed", "calls needed", number()),
    Column("calls", "calls made", number()),
    Column("refused", "refused (429)", number()),
    Column("peak", "peak calls in 10 s", number()),
    Column("possible", "possible s", number(2)),
    Column("seconds", "took s", number(2)),
    Column("ratio", "took / possible", times),
)


def possible_seconds(calls: int) -> float:
    """Return the least time in which so many calls can be made: full windows, then one call."""
    return (calls - 1) // CALLS_PER_WINDOW * WINDOW_SECONDS + LATENCY_SECONDS


def measure(folder: Path, contacts: int) -> Section:
    """Change so many contacts and push them under the limit, both sides knowing of it."""
    with simulated_hubspot() as crm:
        project = Project(folder, crm.url, f"sqlite:///{folder / 'limits.db'}")
        works = project.prepare()
        take_everybody(works, contacts, 0, POPULATION)
        drain_all(works)
        prepared_at = time.monotonic()
        take_everybody(works, contacts, 1, POPULATION)
        limited = replace(project, limits={**PLENTY, "calls_per_10s": CALLS_PER_WINDOW})
        limited.write()
        crm.settings(limits=True, calls_per_10s=CALLS_PER_WINDOW, daily_calls=100_000_000)
        crm.settings(latency_seconds=LATENCY_SECONDS)
        crm.advance(WINDOW_SECONDS)
        crm.clear_ledger()
        # What the preparation has just sent counts in our own window: let it pass.
        time.sleep(max(0.0, prepared_at + WINDOW_SECONDS + 1 - time.monotonic()))
        figures, _ = run(timed_drain, project=limited.plain())
        seen, stand = traffic(crm), standing(works)
        held = crm.records("contacts", stand.crm_ids)
        peak = crm.peak(WINDOW_SECONDS)
        works.store.database.dispose()
    possible = possible_seconds(math.ceil(contacts / BATCH))
    row = {
        "contacts": contacts,
        "needed": math.ceil(contacts / BATCH),
        "calls": seen.calls,
        "refused": seen.refused,
        "peak": peak,
        "possible": possible,
        "seconds": figures.seconds,
        "ratio": figures.seconds / possible,
    }
    right = all(is_as_told(record["properties"], 1, POPULATION) for record in held)
    delivered = not stand.waiting and right and stand.logged == 2 * contacts
    limit = f"{CALLS_PER_WINDOW} calls per {WINDOW_SECONDS} s"
    return Section(
        "limits",
        f"Under a limit of {limit}, {LATENCY_SECONDS * 1000:.0f} ms latency",
        COLUMNS,
        [row],
        [
            Aim("everything is delivered", f"{stand.waiting} waiting", delivered, counted=True),
            Aim("no call is refused", f"{seen.refused}", not seen.refused, counted=True),
            Aim(f"never more than {limit}", f"{peak}", peak <= CALLS_PER_WINDOW, counted=True),
            Aim(
                f"within {SLOWEST}x of the possible time",
                times(row["ratio"]),
                row["ratio"] <= SLOWEST,
            ),
        ],
    )
