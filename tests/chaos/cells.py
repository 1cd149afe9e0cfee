"""One cell of the crash-point matrix: a worker stands at a point, and something befalls it.

It is killed (SIGKILL), frozen until its lease has long ended and another has done its work
(SIGSTOP, SIGCONT), or told to stop (SIGTERM). Another worker goes on; in the end the CRMs' own
records are the judge.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from sqlalchemy import func, select

from crmsync.store.tables import cursors, links, oauth_tokens
from tests.chaos.halting import AT, WHERE
from tests.chaos.points import POINTS, Point
from tests.chaos.scene import Scene, Story
from tests.crms import CRMS, SALESFORCE, Crm
from tests.integration.workers import Start, WorkerProcess, workers
from tests.workbench import until

PATIENCE_SECONDS = 120.0
"""For any state that has to come; a machine may be slow."""
STOP_SECONDS = 35.0
"""Within which a worker that is told to stop has ended."""
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that is done to one worker."""

    point: Point
    signal: str
    database: str
    crms: tuple[Crm, ...]
    """Whose threads are stopped at the point; the others are wherever they are by then."""

    @property
    def name(self) -> str:
        """Name it, as tests do."""
        where = f"-{self.crms[0].name}" if len(self.crms) == 1 else ""
        return f"{self.point.name}-{self.signal}-{self.database}{where}"

    @property
    def shuts_others_out(self) -> bool:
        """Whether nobody can write while the worker stands there."""
        return self.point.locks and self.database == "sqlite"


def all_cells() -> list[Cell]:
    """Return the whole matrix."""
    return [
        Cell(point, number, database, crms)
        for point in POINTS
        for number in SIGNALS
        for database in DATABASES
        for crms in _stopped_together(point, database)
    ]


def _stopped_together(point: Point, database: str) -> list[tuple[Crm, ...]]:
    if point.one_thread:
        return [(SALESFORCE,)]  # by name the third
    if point.one_at_a_time or (point.locks and database == "sqlite"):
        return [(crm,) for crm in CRMS]
    return [CRMS]


@dataclass(frozen=True, slots=True)
class Stage:
    """A cell whose worker stands still."""

    cell: Cell
    story: Story
    scene: Scene
    first: WorkerProcess
    start: Start
    database_url: str

    def let_go(self) -> None:
        """Give the worker leave to go on."""
        self.first.line.send("go")

    def go_on(self) -> None:
        """Have newer values come, and another worker."""
        self.story.overtake(self.scene)
        self.start()

    def until_over(self) -> None:
        """Return when nobody has anything left to do."""
        until(lambda: self.story.is_over(self.scene), "all work is done", seconds=PATIENCE_SECONDS)


@contextmanager
def halted(
    cell: Cell, folder: Path, database_url: str, safeguards: Sequence[str] = ()
) -> Iterator[Stage]:
    """Give a worker that stands still at a cell's point; fail where it does not get there."""
    story = cell.point.story()
    names = sorted(crm.name for crm in cell.crms)
    where = {AT: cell.point.name, WHERE: ",".join(names)}
    with (
        story.begun(folder, database_url) as scene,
        workers(scene.project, *safeguards, **where) as start,
    ):
        story.happen(scene)
        first = start(role="halt")
        assert sorted(first.hear() for _ in names) == names, cell.name
        if cell.point.is_sent:
            until(
                lambda: all(scene.controls[crm].records(crm.object_type) for crm in cell.crms),
                "the CRMs have done what was asked for",
            )
        yield Stage(cell, story, scene, first, start, database_url)


def play(cell: Cell, folder: Path, database_url: str, safeguards: Sequence[str] = ()) -> list[str]:
    """Play a cell on an empty database; return what was wrong in the end.

    `safeguards` (of `sabotage`) are taken out of all workers.
    """
    with halted(cell, folder, database_url, safeguards) as stage:
        complaints = SIGNALS[cell.signal](stage)
        stage.until_over()
        return [*complaints, *stage.story.wrong(stage.scene)]


def _kill(stage: Stage) -> list[str]:
    """Kill it; another does what it left, and what came since."""
    stage.first.kill()
    stage.go_on()
    return []


def _freeze(stage: Stage) -> list[str]:
    """Freeze it until its lease has ended and another has done everything; then it goes on.

    Where it holds a transaction open, PostgreSQL would end that after a minute; here at once. On
    SQLite nobody can write meanwhile.
    """
    frozen_at, lease = stage.scene.now(), timedelta(seconds=stage.story.timing["lease_seconds"])
    if stage.cell.shuts_others_out or stage.cell.database == "postgresql":
        stage.first.send(signal.SIGSTOP)
    else:
        stage.first.line.send("freeze")
    stage.first.wait_frozen()
    if stage.cell.database == "postgresql":
        _end_idle_transactions(stage.database_url)
    if not stage.cell.shuts_others_out:
        stage.go_on()
        stage.until_over()
    until(lambda: stage.scene.now() > frozen_at + lease, "its lease has ended")
    stage.first.thaw()
    stage.let_go()
    if stage.cell.shuts_others_out:
        stage.go_on()
    stage.until_over()
    stage.first.send(signal.SIGTERM)
    return _ended(stage.first)


def _terminate(stage: Stage) -> list[str]:
    """Tell it to stop: it finishes what it has begun and leaves no lease behind."""
    stage.first.send(signal.SIGTERM)
    assert stage.first.hear() == "stopping"
    stage.let_go()
    complaints = [*_ended(stage.first), *leases(stage.scene)]
    stage.go_on()
    return complaints


SIGNALS: Mapping[str, Callable[[Stage], list[str]]] = {
    "SIGKILL": _kill,
    "SIGSTOP": _freeze,
    "SIGTERM": _terminate,
}


def leases(scene: Scene) -> list[str]:
    """Return which leases are held by anybody."""
    with scene.works.store.database.read() as connection:
        held = {
            table.name: connection.execute(
                select(func.count()).where(table.c.lease_token.is_not(None))
            ).scalar_one()
            for table in (links, cursors, oauth_tokens)
        }
    return [f"{count} leases left in {name}" for name, count in held.items() if count]


def _ended(worker: WorkerProcess) -> list[str]:
    """Wait until a worker has ended by itself; return what was wrong with that."""
    began = time.monotonic()
    until(lambda: not worker.is_alive(), "the worker ends", seconds=PATIENCE_SECONDS)
    took, code = time.monotonic() - began, worker.exit_code
    late = [f"stopped after {took:.0f} s"] if took > STOP_SECONDS else []
    return [*late, *([f"ended with {code}"] if code else [])]


def _end_idle_transactions(database_url: str) -> None:
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        until(lambda: not connection.execute(end).fetchall(), "no transaction is open")
