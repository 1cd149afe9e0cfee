"""`python -m bench [calls|limits|push|pulls|ingest|all]`: see docs/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import calls, ingest, limits, phases, pulls, push
from bench.backends import Backend, backends
from bench.crms import CRMS, Crm
from bench.deals import DESKS
from bench.floor import BULKS
from bench.tables import Section, show

NAMES = ("calls", "limits", "push", "pulls", "ingest")
NEEDS_DATABASES = {"push", "pulls", "ingest"}
COMPARED = 10_000
"""More contacts than this are pushed by crmsync alone, after the comparison at this size."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    crms: tuple[Crm, ...]
    contacts: int
    many: int | None
    latencies: tuple[int, ...]
    rounds: int
    quick: bool
    events: int
    ingest_rounds: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where a count is wrong, whatever the machine's speed."""
    given = _parser().parse_args(arguments)
    names = NAMES if given.section == "all" else (given.section,)
    # As an exception, so that the servers and the simulated CRM are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crmsync-bench-") as folder:
        sections = []
        for section in _measure(names, _size(given), Path(folder), profile=given.profile):
            sections.append(section)
            if not given.json:
                show(section)
    seconds = time.monotonic() - started
    if given.json:
        found = {section.name: section.as_json() for section in sections}
        print(json.dumps({"machine": _machine(), "seconds": seconds, "sections": found}, indent=2))
    else:
        print(f"{_machine_in_words()}; {seconds:.0f} s in all")
    missed = [aim for s in sections for aim in s.aims if aim.counted and not aim.reached]
    return 1 if missed else 0


def _measure(names: Sequence[str], size: Size, folder: Path, *, profile: bool) -> Iterator[Section]:
    with ExitStack() as stack:
        needed = not NEEDS_DATABASES.isdisjoint(names)
        databases = stack.enter_context(backends(folder)) if needed else []
        if profile:
            yield from _profiles(names, size, folder, databases)
            return
        for name in names:
            _say(f"{name} ...")
            yield from _sections(name, size, folder / name, databases)


def _sections(
    name: str, size: Size, folder: Path, databases: Sequence[Backend]
) -> Iterator[Section]:
    folder.mkdir()
    match name:
        case "calls":
            yield calls.measure(folder, size.crms)
        case "limits":
            yield limits.measure(folder, size.crms, quick=size.quick)
        case "push":
            yield from _pushes(folder, databases, size)
        case "pulls":
            for course in _pulls(size):
                yield pulls.measure(folder, databases, course)
        case "ingest":
            yield ingest.measure(folder, databases, size.events, size.ingest_rounds)


def _pushes(folder: Path, databases: Sequence[Backend], size: Size) -> Iterator[Section]:
    for crm in _with_bulk_calls(size):
        course = push.Course(crm, size.contacts, size.latencies, size.rounds)
        base = push.measure(folder, databases, course)
        yield base
        if size.many is not None:
            many = push.Course(crm, size.many, size.latencies[-1:], 1)
            yield push.measure_many(folder, databases, many, base)


def _pulls(size: Size) -> Iterator[pulls.Course]:
    for crm in size.crms:
        yield pulls.Course(DESKS[crm.name], size.contacts, size.latencies, size.rounds)


def _with_bulk_calls(size: Size) -> list[Crm]:
    return [crm for crm in size.crms if crm.name in BULKS]


def _profiles(
    names: Sequence[str], size: Size, folder: Path, databases: Sequence[Backend]
) -> Iterator[Section]:
    """Say where the time goes, of those sections that take any."""
    if "push" in names:
        for crm in _with_bulk_calls(size):
            yield from phases.of_push(folder, databases, crm, size.contacts, size.latencies[-1])
    if "ingest" in names:
        yield from phases.of_ingest(folder, databases, size.events)


def _size(given: argparse.Namespace) -> Size:
    quick = given.quick
    records = given.records or (2_000 if quick else COMPARED)
    return Size(
        crms=tuple(CRMS[name] for name in given.crm or CRMS),
        contacts=min(records, COMPARED),
        many=records if records > COMPARED else None,
        latencies=given.latency or ((50,) if quick else (0, 50)),
        rounds=1 if quick else 3,
        quick=quick,
        events=2_000 if quick else 20_000,
        ingest_rounds=1 if quick else 3,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="The measurements of crmsync.")
    parser.add_argument("section", nargs="?", choices=(*NAMES, "all"), default="all")
    parser.add_argument(
        "--crm", action="append", choices=CRMS, help="only this one of the CRMs; may be repeated"
    )
    parser.add_argument(
        "--records", type=int, metavar="N",
        help=f"contacts to push, deals to pull; above {COMPARED:,}, crmsync alone pushes N as well",
    )  # fmt: skip
    parser.add_argument(
        "--latency", type=_latencies, metavar="MS,MS",
        help="of the CRM, in milliseconds (default 0,50; with --quick 50)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small and once: about two minutes")
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.add_argument(
        "--profile", action="store_true", help="where the time of push and ingest goes"
    )
    return parser


def _latencies(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _machine_in_words() -> str:
    known = _machine()
    return f"{known['cores']} cores {known['machine']}, {known['system']}, Python {known['python']}"


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
