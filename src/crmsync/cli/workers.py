"""`crmsync worker` and `crmsync scheduler`: processes of their own, rung by Celery over Redis."""

from __future__ import annotations

import os

import structlog
import typer

from crmsync import tasks
from crmsync.bootstrap import tune_collector
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen
from crmsync.cli.stopping import stopping
from crmsync.errors import ConfigError, StoreUnavailable
from crmsync.settings import Settings
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.schedule import tick
from crmsync.sync.worker import Worker

log = structlog.get_logger()
app = typer.Typer()


@app.command()
def worker() -> None:
    """Send what is due whenever Celery's messages ask for it, and look around by itself."""
    settings = open_settings(quiet=False)
    _broker_of(settings, "worker")
    works = open_with_doorbell(settings)
    queues = [tasks.QUEUE_PREFIX + name for name in _connection_names(works)]
    if not queues:
        raise ConfigError("no mapping yet: there is nothing for a worker to send")
    celery = tasks.make_app(_broker_of(settings, "worker"), _connection_names(works))
    tune_collector()
    Screen().note(f"worker {os.getpid()} serves {', '.join(_connection_names(works))}")
    tasks.serve(
        celery,
        Worker(works),
        [
            "--pool=threads",
            "--concurrency=1",  # it only rings: each connection has a thread of its own
            f"--queues={','.join(queues)}",
            f"--hostname=crmsync-{os.getpid()}@%h",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ],
    )


@app.command()
def scheduler() -> None:
    """Keep the schedule: any number may run, one of them takes each tick."""
    settings = open_settings(quiet=False)
    _broker_of(settings, "scheduler")
    works = open_with_doorbell(settings)
    sweep_seconds = works.configuration.timing.sweep_seconds
    Screen().note(f"scheduler {os.getpid()} keeps {len(works.configuration.mappings)} syncs")
    with stopping() as asked:
        while not asked.is_set():
            try:
                bring_up_to_date(works)
                tick(works)
            except StoreUnavailable as away:
                log.warning("store_unavailable", detail=away.user_message)
            asked.wait(sweep_seconds)


def open_with_doorbell(settings: Settings) -> Works:
    """Open the project with a doorbell that rings workers in other processes."""
    works = open_project(settings=settings)
    bell = tasks.Doorbell(
        tasks.make_app(_broker_of(settings, "api"), _connection_names(works)),
        works.configuration.timing.linger_seconds,
    )
    return open_project(settings=settings, ring=bell.ring)


def _broker_of(settings: Settings, command: str) -> str:
    if settings.broker_url is None:
        raise ConfigError(
            f"CRMSYNC_BROKER_URL is not set, and `crmsync {command}` needs a broker "
            "(redis://host:6379/0); without one, `crmsync up` does everything in one process"
        )
    return settings.broker_url


def _connection_names(works: Works) -> list[str]:
    return sorted({mapping.connection for mapping in works.configuration.mappings})
