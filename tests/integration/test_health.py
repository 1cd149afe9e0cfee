"""Real worker and scheduler processes are asked for their health, stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import redis
from tests.workbench import KEYED, QUICK, until

PATIENCE_SECONDS = 3
"""After so long without a completed look for work a process is taken to hang."""
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: what is tested here is the process."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def own_redis() -> Iterator[redis.OwnRedis]:
    """A Redis that the test may stop."""
    with redis.start_own() as server:
        yield server


@pytest.fixture
def env(new_project, own_redis) -> dict[str, str]:
    """The environment of a project whose processes run apart."""
    project = new_project(mappings={"contacts": KEYED}, timing=QUICK)
    ours = {"CRMSYNC_BROKER_URL": own_redis.url, "CRMSYNC_ALIVE_SECONDS": str(PATIENCE_SECONDS)}
    return {**os.environ, **project.env, **ours}


@pytest.fixture
def start(env, tmp_path) -> Iterator[Start]:
    """Starts `crmsync worker` and `crmsync scheduler`; all of them are gone afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(role: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{role}.log").open("ab") as log:
            started.append(crmsync(subprocess.Popen, role, env=env, stdout=log, stderr=log))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def crmsync(how: Any, *arguments: str, **given: Any) -> Any:
    """Run this very program."""
    return how([sys.executable, "-m", "crmsync", *arguments], **given)


def is_healthy(env: dict[str, str], role: str) -> bool:
    """Ask as a container's health check does."""
    done = crmsync(subprocess.run, "healthcheck", role, env=env, capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return bool(done.returncode == 0)


@pytest.mark.integration
@pytest.mark.parametrize("role", ["worker", "scheduler"])
def test_the_check_tells_who_works_from_who_hangs_or_is_gone(env, start, role):
    """Green while it works, red while it is stopped, green again, red when it was killed."""
    assert not is_healthy(env, role)
    process = start(role)
    until(lambda: is_healthy(env, role), "it works")
    process.send_signal(signal.SIGSTOP)
    until(lambda: not is_healthy(env, role), "that it is stopped is found out")
    process.send_signal(signal.SIGCONT)
    until(lambda: is_healthy(env, role), "it goes on")
    process.kill()
    process.wait()
    until(lambda: not is_healthy(env, role), "that it was killed is found out")


@pytest.mark.integration
def test_who_was_told_to_stop_is_not_alive_any_more(env, start):
    """A process that ended in order takes its sign with it."""
    process = start("scheduler")
    until(lambda: is_healthy(env, "scheduler"), "it works")
    process.terminate()
    process.wait(30)
    assert not is_healthy(env, "scheduler")


@pytest.mark.integration
def test_a_worker_whose_broker_is_away_is_alive(env, start, own_redis):
    """It goes on looking for work by itself, so there is nothing to restart."""
    start("worker")
    until(lambda: is_healthy(env, "worker"), "it works")
    own_redis.stop()
    sign = Path(env["CRMSYNC_CONFIG"]).parent / ".crmsync" / "worker.alive"
    away_since = time.time()
    until(
        lambda: sign.stat().st_mtime > away_since + PATIENCE_SECONDS,
        "it has looked for work long after the broker went away",
    )
    assert is_healthy(env, "worker")
