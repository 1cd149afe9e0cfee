"""Section `ingest`: events through `POST /v1/batch`, durable before the 200, and bare inserts."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.backends import Backend
from bench.bare_inserts import insert_again
from bench.children import ROOT, run
from bench.figures import peak_mib, tree_cpu_seconds
from bench.product import Project
from bench.rivals import Wrong
from bench.senders import send
from bench.tables import Aim, Column, Section, median, number, times
from bench.visits import CALLS_A_BODY
from crmsync.store.database import Database
from crmsync.store.tables import events as events_table

CLIENTS = 4
SHARE_OF_FLOOR = {"SQLite": 0.25, "PostgreSQL": 0.4}
LEAST_PER_SECOND = 3_000
NOBODY = "http://127.0.0.1:9"
"""Where the CRM would be: nothing is pushed here."""

COLUMNS = (
    Column("name", "what"),
    Column("events", "events", number()),
    Column("seconds", "wall s", number(2)),
    Column("per_second", "events/s", number()),
    Column("of_floor", "of floor", times),
    Column("cpu_per_10k", "CPU s per 10k", number(2)),
    Column("peak_mib", "peak MiB", number()),
    Column("median_ms", "median ms a call", number(1)),
    Column("longest_ms", "longest ms", number(1)),
)


@dataclass(frozen=True, slots=True)
class Lap:
    """One round on one database."""

    seconds: float
    cpu_seconds: float | None
    """Of the API's process."""
    peak_mib: float
    median_seconds: float
    longest_seconds: float
    floor_seconds: float
    floor_cpu_seconds: float


def measure(folder: Path, databases: Sequence[Backend], events: int, rounds: int) -> Section:
    """Send so many events to a fresh database, several rounds each, databases in turn."""
    laps: dict[str, list[Lap]] = {_short(backend): [] for backend in databases}
    for place in range(rounds):
        for backend in databases:
            laps[_short(backend)].append(
                _lap(folder / f"{_short(backend)}-{place}", backend, events)
            )
    rows = [row for name, of_database in laps.items() for row in _rows(name, of_database, events)]
    notes = [
        f"middle of {rounds} rounds; {CLIENTS} clients, {CALLS_A_BODY} calls a body",
        "CPU and memory are the API's, or those of the process that inserts; not the clients'",
    ]
    title = f"{events:,} events through POST /v1/batch, durable before the 200"
    return Section("ingest", title, COLUMNS, rows, list(_aims(rows)), notes)


def _lap(folder: Path, backend: Backend, events: int) -> Lap:
    project = Project(folder, NOBODY, backend.new_database(), backend.broker_url)
    project.write()
    with _api(project) as (url, process):
        before = tree_cpu_seconds(process.pid)
        figures, said = run(send, url=url, key=project.write_key, events=events, clients=CLIENTS)
        after = tree_cpu_seconds(process.pid)
        peak = peak_mib(process.pid)
    _check(project.database_url, events)
    target = backend.new_database()
    commits = math.ceil(events / CALLS_A_BODY)
    floor, _ = run(insert_again, source=project.database_url, target=target, commits=commits)
    return Lap(
        seconds=figures.seconds,
        cpu_seconds=None if before is None or after is None else after - before,
        peak_mib=peak,
        median_seconds=said["median"],
        longest_seconds=said["longest"],
        floor_seconds=floor.seconds,
        floor_cpu_seconds=floor.cpu_seconds,
    )


@contextmanager
def _api(project: Project) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.serve"],
        cwd=ROOT,
        env=project.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        yield process.stdout.readline().strip(), process
    finally:
        process.terminate()
        process.wait()


def _check(url: str, events: int) -> None:
    """See that every event that was answered for is there."""
    database = Database(url)
    with database.read() as connection:
        kept = connection.execute(select(func.count()).select_from(events_table)).scalar_one()
    database.dispose()
    if kept != events:
        raise Wrong(f"{kept} of {events} events were kept")


def _rows(name: str, laps: Sequence[Lap], events: int) -> Iterator[dict[str, Any]]:
    floor = median([lap.floor_seconds for lap in laps])
    yield {
        "name": f"floor: bare inserts, {name}",
        "events": events,
        "seconds": floor,
        "per_second": events / floor,
        "of_floor": 1.0,
        "cpu_per_10k": median([lap.floor_cpu_seconds for lap in laps]) * 10_000 / events,
        "peak_mib": None,
        "median_ms": None,
        "longest_ms": None,
    }
    seconds = median([lap.seconds for lap in laps])
    cpu = [lap.cpu_seconds for lap in laps if lap.cpu_seconds is not None]
    yield {
        "name": f"crmsync API on {name}",
        "events": events,
        "seconds": seconds,
        "per_second": events / seconds,
        "of_floor": median([lap.floor_seconds / lap.seconds for lap in laps]),
        "cpu_per_10k": median(cpu) * 10_000 / events if cpu else None,
        "peak_mib": max(lap.peak_mib for lap in laps),
        "median_ms": median([lap.median_seconds for lap in laps]) * 1000,
        "longest_ms": max(lap.longest_seconds for lap in laps) * 1000,
    }


def _aims(rows: Sequence[dict[str, Any]]) -> Iterator[Aim]:
    for row in rows:
        database = row["name"].rpartition(" on ")[2]
        if database not in SHARE_OF_FLOOR:
            continue
        wanted, share, speed = SHARE_OF_FLOOR[database], row["of_floor"], row["per_second"]
        yield Aim(f"{database}: at least {wanted} of the floor", times(share), share >= wanted)
        least = f"{database}: at least {LEAST_PER_SECOND:,} events/s"
        yield Aim(least, f"{speed:,.0f}/s", speed >= LEAST_PER_SECOND)


def _short(backend: Backend) -> str:
    """Return the database's name alone: ingest needs no broker."""
    return backend.name.partition(" ")[0]
