"""What runs in the worker processes that tests start, kill and freeze (`workers.py`)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

from crmsync import tasks
from crmsync.bootstrap import open_works
from crmsync.settings import load_settings
from crmsync.store import runs
from crmsync.sync import schedule
from crmsync.sync.undo import undo
from crmsync.sync.worker import Worker
from tests.chaos import halting
from tests.integration import freezing, sabotage, token_user


def work(line: Connection) -> None:
    """Be a worker of the embedded kind until the test closes the line, or a signal says stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    worker = Worker(open_works(load_settings()))
    worker.start()
    with suppress(EOFError, SystemExit):
        line.recv()
    worker.stop()


def celery(_line: Connection) -> None:
    """Be a Celery worker until killed or told to stop by a signal."""
    settings = load_settings()
    assert settings.broker_url is not None
    app = tasks.make_app(settings.broker_url)
    bell = tasks.Doorbell(app, 0.0)
    works = open_works(settings, ring=bell.ring)
    queues = ",".join(tasks.QUEUE_PREFIX + name for name in works.configuration.connections)
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    arguments = ["--pool=threads", "--concurrency=1", f"--queues={queues}", *quiet]
    tasks.serve(app, Worker(works), arguments)


def tick(line: Connection) -> None:
    """Be a scheduler that looks at the schedule once, when told to; say how many ticks it took."""
    works = open_works(load_settings())
    line.send("ready")
    line.recv()
    line.send(schedule.tick(works))


def undo_latest(line: Connection) -> None:
    """Be a person who has each sync's latest run undone; say when that is done."""
    works = open_works(load_settings())
    for mapping in works.configuration.mappings:
        with works.store.database.read() as connection:
            (run,) = runs.list_runs(connection, 1, mapping.sync)
        undo(works, mapping, run.id, wait=lambda *_: None, tell=lambda _: None)
    line.send("done")


ROLES: Mapping[str, Callable[[Connection], None]] = {
    "undo_latest": undo_latest,
    "worker": work,
    "freeze_at_write": freezing.freeze_at_write,
    "freeze_at_page": freezing.freeze_at_page,
    "freeze_at_second_page": freezing.freeze_at_second_page,
    "freeze_at_third_page": freezing.freeze_at_third_page,
    "halt": halting.halt,
    "celery": celery,
    "tick": tick,
    "call_when_told": token_user.call_when_told,
}


def main(
    role: str, switches: Sequence[str], env: Mapping[str, str], log: str, line: Connection
) -> None:
    """Take up a role, without the safeguards that the switches name."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(env)
    for switch in switches:
        sabotage.BY_NAME[switch]()
    ROLES[role](line)
