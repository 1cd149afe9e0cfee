"""SIGTERM while every CRM keeps a request waiting: workers end in time and leave no lease behind.

Two kinds: a Celery worker as tests start them, and `crmsync worker` as operators do. The embedded
kind is told to stop at every point of the matrix.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.chaos.cells import STOP_SECONDS, leases
from tests.chaos.scene import BRISK, Scene
from tests.chaos.stories import Newcomers
from tests.integration.workers import workers
from tests.workbench import Project, until

End = Callable[[signal.Signals], int | None]
"""Sends a worker a signal, waits for its end, and gives its exit code."""
LONGEST_SECONDS = 5.0
"""What a request may take, as much shorter than 30 seconds as a test can wait."""


class HungPush(Newcomers):
    """People are new, and no CRM answers the first calls before their deadline."""

    timing: Mapping[str, float] = {
        **BRISK,
        "request_deadline_seconds": LONGEST_SECONDS,
        "lease_seconds": LONGEST_SECONDS + 2.0,
        "settle_seconds": LONGEST_SECONDS + 3.0,
    }

    def happen(self, scene: Scene) -> None:
        """Let every CRM do what the first calls ask for, and say nothing."""
        for crm, control in scene.controls.items():
            control.fault("hold", when="after", times=crm.calls_at_once, **crm.make)
        super().happen(scene)


@contextmanager
def as_tests_do(project: Project, broker_url: str) -> Iterator[End]:
    """Start a Celery worker; give what sends it a signal and waits for its end."""
    with workers(project, CRMSYNC_BROKER_URL=broker_url) as start:
        worker = start(role="celery")

        def end(number: signal.Signals) -> int | None:
            worker.send(number)
            until(lambda: not worker.is_alive(), "it ends", seconds=60.0)
            return worker.exit_code

        yield end


@contextmanager
def as_operators_do(project: Project, broker_url: str) -> Iterator[End]:
    """Start `crmsync worker`; give what sends it a signal and waits for its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crmsync", "worker"],
        env={**os.environ, **project.env, "CRMSYNC_BROKER_URL": broker_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def end(number: signal.Signals) -> int:
        process.send_signal(number)
        process.communicate(timeout=60)
        return process.returncode

    try:
        yield end
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("started", [as_tests_do, as_operators_do])
def test_a_worker_stops_while_requests_hang(started, tmp_path, pg_database, redis_database):
    """It ends within 35 seconds, with nobody's lease; another sends what is left, nothing twice."""
    story = HungPush()
    with story.begun(tmp_path / "project", pg_database) as scene:
        story.happen(scene)
        with started(scene.project, redis_database) as end:
            for crm, control in scene.controls.items():
                assert control.wait(1, **crm.make, applied=True, timeout_seconds=60), crm.name
            began = time.monotonic()
            assert end(signal.SIGTERM) == 0
            assert time.monotonic() - began < STOP_SECONDS
        assert leases(scene) == []
        for control in scene.controls.values():
            control.clear_faults()
        story.overtake(scene)
        with workers(scene.project) as start:
            start()
            until(lambda: story.is_over(scene), "all work is done", seconds=120.0)
        assert story.wrong(scene) == []
