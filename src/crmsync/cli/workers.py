"""`crmsync worker` and `crmsync scheduler`: processes of their own, rung by Celery over Redis."""

from __future__ import annotations

import os

import typer

from crmsync import tasks
from crmsync.bootstrap import CALLS_IN_FLIGHT, tune_collector
from crmsync.cli.liveness import LifeSign, patience_seconds
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen
from crmsync.cli.stopping import stopping
from crmsync.errors import ConfigError, StoreUnavailable
from crmsync.logging import Outage
from crmsync.settings import Role, Settings
from crmsync.sync.context import Works
from crmsync.sync.doctor.broker import MEMORY, check_broker
from crmsync.sync.doctor.finding import Level
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.presence import Presence
from crmsync.sync.schedule import tick
from crmsync.sync.worker import Worker

app = typer.Typer()


@app.command()
def worker() -> None:
    """Send what is due: at once when a message asks for it, else on looking around by itself."""
    settings = open_settings(quiet=False)
    _broker_of(settings, "worker")
    works, _ = open_with_doorbell(settings)
    queues = [tasks.QUEUE_PREFIX + name for name in _connection_names(works)]
    if not queues:
        raise ConfigError("no mapping yet: there is nothing for a worker to send")
    celery = tasks.make_app(_broker_of(settings, "worker"), _connection_names(works))
    _warn_of_broker(_broker_of(settings, "worker"))
    tune_collector()
    Screen().note(f"worker {os.getpid()}: {_calls_at_once(works)} (Ctrl-C stops)", style="green")
    arguments = [
        "--pool=threads",
        "--concurrency=1",  # it only rings: each connection has a thread of its own
        f"--queues={','.join(queues)}",
        f"--hostname=crmsync-{os.getpid()}@%h",
        "--loglevel=WARNING",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
    with _life_sign(Role.WORKER, settings, works) as sign:
        tasks.serve(celery, Worker(works, sign.renew), arguments)


@app.command()
def scheduler() -> None:
    """Keep the schedule: any number may run, one of them takes each tick."""
    settings = open_settings(quiet=False)
    _broker_of(settings, "scheduler")
    works, bell = open_with_doorbell(settings)
    sweep_seconds = works.configuration.timing.sweep_seconds
    syncs = ", ".join(works.mappings) or "no sync yet"
    Screen().note(f"scheduler {os.getpid()}: {syncs} (Ctrl-C stops)", style="green")
    database = Outage("database", meanwhile="nothing is scheduled")
    presence = Presence(works, Role.SCHEDULER)
    with stopping() as asked, _life_sign(Role.SCHEDULER, settings, works) as sign:
        while not asked.is_set():
            bell.look()
            try:
                bring_up_to_date(works, lambda _: sign.renew())
                tick(works)
                presence.renew()
                sign.renew()
            except StoreUnavailable as away:
                database.missed(away.user_message)
            else:
                database.answered()
            asked.wait(sweep_seconds)
    presence.leave()


def open_with_doorbell(settings: Settings) -> tuple[Works, tasks.Doorbell]:
    """Open the project with a doorbell that rings workers in other processes."""
    works = open_project(settings=settings)
    bell = tasks.Doorbell(
        tasks.make_app(_broker_of(settings, "api"), _connection_names(works)),
        works.configuration.timing.linger_seconds,
    )
    return open_project(settings=settings, ring=bell.ring), bell


def _warn_of_broker(url: str) -> None:
    """Say at the start where Redis forgets what it is told, which nothing else shows."""
    for one in check_broker(url, []):
        if one.check == MEMORY and one.level is not Level.OK:
            Screen().note(f"{one.seen}; {one.advice}", style="yellow")


def _life_sign(role: Role, settings: Settings, works: Works) -> LifeSign:
    sweep_seconds = works.configuration.timing.sweep_seconds
    return LifeSign(role, patience_seconds(settings, sweep_seconds))


def _calls_at_once(works: Works) -> str:
    """Return each connection with the calls that may be under way to it at once."""
    known = works.configuration.connections
    calls = {
        name: known[name].limits.get("concurrent_calls", CALLS_IN_FLIGHT)
        for name in _connection_names(works)
    }
    return ", ".join(f"{name} (up to {many} calls at once)" for name, many in calls.items())


def _broker_of(settings: Settings, command: str) -> str:
    if settings.broker_url is None:
        raise ConfigError(
            f"CRMSYNC_BROKER_URL is not set, and `crmsync {command}` needs a broker "
            "(redis://host:6379/0); without one, `crmsync up` does everything in one process"
        )
    return settings.broker_url


def _connection_names(works: Works) -> list[str]:
    return sorted({mapping.connection for mapping in works.configuration.mappings})
