"""What runs in the worker processes that tests start, kill and freeze (`workers.py`)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from crmsync import tasks
from crmsync.bootstrap import open_works
from crmsync.connectors.hubspot import HubSpot
from crmsync.settings import load_settings
from crmsync.sync import schedule
from crmsync.sync.push import push
from crmsync.sync.worker import Worker
from tests.integration import listing_hubspot, sabotage


def work(line: Connection) -> None:
    """Be a worker of the embedded kind until the test closes the line."""
    worker = Worker(open_works(load_settings()))
    worker.start()
    with suppress(EOFError):
        line.recv()
    worker.stop()


def push_once(line: Connection) -> None:
    """Be a worker that pushes one slice, and is in no transaction while it writes to the CRM."""
    works = open_works(load_settings())
    rounds = iter([True])
    push(works.open_sync(works.mappings["contacts"]), go_on=lambda: next(rounds, False))
    with suppress(EOFError):
        line.recv()


def celery(_line: Connection) -> None:
    """Be a Celery worker until killed or told to stop by a signal."""
    settings = load_settings()
    assert settings.broker_url is not None
    app = tasks.make_app(settings.broker_url, ["crm"])
    bell = tasks.Doorbell(app, 0.0)
    worker = Worker(open_works(settings, ring=bell.ring))
    arguments = ["--pool=threads", "--concurrency=1", "--without-gossip", "--without-mingle"]
    tasks.serve(app, worker, [*arguments, "--queues=crmsync.crm", "--loglevel=WARNING"])


def tick(line: Connection) -> None:
    """Be a scheduler that looks at the schedule once, when told to; say how many ticks it took."""
    works = open_works(load_settings())
    line.send("ready")
    line.recv()
    line.send(schedule.tick(works))


def freeze_at_write() -> None:
    """Stop this process the first time it is about to send a write, lease and all checks passed."""
    original = HubSpot.write
    frozen = []

    def write(self: HubSpot, batch: Any) -> Any:
        if not frozen:
            frozen.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        return original(self, batch)

    HubSpot.write = write  # type: ignore[method-assign] # this process exists to be frozen


ROLES: Mapping[str, Callable[[Connection], None]] = {
    "worker": work,
    "push_once": push_once,
    "celery": celery,
    "tick": tick,
}


def main(
    role: str, switches: Sequence[str], env: Mapping[str, str], log: str, line: Connection
) -> None:
    """Take up a role, without the safeguards that the switches name."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(env)
    listing_hubspot.register()
    for switch in switches:
        if switch == "freeze_at_write":
            freeze_at_write()
        else:
            sabotage.BY_NAME[switch]()
    ROLES[role](line)
