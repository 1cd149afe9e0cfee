"""A worker that stands still at a named point until the test lets it go: a role of `worker_main`.

It says over its line which connection's thread stands there, and later `stopping`; it is told
`go`, or `freeze` where it has to stop itself. Whatever is done to it is done to a real process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from crmsync.bootstrap import open_works
from crmsync.cli.stopping import stopping
from crmsync.connectors.hubspot import search
from crmsync.connectors.pipedrive import feed
from crmsync.connectors.zoho import coql
from crmsync.settings import load_settings
from crmsync.store.database import Database
from crmsync.sync import marking
from crmsync.sync.worker import Worker
from tests.chaos.points import BY_NAME, STEPS, WIRE, Point

AT, WHERE = "HALT_AT", "HALT_WHERE"
"""Variables: the point's name, and the connections that are stopped there."""
LOOK_SECONDS = 0.2


def halt(line: Connection) -> None:
    """Be a worker of the embedded kind until told to stop by a signal."""
    stand = _Stand(line, set(os.environ[WHERE].split(",")))
    point = BY_NAME[os.environ[AT]]
    if point.story.by_twos:
        _go_by_twos()
    WIRE.watch()
    STEPS.watch()
    _stop_at(point, stand.still)
    with stopping() as asked:
        works = open_works(load_settings())
        worker = Worker(works)
        worker.start()
        listen = threading.Thread(target=stand.obey, args=[works.store.database], daemon=True)
        listen.start()
        # Of a process that was just thawed another thread may get the signal: this one looks.
        while not asked.wait(LOOK_SECONDS):
            pass
        worker.begin_stop()
        stand.say("stopping")
        worker.stop()


class _Stand:
    """Where threads wait for leave to go on, each connection's once."""

    def __init__(self, line: Connection, expected: set[str]) -> None:
        self._line = line
        self._expected = expected
        self._turn = threading.Lock()
        self._leave = threading.Event()

    def still(self, name: str | None) -> None:
        """Stand still, if this connection is to."""
        with self._turn:
            if name not in self._expected:
                return
            self._expected.remove(name)
        self.say(name)
        self._leave.wait()

    def say(self, what: str) -> None:
        """Tell the test."""
        with self._turn:
            self._line.send(what)

    def obey(self, database: Database) -> None:
        """Do what the test says until it says that all may go on, or is gone."""
        with suppress(EOFError):
            while self._line.recv() == "freeze":
                _freeze(database)
            self._leave.set()


def _freeze(database: Database) -> None:
    """Stop this process, in no transaction: on SQLite that would keep everybody from writing.

    The signal is to this thread, so that it stops before it gives up its turn to write.
    """
    with database._turn:
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _stop_at(point: Point, still: Callable[[str | None], None]) -> None:
    """Patch a point's function."""
    original = getattr(point.owner, point.function)

    def halted(*given: Any, **named: Any) -> Any:
        if point.after:
            result = original(*given, **named)
            still(point.who(given, result))
            return result
        still(point.who(given, None))
        return original(*given, **named)

    setattr(point.owner, point.function, halted)


def _go_by_twos() -> None:
    """Have lists of changes, and of people to be marked, come by two."""
    for owner, name in (
        (search, "PAGE_RECORDS"),
        (feed, "PAGE_RECORDS"),
        (coql, "SMALL_PAGE"),
        (coql, "LARGE_PAGE"),
        (marking, "STEP"),
    ):
        vars(owner)[name] = 2
