"""A simulated CRM in a process of its own, and what its ledger says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.children import ROOT
from bench.crms import Crm
from crmsync.sandbox import Control

ALL = 10_000_000
"""Entries; more than any ledger holds."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the CRM received since its ledger was cleared."""

    calls: int = 0
    bytes_in: int = 0
    """Of the bodies."""
    bytes_out: int = 0
    """Of the answers' bodies."""
    statuses: dict[int | None, int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """Return how many calls were answered with anything but success."""
        return sum(n for status, n in self.statuses.items() if not status or status >= 400)  # noqa: PLR2004 - HTTP


@contextmanager
def simulated(crm: Crm) -> Iterator[Control]:
    """Serve a CRM without limits that remembers no bodies, while the block runs."""
    command = [sys.executable, "-m", "crmsync.sandbox", crm.name, "--port", "0"]
    process = subprocess.Popen(  # noqa: S603 - our own program and arguments
        [*command, "--no-limits", "--no-bodies"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        url = process.stdout.readline().split()[-1]
        control = Control(url)
        control.settings(keep_history=False, **crm.settings)
        control.reset()  # some settings say how an account begins
        yield control
    finally:
        process.terminate()
        process.wait()


def traffic(control: Control) -> Traffic:
    """Sum up the ledger."""
    entries = control.ledger(bodies=False, limit=ALL)
    statuses: dict[int | None, int] = {}
    for entry in entries:
        statuses[entry["status"]] = statuses.get(entry["status"], 0) + 1
    received, sent = (sum(e[name] for e in entries) for name in ("bytes_in", "bytes_out"))
    return Traffic(len(entries), received, sent, statuses)


def most_at_once(entries: list[dict[str, Any]]) -> int:
    """Return the most calls that were under way together; one that ends makes room at once."""
    changes = [(entry["received_at"], 1) for entry in entries]
    changes += [(entry["received_at"] + entry["duration_seconds"], -1) for entry in entries]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
