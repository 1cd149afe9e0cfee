"""One storm: changes come in while workers die, CRMs misbehave and servers restart; then calm.

    outcome = blow(Storm(seed=7), "postgresql", folder)
    assert outcome.is_survived

All CRMs are connected at once, each behind a proxy of its own. When the last change is accepted
the faults end, and all must come to rest by itself and be right within `CALM_SECONDS`.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crmsync.model import FieldSchema, FieldType
from crmsync.sync.context import Works
from tests.chaos.backends import BACKENDS, Backend
from tests.chaos.checker import Verdict, judge
from tests.chaos.crew import Crew
from tests.chaos.faults import FAULTS, Fault, Weather
from tests.chaos.proxy import between
from tests.chaos.town import Town
from tests.crms import CRMS, Crm
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.served_api import serving
from tests.workbench import QUICK, Project, is_at_rest, make_project, the_sync

TIMING = {
    **QUICK,
    "request_deadline_seconds": 2.0,
    "lease_seconds": 3.0,
    "settle_seconds": 8.0,
}
"""The product's, scaled down. A request that comes late and a worker that is frozen stay well below
the settle time, as the promise demands, also where the machine is busy."""
FROZEN_SECONDS = 4.0
BROKER_SECONDS = 30.0
DATABASE_SECONDS = 60.0
CALM_SECONDS = 60.0
PATIENCE_SECONDS = 600.0
"""How long is waited for those who are later than that, to tell what is late from what is lost."""
LOOK_SECONDS = 0.2
Tell = Callable[[str], None]
Trouble = tuple[float, Callable[[], object]]
"""Every how many seconds what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """How much blows, and for how long."""

    seed: int
    people: int = 2_000
    changes: int = 10_000
    seconds: float = 60.0
    """In which the changes come in; where the machine is slow, or refuses them, it takes longer."""
    share: float = 0.05
    """Of the calls to CRMs that go wrong."""
    kinds: Sequence[Fault] = FAULTS
    workers: int = 3
    kill_seconds: float = 1.5
    """How often one of them is struck."""
    broker_seconds: float = BROKER_SECONDS
    """How often something befalls Redis."""
    database_seconds: float = DATABASE_SECONDS
    """How often PostgreSQL is restarted, at once and without order."""
    calm_seconds: float = CALM_SECONDS
    """Within which all must be at rest when the faults have stopped."""
    crms: Sequence[Crm] = CRMS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    storm: Storm
    backend: str
    verdicts: Mapping[str, Verdict]
    """By CRM."""
    calls: Mapping[str, int]
    """Requests that were made to each CRM."""
    met: Counter[str]
    """How many of them met which fault."""
    dealt: Counter[str]
    """How often workers and servers met what."""
    answers: Counter[str]
    """How often the API answered what."""
    blew_seconds: float
    rest_seconds: float | None
    """How long after the last fault all was at rest; None where it never was."""

    @property
    def is_survived(self) -> bool:
        """Whether everything is as it must be."""
        return not self.complaints

    @property
    def complaints(self) -> list[str]:
        """Say all that is wrong."""
        told = [
            f"{name}: {line}" for name, verdict in self.verdicts.items() for line in verdict.all
        ]
        if self.rest_seconds is None or self.rest_seconds > self.storm.calm_seconds:
            told.append(f"not at rest {self.storm.calm_seconds:g} s after the last fault")
        if self.storm.share and not self.met:
            told.append("no call went wrong: this storm shows nothing")
        refused = {status for status in self.answers if status not in {"200", "503"}}
        return [*told, *(f"the API answered {status}" for status in sorted(refused))]


def blow(
    storm: Storm, backend: str, folder: Path, *without: str, tell: Tell = lambda _: None
) -> Outcome:
    """Let a storm blow over a fresh project; `without`: safeguards that are taken out."""
    names = [crm.name for crm in storm.crms]
    with ExitStack() as stack:
        on = stack.enter_context(BACKENDS[backend](folder, names))
        crms = {
            crm: stack.enter_context(running(crm.name, limits=False, **crm.settings))
            for crm in storm.crms
        }
        weathers = {crm: Weather(_chance(storm, crm.name), kinds=storm.kinds) for crm in crms}
        urls = {
            crm: stack.enter_context(between(sandbox.url, weathers[crm])).url
            for crm, sandbox in crms.items()
        }
        project = connect(folder, on, urls)
        stack.callback(project.close)
        works = ready(project, on, storm.crms)
        start = stack.enter_context(workers(project, *without, **on.env))
        chance = _chance(storm, "crew")
        crew = Crew(start, on.role, storm.workers, chance, len(crms) + 1, FROZEN_SECONDS)
        api = stack.enter_context(serving(works))
        town = Town(api, storm.people, storm.changes, storm.seconds, storm.seed)
        dealt, blew_seconds = _live_through(storm, on, crew, town, list(weathers.values()))
        tell("calm")
        rest_seconds = _seconds_until(lambda: _is_calm(works, crew), PATIENCE_SECONDS)
        return Outcome(
            storm,
            on.name,
            {
                crm.name: judge(
                    works.store, crm, crms[crm].control.records(crm.object_type), town.accepted
                )
                for crm in crms
            },
            {crm.name: weather.requests for crm, weather in weathers.items()},
            sum((weather.met for weather in weathers.values()), Counter()),
            crew.dealt + dealt,
            town.answers,
            blew_seconds,
            rest_seconds,
        )


def _is_calm(works: Works, crew: Crew) -> bool:
    """Whether nobody has anything left to do; as long as somebody has, there is a crew."""
    crew.muster()
    return is_at_rest(works.store)


def connect(
    folder: Path, on: Backend, urls: Mapping[Crm, str], timing: Mapping[str, float] = TIMING
) -> Project:
    """Write a project that is connected to every CRM by way of its proxy."""
    return make_project(
        folder / "project",
        on.database_url,
        connections={crm.name: crm.connection(url) for crm, url in urls.items()},
        mappings={crm.name: crm.mapping(crm.by_key) for crm in urls},
        timing=timing,
    )


def ready(project: Project, on: Backend, crms: Sequence[Crm]) -> Works:
    """Open a project as the API does, once every CRM has our unique field."""
    works = project.open(on.ring)
    for crm in crms:
        connector = the_sync(works, crm.name).connector
        if connector.capabilities.creates_fields:
            ours = FieldSchema(crm.key, crm.key, FieldType.TEXT, unique=True)
            connector.create_field(crm.object_type, ours)
    return works


def _live_through(
    storm: Storm, on: Backend, crew: Crew, town: Town, weathers: Sequence[Weather]
) -> tuple[Counter[str], float]:
    """Let all changes come in while everything goes wrong; say what befell servers, how long."""
    began = time.monotonic()
    crew.muster()
    for weather in weathers:
        weather.share = storm.share
    dealt = Counter[str]()
    with _again_and_again(_troubles(storm, on, crew, dealt)):
        town.live()
        # A slow machine's workers may have called nobody yet.
        _seconds_until(
            lambda: not storm.share or any(weather.met for weather in weathers), CALM_SECONDS
        )
    for weather in weathers:
        weather.share = 0.0
    crew.recover()
    return dealt, time.monotonic() - began


def _troubles(storm: Storm, on: Backend, crew: Crew, dealt: Counter[str]) -> list[Trouble]:
    """Return what happens how often, apart from what the weather does."""
    chance = _chance(storm, "servers")

    def befall_broker() -> None:
        name, strike = chance.choice(on.broker_blows)
        strike()
        dealt[name] += 1

    def restart_database() -> None:
        assert on.restart_database is not None
        on.restart_database()
        dealt["PostgreSQL restarted"] += 1

    troubles: list[Trouble] = [(storm.kill_seconds, crew.strike)]
    if on.broker_blows:
        troubles.append((storm.broker_seconds, befall_broker))
    if on.restart_database:
        troubles.append((storm.database_seconds, restart_database))
    return troubles


@contextmanager
def _again_and_again(troubles: Sequence[Trouble]) -> Iterator[None]:
    """Let each trouble strike every so many seconds, in a thread of its own, during the block."""
    over = threading.Event()

    def strike(trouble: Trouble) -> None:
        every, act = trouble
        while not over.wait(every):
            act()

    with ThreadPoolExecutor(len(troubles)) as pool:
        striking = [pool.submit(strike, trouble) for trouble in troubles]
        try:
            yield
        finally:
            over.set()
    for one in striking:
        one.result()  # raises what it failed with


def _seconds_until(fact: Callable[[], bool], limit: float) -> float | None:
    """Return when a fact came true; None where it did not within the limit."""
    began = time.monotonic()
    while not fact():
        if time.monotonic() > began + limit:
            return None
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def _chance(storm: Storm, whose: str) -> random.Random:
    return random.Random(f"{storm.seed}-{whose}")  # noqa: S311 - repeatable on purpose
