"""No server outlives the tests that started it, however these end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.guard import family, is_there
from tests.workbench import until

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from tests.servers import postgres, redis

product, what = sys.argv[1:]
server = redis.start_own() if product == "redis" else postgres.start_own(fsync=False)
print(server._process._process.pid, server._process._guard.pid, server.folder, flush=True)
if what != "run":
    getattr(server, what)()
print("done", flush=True)
sys.stdin.read()
"""
"""Stands for a test run that has started a server."""


@dataclass(frozen=True, slots=True)
class Held:
    """A run that has started a server."""

    run: subprocess.Popen[str]
    server: int
    guard: int
    folder: Path


@contextmanager
def holding(product: str, what: str) -> Iterator[Held]:
    """Start such a run, which then does this with its server; it is killed at the end."""
    command = [sys.executable, "-c", HOLDER, product, what]
    with subprocess.Popen(  # noqa: S603 - this very program
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        server, guard, folder = run.stdout.readline().split()
        assert run.stdout.readline() == "done\n"
        yield Held(run, int(server), int(guard), Path(folder))
        run.kill()


@pytest.mark.integration
@pytest.mark.parametrize("product", ["postgres", "redis"])
@pytest.mark.parametrize("what", ["run", "pause"])
def test_a_server_ends_when_its_tests_are_killed(product, what):
    """Nothing runs in the killed process any more: the server's guard ends it, frozen or not."""
    with holding(product, what) as held:
        members = family(held.server)
        assert len(members) > 1 or product == "redis"
    until(lambda: not any(is_there(member) for member in members), "the server ends")
    until(lambda: not held.folder.exists(), "its data is removed")
    until(lambda: not is_there(held.guard), "its guard ends too")


@pytest.mark.integration
def test_a_guard_ends_with_its_server():
    """A server that was closed in order leaves no guard behind."""
    with holding("redis", "close") as held:
        assert not is_there(held.server)
        assert not is_there(held.guard)
        assert not held.folder.exists()
