"""The simulated CRM in a process of its own, and what its ledger says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.children import ROOT
from crmsync.sandbox import Control

TOKEN = "pat-na1-bench"  # noqa: S105 - any token that begins so is good in the sandbox


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the CRM received since its ledger was cleared."""

    calls: int = 0
    bytes_in: int = 0
    """Of the bodies."""
    writes: int = 0
    """Calls that change records."""
    statuses: dict[int | None, int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """Return how many calls were answered with anything but success."""
        return sum(n for status, n in self.statuses.items() if not status or status >= 400)  # noqa: PLR2004 - HTTP


@contextmanager
def simulated_hubspot() -> Iterator[Control]:
    """Serve a HubSpot without limits that remembers no bodies, while the block runs."""
    command = [sys.executable, "-m", "crmsync.sandbox", "hubspot", "--port", "0"]
    process = subprocess.Popen(  # noqa: S603 - our own program and arguments
        [*command, "--no-limits", "--no-bodies"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        url = process.stdout.readline().split()[-1]
        control = Control(url)
        control.settings(keep_history=False)
        yield control
    finally:
        process.terminate()
        process.wait()


def traffic(control: Control) -> Traffic:
    """Sum up the ledger."""
    entries = control.ledger(bodies=False, limit=10_000_000)
    statuses: dict[int | None, int] = {}
    for entry in entries:
        statuses[entry["status"]] = statuses.get(entry["status"], 0) + 1
    return Traffic(
        calls=len(entries),
        bytes_in=sum(entry["bytes_in"] for entry in entries),
        writes=sum(is_write(entry["method"], entry["path"]) for entry in entries),
        statuses=statuses,
    )


def is_write(method: str, path: str) -> bool:
    """Say whether a call changes records: reads and searches are POST too."""
    return method != "GET" and not path.endswith(("/batch/read", "/search"))
