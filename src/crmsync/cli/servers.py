"""`crmsync up`, `api` and `migrate`: serving HTTP, with or without a worker in the same process.

Asked to stop, a process takes no more requests, finishes those under way, lets the worker settle
what it has sent, and is gone within 35 seconds.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from crmsync.api.app import make_app
from crmsync.bootstrap import tune_collector
from crmsync.cli.liveness import patience_seconds
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen
from crmsync.cli.stopping import stopping
from crmsync.cli.write_key import write_key
from crmsync.errors import ConfigError
from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.sync.worker import Worker

REQUESTS_SECONDS = 5
"""How long requests under way may take after the signal to stop."""
WORKER_SECONDS = 28.0
"""And then the calls to a CRM; together less than the 35 seconds that are promised."""
MAX_PORT = 65_535

app = typer.Typer()
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[
    int, typer.Option(envvar="PORT", min=0, max=MAX_PORT, help="The port to listen on.")
]


@app.command()
def up(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run everything in one process: API, worker and scheduler."""
    settings = open_settings(quiet=False)
    if not settings.is_embedded:
        raise ConfigError(
            "CRMSYNC_BROKER_URL is set: run `crmsync api`, `crmsync worker` and "
            "`crmsync scheduler` as processes of their own, any number of each"
        )
    key = write_key(settings)
    bells: list[Callable[[str], None]] = []  # the works come before the worker that they ring

    def ring(name: str) -> None:
        for bell in bells:
            bell(name)

    works = open_project(settings=settings, ring=ring)
    worker = Worker(works)
    bells.append(worker.ring)
    listener = _listen(host, port)
    tune_collector()
    worker.start()
    try:
        patience = patience_seconds(settings, works.configuration.timing.sweep_seconds)
        web = make_app(works, key, is_alive=lambda: worker.idle_seconds < patience)
        _serve(web, listener, "API, worker and scheduler")
    finally:
        worker.stop(WORKER_SECONDS)


@app.command()
def api(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Take events over HTTP; workers of their own send what follows from them."""
    settings = open_settings(quiet=False)
    key = write_key(settings)
    if settings.broker_url is None:
        Screen().note(
            "CRMSYNC_BROKER_URL is not set: nobody is told of new work, so it waits for a sweep",
            style="yellow",
        )
        works = open_project(settings=settings)
    else:
        from crmsync.cli.workers import open_with_doorbell  # noqa: PLC0415 - Celery costs a second

        works, _ = open_with_doorbell(settings)
    listener = _listen(host, port)
    tune_collector()
    _serve(make_app(works, key), listener, "API")


@app.command()
def migrate() -> None:
    """Bring the database's tables up to date; harmless to run again."""
    settings = open_settings(needs_files=False)
    version = schema.migrate(Database(settings.database_url))
    told = f"the tables are now at version {version}" if version else "the tables are up to date"
    Screen().say(told, style="green")


def _listen(host: str, port: int) -> socket.socket:
    """Open the port before anything else starts; `ConfigError` where it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; "
            "--host and --port choose another place"
        ) from None


def _serve(web: FastAPI, listener: socket.socket, what: str) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished first."""
    config = uvicorn.Config(
        web,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=REQUESTS_SECONDS,
        server_header=False,
        lifespan="off",
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with stopping() as asked:
        server = uvicorn.Server(config)
        # uvicorn takes the signals over and raises them again at its end, when ours catch them.
        Screen().note(f"{what}: http://{shown}:{port} (Ctrl-C stops)", style="green")
        server.run(sockets=[listener])
        asked.set()
