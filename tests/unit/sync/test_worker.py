"""A worker's threads: woken by the bell, by what is due, or by the sweep."""

from __future__ import annotations

import threading

import pytest

from crmsync.errors import StoreUnavailable
from crmsync.sync import drain as drain_module
from crmsync.sync import worker as worker_module
from crmsync.sync.worker import Worker
from tests.unit.sync.people import held
from tests.workbench import KEYED, ROOMY, identify, ingest, until

SLOW_SWEEP = {**ROOMY, "sweep_seconds": 3600.0}


@pytest.fixture
def run():
    """Starts workers and stops them when the test ends."""
    started: list[Worker] = []

    def start(works, *given) -> Worker:
        worker = Worker(works, *given)
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.stop(5.0)


def test_the_bell_wakes_a_worker(new_project, crm, run):
    """What is rung for is sent, though the next sweep is an hour away."""
    project = new_project(mappings={"contacts": KEYED}, timing=SLOW_SWEEP)
    worker = run(project.open())
    ingest(project.open(worker.ring), [identify("u1", first_name="Ann")])
    until(lambda: len(held(crm)) == 1, "it is sent")


def test_the_sweep_finds_what_no_bell_was_rung_for(works_with, crm, run):
    """A lost bell costs a sweep and no data."""
    works = works_with(KEYED)
    run(works)
    ingest(works, [identify("u1", first_name="Ann")])
    until(lambda: len(held(crm)) == 1, "it is sent")


def test_a_database_that_is_away_does_not_end_a_worker(works_with, crm, run, monkeypatch):
    """A round that fails is followed by the next one."""
    monkeypatch.setattr(worker_module, "STORE_REST_SECONDS", 0.01)
    rounds = iter([StoreUnavailable(), ValueError("a bug"), None, None])
    original = drain_module.drain

    def drain(*given, **named):
        trouble = next(rounds, None)
        if trouble is not None:
            raise trouble
        return original(*given, **named)

    monkeypatch.setattr(worker_module, "drain", drain)
    works = works_with(KEYED)
    run(works)
    ingest(works, [identify("u1", first_name="Ann")])
    until(lambda: len(held(crm)) == 1, "it is sent")


def test_a_worker_with_a_backlog_is_alive(works_with, crm, run, monkeypatch):
    """Every round counts for liveness, also while there is always more to do."""
    rounds: list[float] = []
    turn = threading.Event()

    def drain(*_, **__) -> bool:
        turn.wait(0.01)
        return True

    monkeypatch.setattr(worker_module, "drain", drain)
    run(works_with(KEYED), rounds.append)
    until(lambda: len(rounds) > 3, "rounds are told of")


def test_a_connection_that_hangs_is_not_hidden_by_the_others(new_project, run, monkeypatch):
    """What is told is how long ago the one was served that was served longest ago."""
    rounds: list[float] = []
    turn, freed = threading.Event(), threading.Event()

    def drain(_works, name, **__) -> bool:
        (freed if name == "hung" else turn).wait(0.01 if name == "crm" else None)
        return True

    monkeypatch.setattr(worker_module, "drain", drain)
    connections = {name: {"connector": "memory"} for name in ("crm", "hung")}
    mappings = {"a": KEYED, "b": KEYED.replace("connection: crm", "connection: hung")}
    run(new_project(mappings=mappings, connections=connections).open(), rounds.append)
    until(lambda: len(rounds) > 5, "the other connection's rounds are told of")
    freed.set()
    assert rounds[1:5] == sorted(rounds[1:5])
    assert rounds[4] >= 0.04
