"""`--profile`: where the time goes, by phase and, within each, by function.

The phases are functions of crmsync, wrapped from outside while they are watched. Two passes:
one with a stopwatch at each phase, one with a profiler, whose own cost is in its figures; it counts
CPU, so that waiting for the CRM or the database costs nothing.
"""

from __future__ import annotations

import cProfile
import functools
import json
import pstats
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.backends import Backend
from bench.children import Said, run
from bench.crms import Crm
from bench.figures import Figures, measured
from bench.ingest import NOBODY
from bench.product import SYNC, Project, drain_all, open_project
from bench.rivals import Product
from bench.simulated import simulated
from bench.tables import Column, Section, number
from bench.visits import bodies
from crmsync.api import events as api_events
from crmsync.store import links
from crmsync.sync import flight, ingest, push

Phases = Sequence[tuple[str, object, str]]
"""Name, and the function it stands for: whose attribute, under which name."""
PUSH: Phases = (
    ("claim", push, "_claim"),
    ("render", push, "draft"),
    ("look", push, "look"),
    ("diff", push, "operation"),
    ("batch", push, "batches"),
    ("write", flight, "deliver"),
    ("wait", flight, "wait"),
    ("settle", flight.Flight, "_settle"),
)
"""In the order of the story; `write` runs in the pool's threads, the others in one."""
INGEST: Phases = (
    ("parse", api_events, "decode_json"),
    ("read", api_events, "_read"),
    ("seen", ingest, "_fresh"),
    ("load", ingest, "_world"),
    ("fold", ingest, "fold"),
    ("save", ingest, "_save"),
    ("what to mark", ingest, "_marks"),
    ("mark", links, "mark"),
    ("release", ingest, "_release"),
)
"""In the order of the story, one batch after the other; the rest is mostly the commit."""
TOP = 10
"""Functions shown of each phase, at most."""
SMALLEST_SHARE = 0.005
"""Of all CPU that was profiled: what costs less is not shown."""
OUTSIDE = "rest"
POOLED = "write"
"""The phase that runs beside the others, in a pool of threads."""

PHASE_COLUMNS = (
    Column("phase", "phase"),
    Column("entered", "entered", number()),
    Column("seconds", "wall s", number(3)),
    Column("cpu_seconds", "CPU s", number(3)),
)
FUNCTION_COLUMNS = (
    Column("phase", "phase"),
    Column("function", "function"),
    Column("calls", "calls", number()),
    Column("own", "own CPU s", number(3)),
    Column("total", "with callees", number(3)),
)


@dataclass(slots=True)
class Watch:
    """What is known of one phase so far, all threads together."""

    entered: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    profiles: dict[int, cProfile.Profile] = field(default_factory=dict)
    """By thread: a profiler watches one only."""


def of_push(
    folder: Path, databases: Sequence[Backend], crm: Crm, contacts: int, latency: int
) -> Iterator[Section]:
    """Yield two sections for each database: the phases, and the functions that cost most."""
    for place, backend in enumerate(databases):
        with simulated(crm) as control:
            product = Product(
                crm, control, backend, folder / f"{crm.name}-profile-{place}", contacts
            )
            control.settings(latency_seconds=latency / 1000)
            product.change(1)
            figures, clocked = run(watched_drain, project=product.project.plain(), deep=False)
            product.change(2)
            _, profiled = run(watched_drain, project=product.project.plain(), deep=True)
            product.close()
        title = f"{crm.label}: push of {contacts:,} contacts, {latency} ms, {backend.name}"
        yield from _sections(f"{crm.name}-push-{place}", title, figures, clocked, profiled)


def of_ingest(folder: Path, databases: Sequence[Backend], events: int) -> Iterator[Section]:
    """Yield two sections for each database: the phases, and the functions that cost most."""
    for place, backend in enumerate(databases):
        said = []
        for deep in (False, True):
            here = folder / f"ingest-{place}-{deep}"
            project = Project(here, NOBODY, backend.new_database(), backend.broker_url)
            project.write()
            said.append(run(watched_ingest, project=project.plain(), events=events, deep=deep))
        (figures, clocked), (_, profiled) = said
        title = f"ingest of {events:,} events, one client, {backend.name}"
        yield from _sections(f"ingest-{place}", title, figures, clocked, profiled)


def _sections(
    name: str, title: str, figures: Figures, clocked: Said, profiled: Said
) -> Iterator[Section]:
    total = f"wall {figures.seconds:.2f} s, CPU {figures.cpu_seconds:.2f} s in all"
    note = f"{total}; a phase that runs in several threads is summed over them"
    phases, functions = f"Phases: {title}", f"Functions by own CPU, profiler included: {title}"
    yield Section(f"{name}-phases", phases, PHASE_COLUMNS, clocked["phases"], (), [note])
    yield Section(f"{name}-functions", functions, FUNCTION_COLUMNS, profiled["functions"])


def watched_drain(project: Mapping[str, Any], *, deep: bool) -> tuple[Figures, Said]:
    """Drain with every phase watched; `deep` with a profiler instead of a stopwatch."""
    works = open_project(project)
    works.open_sync(works.mappings[SYNC])
    return _watched(PUSH, lambda: drain_all(works), deep=deep)


def watched_ingest(project: Mapping[str, Any], events: int, *, deep: bool) -> tuple[Figures, Said]:
    """Take batches as the API does, one after the other, with every phase watched."""
    works = open_project(project)
    sent = [json.dumps(body).encode() for body in bodies(events)]

    def take_all() -> None:
        for body in sent:
            api_events._answer(works, "batch", body, is_packed=False)  # noqa: SLF001 - all but the server

    return _watched(INGEST, take_all, deep=deep)


def _watched(phases: Phases, work: Callable[[], None], *, deep: bool) -> tuple[Figures, Said]:
    watches = {name: Watch() for name, _, _ in phases}
    with ExitStack() as stack:
        for name, owner, attribute in phases:
            inner = getattr(owner, attribute)
            watched = _profiled(inner, watches[name]) if deep else _clocked(inner, watches[name])
            stack.enter_context(patch.object(owner, attribute, watched))
        figures = stack.enter_context(measured())
        work()
    if deep:
        found = [row for name, watch in watches.items() for row in _top(name, watch)]
        least = SMALLEST_SHARE * sum(row["own"] for row in found)
        return figures, {"functions": [row for row in found if row["own"] >= least]}
    rows = [_row(name, watch) for name, watch in watches.items()]
    return figures, {"phases": [*rows, _rest(figures, watches)]}


def _clocked(inner: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    lock = threading.Lock()

    @functools.wraps(inner)
    def clocked(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the function it wraps
        started, cpu = time.perf_counter(), time.thread_time()
        try:
            return inner(*arguments, **named)
        finally:
            with lock:
                watch.entered += 1
                watch.seconds += time.perf_counter() - started
                watch.cpu_seconds += time.thread_time() - cpu

    return clocked


def _profiled(inner: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    @functools.wraps(inner)
    def profiled(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the function it wraps
        thread = threading.get_ident()
        profile = watch.profiles.setdefault(thread, cProfile.Profile(time.thread_time))
        profile.enable()
        try:
            return inner(*arguments, **named)
        finally:
            profile.disable()

    return profiled


def _row(name: str, watch: Watch) -> dict[str, Any]:
    return {
        "phase": name,
        "entered": watch.entered,
        "seconds": watch.seconds,
        "cpu_seconds": watch.cpu_seconds,
    }


def _rest(figures: Figures, watches: Mapping[str, Watch]) -> dict[str, Any]:
    told = [watch for name, watch in watches.items() if name != POOLED]
    return {
        "phase": OUTSIDE,
        "seconds": figures.seconds - sum(watch.seconds for watch in told),
        "cpu_seconds": figures.cpu_seconds - sum(w.cpu_seconds for w in watches.values()),
    }


def _top(name: str, watch: Watch) -> Iterator[dict[str, Any]]:
    """Yield the functions of a phase that cost most by themselves."""
    if not watch.profiles:
        return
    first, *others = watch.profiles.values()
    stats = pstats.Stats(first)
    for other in others:
        stats.add(other)
    found: Mapping[tuple[str, int, str], tuple[Any, ...]] = vars(stats)["stats"]
    dearest = sorted(found.items(), key=lambda entry: -entry[1][2])[:TOP]
    for (file, line, function), (_, calls, own, total, _) in dearest:
        where = f"{_short(file)}:{line} " if line else ""
        yield {
            "phase": name,
            "function": where + function,
            "calls": calls,
            "own": own,
            "total": total,
        }


def _short(file: str) -> str:
    """Return the last two parts of a path: enough to find the file, and nobody's home."""
    return "/".join(Path(file).parts[-2:])
