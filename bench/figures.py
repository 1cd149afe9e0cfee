"""What one measurement gives, and how it is taken."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Figures:
    """What one process used between two moments."""

    seconds: float = 0.0
    """By the clock on the wall."""
    cpu_seconds: float = 0.0
    """User and system time of this process, all its threads."""
    peak_mib: float = 0.0
    """The most memory the process ever held, its start included."""


@contextmanager
def measured() -> Iterator[Figures]:
    """Measure this process while the block runs; the figures are complete after it."""
    figures = Figures()
    before, started = os.times(), time.perf_counter()
    yield figures
    figures.seconds = time.perf_counter() - started
    after = os.times()
    figures.cpu_seconds = after.user + after.system - before.user - before.system
    figures.peak_mib = peak_mib()


def peak_mib(process: int | str = "self") -> float:
    """Return the most memory a process ever held, in MiB; without /proc, this process only."""
    status = Path(f"/proc/{process}/status")
    if status.exists():
        # Linux's ru_maxrss begins with what the parent had held before exec; this does not.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def tree_cpu_seconds(root: int) -> float | None:
    """Return the CPU seconds of a process and all it ever started; None where that is not told."""
    if not Path(f"/proc/{root}/stat").exists():
        return None
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; what follows it is plain.
            parts = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        pid = int(stat.parent.name)
        parents[pid] = int(parts[1])
        ticks[pid] = sum(map(int, parts[11:15]))  # user, system; the same of ended children
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")
