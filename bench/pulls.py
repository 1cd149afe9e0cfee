"""Section `pulls`: deals read back into the profiles of the people on them, then the changed ones.

What is counted are the calls that the CRM saw, beside the fewest in which it can be asked. What is
timed stands next to a plain script that keeps the same deals in tables, in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.backends import Backend
from bench.deals import Calls, Desk
from bench.figures import Figures
from bench.readers import CHANGED, SCRIPTS, Account, Product, Rival, Script, new_project
from bench.rivals import Wrong
from bench.simulated import Traffic, simulated, traffic
from bench.tables import Aim, Column, Section, median, number, times
from crmsync.sandbox import Control

MORE_CALLS = 2
"""Than the fewest there can be: to ask what fields there are, or who sold and left."""
LEAST_CPU_SECONDS = 0.05
"""Of the script: hundredths are told, so a ratio to less than this would say nothing."""
WHOLE, AGAIN = "from nothing", "changed"

COLUMNS = (
    Column("latency_ms", "latency ms", number()),
    Column("name", "what"),
    Column("case", "deals"),
    Column("calls", "calls", number()),
    Column("fewest", "fewest", number()),
    Column("seconds", "wall s", number(2)),
    Column("of_script", "of script", times),
    Column("cpu_seconds", "CPU s", number(2)),
    Column("cpu_of_script", "of script", times),
    Column("server_cpu_seconds", "servers' CPU s", number(2)),
    Column("peak_mib", "peak MiB", number()),
    Column("bytes_out", "bytes read", number()),
)


@dataclass(frozen=True, slots=True)
class Course:
    """What is run."""

    desk: Desk
    deals: int
    latencies: Sequence[int]
    """Of the CRM, in milliseconds."""
    rounds: int

    @property
    def cases(self) -> dict[str, Calls]:
        """Return what is read one after the other, with the fewest calls."""
        return {
            f"{self.deals:,} {WHOLE}": self.desk.whole(self.deals),
            f"{CHANGED} {AGAIN}": self.desk.again(CHANGED),
        }


@dataclass(frozen=True, slots=True)
class Lap:
    """One reading of one rival in one round."""

    figures: Figures
    server_cpu_seconds: float | None
    seen: Traffic


Laps = dict[tuple[str, int, str], list[Lap]]
"""By rival, latency and case."""


def measure(folder: Path, databases: Sequence[Backend], course: Course) -> Section:
    """Measure all rivals at each latency, several rounds; the middle of each is shown."""
    desk = course.desk
    with simulated(desk.crm) as control:
        account = make_account(folder, databases[0], course, control)
        library, job = SCRIPTS[desk.crm.name]
        script = Script(f"script, {library}", job, account, folder / f"{desk.crm.name}-script.db")
        rivals: list[Rival] = [script, *make_products(folder, databases, account)]
        laps = _run(account, rivals, course)
    rows = [
        _row(laps, (rival.name, latency, case), script.name, fewest)
        for latency in course.latencies
        for rival in rivals
        for case, fewest in course.cases.items()
    ]
    title = f"{desk.crm.label}: {course.deals:,} deals read back, then {CHANGED} that changed"
    notes = [
        f"fewest calls of {case}: {', '.join(f'{n} {what}' for what, n in fewest.items())}"
        for case, fewest in course.cases.items()
    ]
    return Section(f"pulls_{desk.crm.name}", title, COLUMNS, rows, list(_aims(desk, rows)), notes)


def make_account(folder: Path, backend: Backend, course: Course, control: Control) -> Account:
    """Make the people and deals that all rivals read."""
    desk = course.desk
    control.settings(**desk.settings)
    # Some project's connector tells the account's stages and owners.
    project = new_project(desk, control.url, backend, folder / f"{desk.crm.name}-account")
    works = project.prepare()
    account = Account(desk, control, works, course.deals)
    works.store.database.dispose()
    return account


def make_products(folder: Path, databases: Sequence[Backend], account: Account) -> list[Product]:
    """Make crmsync on each database."""
    name = account.desk.crm.name
    return [
        Product(account, backend, folder / f"{name}-{place}")
        for place, backend in enumerate(databases)
    ]


def _run(account: Account, rivals: Sequence[Rival], course: Course) -> Laps:
    laps: Laps = {}
    whole, again = course.cases
    for lap in range(course.rounds):
        order = list(reversed(rivals)) if lap % 2 else rivals
        for latency in course.latencies:
            for rival in order:
                rival.begin()
                laps.setdefault((rival.name, latency, whole), []).append(
                    _lap(account.control, rival, latency)
                )
                account.change()
                laps.setdefault((rival.name, latency, again), []).append(
                    _lap(account.control, rival, latency)
                )
    for rival in rivals:
        rival.begin()
    return laps


def _lap(control: Control, rival: Rival, latency: int) -> Lap:
    control.clear_ledger()
    control.settings(latency_seconds=latency / 1000)
    before = rival.server_cpu_seconds()
    figures = rival.read()
    after = rival.server_cpu_seconds()
    control.settings(latency_seconds=0)
    seen = traffic(control)
    if seen.refused:
        raise Wrong(f"{rival.name}: the CRM refused calls: {seen.statuses}")
    rival.check()
    used = None if before is None or after is None else after - before
    return Lap(figures, used, seen)


def _row(laps: Laps, key: tuple[str, int, str], script: str, fewest: Calls) -> dict[str, Any]:
    """Return a row; ratios to the script are the middle of those of each round, drift left out."""
    name, latency, case = key
    own, beside = laps[key], laps[script, latency, case]
    servers = [lap.server_cpu_seconds for lap in own if lap.server_cpu_seconds is not None]
    pairs = [(lap.figures, other.figures) for lap, other in zip(own, beside, strict=True)]
    cpu = [o.cpu_seconds / s.cpu_seconds for o, s in pairs if s.cpu_seconds >= LEAST_CPU_SECONDS]
    return {
        "latency_ms": latency,
        "name": name,
        "case": case,
        "calls": max(lap.seen.calls for lap in own),
        "fewest": sum(fewest.values()),
        "seconds": median([lap.figures.seconds for lap in own]),
        "of_script": median([lap.seconds / other.seconds for lap, other in pairs]),
        "cpu_seconds": median([lap.figures.cpu_seconds for lap in own]),
        "cpu_of_script": median(cpu) if cpu else None,
        "server_cpu_seconds": median(servers) if servers else None,
        "peak_mib": max(lap.figures.peak_mib for lap in own),
        "bytes_out": own[0].seen.bytes_out,
    }


def _aims(desk: Desk, rows: Sequence[dict[str, Any]]) -> Iterator[Aim]:
    for row in rows:
        if "crmsync" in row["name"]:
            most = row["fewest"] + MORE_CALLS
            what = f"{desk.crm.label}, {row['name']}, {row['case']}, {row['latency_ms']} ms"
            got = str(row["calls"])
            yield Aim(f"{what}: at most {most} calls", got, row["calls"] <= most, counted=True)
