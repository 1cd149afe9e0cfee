"""Section `push`: contacts of which 3 of 10 fields changed, against the floor and the plain script.

Of those CRMs that have a plain call for many records (`floor.BULKS`) and a library of their own.
All rivals write to one simulated CRM, each to contacts of its own, one after the other; the order
turns round from round to round, so that a machine that slows down slows down all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.backends import Backend
from bench.crms import HUBSPOT, Crm
from bench.figures import Figures
from bench.rivals import SCRIPTS, Floor, Product, Rival, Script, Seeded, Wrong
from bench.simulated import Traffic, simulated, traffic
from bench.tables import Aim, Column, Section, median, number, times
from crmsync.sandbox import Control

THREADS = 8
COMPARED_WITH_OTHERS = HUBSPOT
COMMERCIAL_CPU_SECONDS = 1.84
"""Of a stateless commercial client for 10,000 contacts, on two cores at 50 ms."""
OTHERS = {
    "stateless commercial client": 0.41,
    "8-thread script": 0.32,
    "dlt": 0.18,
    "open-source tool with state": 0.0005,
}
"""Records per second of other tools as a share of the floor's, on two cores at 50 ms."""
AIMED_LATENCY_MS = 50
SLOWEST = 2.0
MOST_CPU = 0.6
MOST_BYTES = 0.55
MOST_MIB = 150
NOISE = 1.05
"""What two runs of the same thing differ by: no less is called a higher cost."""

COLUMNS = (
    Column("latency_ms", "latency ms", number()),
    Column("name", "what"),
    Column("contacts", "contacts", number()),
    Column("seconds", "wall s", number(2)),
    Column("per_second", "records/s", number()),
    Column("of_floor", "of floor", times),
    Column("cpu_per_10k", "CPU s per 10k", number(2)),
    Column("server_cpu_per_10k", "servers' CPU s", number(2)),
    Column("peak_mib", "peak MiB", number()),
    Column("bytes_in", "bytes sent", number()),
    Column("bytes_of_floor", "of floor", times),
    Column("calls", "calls", number()),
)


@dataclass(frozen=True, slots=True)
class Lap:
    """One rival's push in one round."""

    figures: Figures
    server_cpu_seconds: float | None
    seen: Traffic


@dataclass(frozen=True, slots=True)
class Course:
    """What is run."""

    crm: Crm
    contacts: int
    latencies: Sequence[int]
    """Of the CRM, in milliseconds."""
    rounds: int


def measure(folder: Path, databases: Sequence[Backend], course: Course) -> Section:
    """Measure all rivals at each latency, several rounds; the middle of each is shown."""
    crm, contacts = course.crm, course.contacts
    with simulated(crm) as control:
        seeded = Seeded(crm, control, contacts)
        products = _products(folder, crm, control, databases, contacts)
        [library, job], table = SCRIPTS[crm.name], folder / f"{crm.name}-script.db"
        rivals: list[Rival] = [
            Floor(f"floor: requests, {THREADS} threads", seeded, THREADS),
            Script(f"{library}, 1 thread", job, seeded, 1, table),
            Script(f"{library}, {THREADS} threads", job, seeded, THREADS, table),
            *products,
        ]
        laps = _run(control, rivals, course)
        notes = _notes(course, products)
        for product in products:
            product.close()
    rows = [
        _row(
            rival.name, contacts, latency, laps[rival.name, latency], laps[rivals[0].name, latency]
        )
        for latency in course.latencies
        for rival in rivals
    ]
    title = f"{crm.label}: {contacts:,} contacts of which 3 of 10 fields changed, limits lifted"
    aims = list(_aims(crm, rows))
    return Section(f"push_{crm.name}", title, COLUMNS, rows, aims, notes)


def measure_many(
    folder: Path, databases: Sequence[Backend], course: Course, base: Section
) -> Section:
    """Measure crmsync alone with many contacts at one latency, beside what fewer cost."""
    crm, contacts, [latency] = course.crm, course.contacts, course.latencies
    rows = [row for row in base.rows if row["latency_ms"] == latency and "crmsync" in row["name"]]
    few = {row["name"]: row for row in rows}
    aims = []
    for backend in databases:
        # One after the other: two databases of this size need not be kept at once.
        with simulated(crm) as control:
            (product,) = _products(folder / "many", crm, control, [backend], contacts)
            laps = _run(control, [product], course)
            product.close()
        row = _row(product.name, contacts, latency, laps[product.name, latency], [])
        rows.append(row)
        for name, what in (("seconds", "wall"), ("cpu_per_10k", "CPU")):
            before = few[product.name]
            scale = contacts / before["contacts"] if name == "seconds" else 1
            growth = row[name] / before[name] / scale
            aims.append(
                Aim(
                    f"{product.name}: {what} per record no higher than at {before['contacts']:,}",
                    times(growth),
                    growth <= NOISE,
                )
            )
        most = f"{row['peak_mib']:.0f} MiB"
        aims.append(Aim(f"{product.name}: under {MOST_MIB} MiB", most, row["peak_mib"] < MOST_MIB))
    title = f"{crm.label}: crmsync alone, {contacts:,} contacts"
    return Section(f"push_many_{crm.name}", title, COLUMNS, rows, aims)


def _products(
    folder: Path, crm: Crm, control: Control, databases: Sequence[Backend], contacts: int
) -> list[Product]:
    return [
        Product(crm, control, backend, folder / f"{crm.name}-{place}", contacts)
        for place, backend in enumerate(databases)
    ]


def _run(
    control: Control, rivals: Sequence[Rival], course: Course
) -> dict[tuple[str, int], list[Lap]]:
    laps: dict[tuple[str, int], list[Lap]] = {}
    edition = 0
    for lap in range(course.rounds):
        order = list(reversed(rivals)) if lap % 2 else rivals
        for latency in course.latencies:
            edition += 1
            for rival in order:
                laps.setdefault((rival.name, latency), []).append(
                    _lap(control, rival, latency, edition)
                )
    return laps


def _lap(control: Control, rival: Rival, latency: int, edition: int) -> Lap:
    rival.change(edition)
    control.clear_ledger()
    control.settings(latency_seconds=latency / 1000)
    before = rival.server_cpu_seconds()
    figures = rival.push()
    after = rival.server_cpu_seconds()
    control.settings(latency_seconds=0)
    seen = traffic(control)
    if seen.refused:
        raise Wrong(f"{rival.name}: the CRM refused calls: {seen.statuses}")
    rival.check(edition)
    used = None if before is None or after is None else after - before
    return Lap(figures, used, seen)


def _row(
    name: str, contacts: int, latency: int, laps: Sequence[Lap], floor: Sequence[Lap]
) -> dict[str, Any]:
    """Return a row; ratios to the floor are the middle of those of each round, drift left out."""
    seconds = median([lap.figures.seconds for lap in laps])
    servers = [lap.server_cpu_seconds for lap in laps if lap.server_cpu_seconds is not None]
    pairs = list(zip(floor, laps, strict=False))
    speed = [f.figures.seconds / lap.figures.seconds for f, lap in pairs]
    size = [lap.seen.bytes_in / f.seen.bytes_in for f, lap in pairs]
    per_10k = 10_000 / contacts
    return {
        "latency_ms": latency,
        "name": name,
        "contacts": contacts,
        "seconds": seconds,
        "per_second": contacts / seconds,
        "of_floor": median(speed) if speed else None,
        "cpu_per_10k": median([lap.figures.cpu_seconds for lap in laps]) * per_10k,
        "server_cpu_per_10k": median(servers) * per_10k if servers else None,
        "peak_mib": max(lap.figures.peak_mib for lap in laps),
        "bytes_in": laps[0].seen.bytes_in,
        "bytes_of_floor": median(size) if size else None,
        "calls": laps[0].seen.calls,
    }


def _aims(crm: Crm, rows: Sequence[dict[str, Any]]) -> Iterator[Aim]:
    """Yield the aims; those of time hold at one latency only."""
    for row in rows:
        if "crmsync" not in row["name"] or row["latency_ms"] != AIMED_LATENCY_MS:
            continue
        if crm is COMPARED_WITH_OTHERS:
            yield from _against_others(row)
        name, size, most = row["name"], row["bytes_of_floor"], row["peak_mib"]
        yield Aim(
            f"{name}: at most {MOST_BYTES}x the floor's bytes", times(size), size <= MOST_BYTES
        )
        yield Aim(f"{name}: under {MOST_MIB} MiB", f"{most:.0f} MiB", most < MOST_MIB)


def _against_others(row: dict[str, Any]) -> Iterator[Aim]:
    name, share = row["name"], row["of_floor"]
    slower, cpu = 1 / share, row["cpu_per_10k"] / COMMERCIAL_CPU_SECONDS
    yield Aim(
        f"{name}: within {SLOWEST:.0f}x the floor's wall time", times(slower), slower <= SLOWEST
    )
    best = max(OTHERS.values())
    yield Aim(f"{name}: ahead of all others ({best} of the floor)", times(share), share > best)
    yield Aim(
        f"{name}: at most {MOST_CPU}x of {COMMERCIAL_CPU_SECONDS} CPU s per 10,000",
        times(cpu),
        cpu <= MOST_CPU,
    )


def _notes(course: Course, products: Sequence[Product]) -> list[str]:
    notes = [
        f"middle of {course.rounds} rounds; CPU of the measured process only, its start left out"
    ]
    if course.crm is COMPARED_WITH_OTHERS:
        others = ", ".join(f"{name} {share}" for name, share in OTHERS.items())
        notes.append(
            f"other tools' records/s of the floor's, two cores at {AIMED_LATENCY_MS} ms: {others}"
        )
    notes += [
        f"{product.name}: the rate budget was counted in the process, NOT in Redis"
        for product in products
        if not product.counts_in_redis()
    ]
    return notes
