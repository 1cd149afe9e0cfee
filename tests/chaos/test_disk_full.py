"""SQLite on a disk that is full and has room again: a real `crmsync up`, told nothing about it.

No file may grow beyond a limit that is set from outside (RLIMIT_FSIZE): to the database that is a
disk that takes nothing more. It needs no privileges, and works on Linux alone, as `prlimit` does.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from crmsync.model import FieldSchema, FieldType
from tests.chaos.backends import sqlite
from tests.chaos.storm import connect
from tests.crms import HUBSPOT
from tests.sandboxes import WatchedSandbox, running
from tests.served_api import WRITE_KEY, Api
from tests.servers.process import free_port
from tests.workbench import Project, faults, the_sync, until

FULL_BYTES = 4096
"""Less than any file of a database has already."""
CALLS = 5
PATIENCE_SECONDS = 60.0
TELLS = 4
"""Lines of the log about it that are waited for."""
REST_SECONDS = 2.0
"""Between two tries of a worker's thread; there is one for the connection, one for the schedule."""
THREADS = 2
ALL_ERRORS_ARE_FAULTS = """
from crmsync.store import database
def raise_again(error): raise error
database._unavailable = raise_again
"""
"""Takes the safeguard out: that a database which cannot be used is told from a mistake of ours."""


class Up:
    """A `crmsync up` on a disk that can be filled. Its log is a pipe, which needs no room."""

    def __init__(self, project: Project, without: str) -> None:
        """Start it, with some Python run before."""
        port = free_port()
        program = f"import sys\n{without}\nfrom crmsync.cli import main\nsys.exit(main())"
        self.process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-c", program, "up", "--port", str(port)],
            env={**os.environ, **project.env, "CRMSYNC_WRITE_KEY": WRITE_KEY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.told_at: list[float] = []
        """When each line came that says that the database cannot be used."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.api = Api(f"http://127.0.0.1:{port}")
        until(self._answers, "the API answers", seconds=PATIENCE_SECONDS)

    def limit_files(self, size: int) -> None:
        """Let no file grow beyond so many bytes."""
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def identify(self, last_name: str) -> int:
        """Send the only person's last name; return the status."""
        body = {"userId": "u0", "traits": {"first_name": "Ann0", "last_name": last_name}}
        status: int = self.api.post("/v1/identify", body).status_code
        return status

    def stop(self) -> int:
        """Tell it to stop; return how it ended."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def end(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if "store_unavailable" in line:
                self.told_at.append(time.monotonic())

    def _answers(self) -> bool:
        assert self.process.poll() is None, "".join(self.lines)
        try:
            return bool(self.api.get("/healthz").ok)
        except requests.ConnectionError:
            return False


@pytest.fixture
def crm() -> Iterator[WatchedSandbox]:
    """A simulated HubSpot."""
    with running(limits=False, **HUBSPOT.settings) as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, crm: WatchedSandbox) -> Iterator[Project]:
    """A project on SQLite, whose CRM is ready for it."""
    with sqlite(tmp_path, []) as on:
        project = connect(tmp_path, on, {HUBSPOT: crm.url})
        ours = FieldSchema(HUBSPOT.key, HUBSPOT.key, FieldType.TEXT, unique=True)
        the_sync(project.open(), HUBSPOT.name).connector.create_field(HUBSPOT.object_type, ours)
        yield project
        project.close()


@pytest.fixture
def up(project: Project, request: pytest.FixtureRequest) -> Iterator[Up]:
    """The whole product in one process."""
    started = Up(project, getattr(request, "param", ""))
    yield started
    started.end()


def test_a_full_disk_is_waited_for(project, up, crm):
    """What cannot be kept is refused, workers wait without haste; with room again all goes on.

    The answer of a CRM that came while nothing could be written is as good as lost, and does no
    harm.
    """
    assert up.identify("First") == 200
    until(holds(crm, "First"), "the first name is there", seconds=PATIENCE_SECONDS)
    hold = crm.control.fault("hold", when="after", **HUBSPOT.update, times=1)
    assert up.identify("Second") == 200
    until(holds(crm, "Second"), "the second name is there", seconds=PATIENCE_SECONDS)
    up.limit_files(FULL_BYTES)
    crm.control.release(hold)
    assert {up.identify(f"Refused{n}") for n in range(CALLS)} == {503}
    until(lambda: len(up.told_at) >= TELLS, "workers say why", seconds=PATIENCE_SECONDS)
    assert up.told_at[-1] - up.told_at[0] > (TELLS / THREADS - 1) * REST_SECONDS
    assert up.process.poll() is None
    up.limit_files(resource.RLIM_INFINITY)
    until(lambda: up.identify("Third") == 200, "it is accepted", seconds=PATIENCE_SECONDS)
    until(holds(crm, "Third"), "the third name is there", seconds=PATIENCE_SECONDS)
    assert (
        faults(crm.control.records("contacts"), "firstname", {"Ann0": {"lastname": "Third"}}) == []
    )
    assert up.stop() == 0, "".join(up.lines)


@pytest.mark.parametrize("up", [ALL_ERRORS_ARE_FAULTS], indirect=True, ids=["no safeguard"])
def test_else_the_client_would_be_told_of_a_fault(up):
    """Where the two are not told apart, 500 is answered, which clients need not send again."""
    assert up.identify("First") == 200
    up.limit_files(FULL_BYTES)
    assert {up.identify(f"Refused{n}") for n in range(CALLS)} == {500}


def holds(crm: WatchedSandbox, last_name: str) -> Callable[[], bool]:
    """Return what tells whether the CRM holds a last name."""
    return lambda: (
        [r["properties"]["lastname"] for r in crm.control.records("contacts")] == [last_name]
    )
