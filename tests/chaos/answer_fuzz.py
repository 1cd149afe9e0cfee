"""Spoilt answers against each connector: it may only fail in its own words, and never lies.

    python3 run.py chaos answers --count 20000 --seed 1 [--crm hubspot]

A run is the same each time for one seed. What must be true of every call, whatever came back:
it raises nothing but `crmsync.errors`, it ends, it gives one result per operation, and what it
calls a success the simulated CRM itself holds.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

from crmsync.connectors.http import Transport
from crmsync.errors import CrmsyncError
from tests.chaos.connector_work import KNOWN, WORKS, Desk
from tests.chaos.demands import Wrong
from tests.chaos.spoilt_crm import MOST_CALLS, SpoiltCrm, spoilt_crm
from tests.contract.bench import Bench
from tests.contract.hubspot_bench import HubSpotBench
from tests.contract.pipedrive_bench import PipedriveBench
from tests.contract.salesforce_bench import SalesforceBench
from tests.contract.zoho_bench import ZohoBench
from tests.sandboxes import WatchedControl

CALLS_PER_ACCOUNT = 250
"""Then the CRM begins anew, so that what it holds stays small."""
CALLS_PER_CONNECTOR = 10
"""Then it is opened anew, so that it does not live on what it remembers."""
STUCK = 0.03
"""How often each address answers the same all the time, and that there is more."""
BENCHES = {
    "hubspot": HubSpotBench,
    "pipedrive": PipedriveBench,
    "salesforce": SalesforceBench,
    "zoho": ZohoBench,
}


@dataclass(slots=True)
class Report:
    """What came of the spoilt answers of one CRM."""

    crm: str
    answers: int = 0
    hurts: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    """By what was asked of the connector."""
    raised: Counter[str] = field(default_factory=Counter)
    """By class; `answered` where nothing was."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of the operations of writes that were answered."""
    faults: list[str] = field(default_factory=list)


def fuzz(crm: str, count: int, seed: int) -> Report:
    """Work with one connector until so many answers were spoilt."""
    report = Report(crm)
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    with no_pauses(), spoilt_crm(crm, seed) as spoilt:
        while spoilt.spoiler.spoilt < count:
            desk = _desk(spoilt, chance)
            for number in range(CALLS_PER_ACCOUNT):
                if spoilt.spoiler.spoilt >= count:
                    break
                if number % CALLS_PER_CONNECTOR == 0:
                    desk.reopen()
                _call(desk, spoilt, chance, report)
            report.outcomes += desk.outcomes
        report.answers, report.hurts = spoilt.spoiler.spoilt, spoilt.spoiler.hurts
    return report


def _desk(spoilt: SpoiltCrm, chance: random.Random) -> Desk:
    spoilt.spoiler.disarm()
    control: WatchedControl = spoilt.control
    control.overlook()
    bench: Bench = BENCHES[spoilt.name](control)
    desk = Desk(bench, spoilt.name, control.url, chance)
    desk.furnish()
    return desk


def _call(desk: Desk, spoilt: SpoiltCrm, chance: random.Random, report: Report) -> None:
    """Ask one thing of the connector while some of the answers are spoilt."""
    [name] = chance.choices(list(WORKS), [weight for weight, _ in WORKS.values()])
    first, many = chance.choice(((0, 1), (0, 1), (1, 1), (2, 1), (0, 100), (1, 100)))
    if chance.random() < STUCK:
        spoilt.spoiler.arm(0, 2 * MOST_CALLS, is_stuck=True)
    else:
        spoilt.spoiler.arm(first, many)
    report.calls[name] += 1
    said = "answered"
    fault = ""
    try:
        WORKS[name][1](desk)
    except CrmsyncError as error:
        said = type(error).__name__
    except Wrong as wrong:
        fault = str(wrong)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        fault = "".join(traceback.format_exception(error)[-6:])
    report.raised[said if not fault else "FAULT"] += 1
    if spoilt.spoiler.calls > MOST_CALLS:
        fault = fault or f"more than {MOST_CALLS} calls for one"
    if fault:
        drafts = [(d.hurts, d.status, d.body[:600]) for d in spoilt.spoiler.last[:3]]
        report.faults.append(f"{report.crm}, {name}: {fault}\n    after {drafts}")
    spoilt.spoiler.disarm()


@contextmanager
def no_pauses() -> Iterator[None]:
    """Let no connector pause between its tries."""
    given = Transport.__init__.__kwdefaults__
    with mock.patch.dict(given, {"sleep": lambda _: None}):
        yield


def _without_values(fault: str) -> str:
    """Return what tells one sort of fault from another."""
    return re.sub(r"\d+|'.*?'|`.*?`", "", fault.partition("\n    after")[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzz for each CRM and print what came of it; return 1 where there is a fault."""
    parser = argparse.ArgumentParser(
        prog="run.py chaos answers", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--count", type=int, default=20_000, help="per connector (default 20000)")
    parser.add_argument("--seed", type=int, default=1, help="of the run (default 1)")
    parser.add_argument(
        "--crm", choices=sorted(KNOWN), action="append", help="only this; repeatable"
    )
    given = parser.parse_args(arguments)
    faults = 0
    for crm in given.crm or sorted(KNOWN):
        report = fuzz(crm, given.count, given.seed)
        faults += len(report.faults)
        tell(report)
    return 1 if faults else 0


def tell(report: Report) -> None:
    """Print a report, every sort of fault once."""
    say = sys.stdout.write
    say(f"{report.crm}: {report.answers:,} answers spoilt, {len(report.faults)} faults\n")
    for title in ("hurts", "calls", "raised", "outcomes"):
        counts: Counter[str] = getattr(report, title)
        told = ", ".join(f"{name} {number:,}" for name, number in counts.most_common())
        say(f"  {title}: {told}\n")
    for fault in list({_without_values(one): one for one in report.faults}.values())[:20]:
        say(f"  FAULT {fault}\n")
    sys.stdout.flush()
