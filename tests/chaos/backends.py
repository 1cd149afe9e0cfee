"""What the storm blows over: SQLite, or a PostgreSQL and a Redis of its own that it may hurt.

with BACKENDS["postgresql"](folder, names) as backend:
    project = make_project(folder, backend.database_url, ...)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crmsync import tasks
from crmsync.sync.context import Ring
from tests.servers import postgres, redis

FROZEN_SECONDS = 2.0
"""How long a Redis stays frozen: longer than a connection to it takes."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where everything is kept, and what can be done to it."""

    name: str
    database_url: str
    role: str
    """Of the workers, in `worker_main`."""
    env: Mapping[str, str] = field(default_factory=dict)
    ring: Ring = lambda _: None
    broker_blows: Sequence[tuple[str, Callable[[], None]]] = ()
    """What can happen to the broker, by name."""
    restart_database: Callable[[], None] | None = None


@contextmanager
def sqlite(folder: Path, names: Sequence[str]) -> Iterator[Backend]:
    """Keep everything in a file, worked on by workers of the embedded kind."""
    del names
    yield Backend("SQLite", f"sqlite:///{folder / 'crmsync.db'}", "worker")


@contextmanager
def servers(folder: Path, names: Sequence[str]) -> Iterator[Backend]:
    """Keep everything in a PostgreSQL, with a Redis for the bells of these connections."""
    del folder
    with postgres.start_own(fsync=False) as database, redis.start_own() as broker:
        app = tasks.make_app(broker.url, list(names))
        with app:
            yield Backend(
                "PostgreSQL + Redis",
                database.new_database(),
                "celery",
                {"CRMSYNC_BROKER_URL": broker.url},
                tasks.Doorbell(app, 0.0).ring,
                [
                    ("Redis flushed", broker.flush),
                    ("Redis restarted", lambda: broker.restart(immediate=True)),
                    ("Redis frozen", lambda: _freeze(broker)),
                ],
                lambda: database.restart(immediate=True),
            )


BACKENDS: Mapping[str, Callable[[Path, Sequence[str]], AbstractContextManager[Backend]]] = {
    "sqlite": sqlite,
    "postgresql": servers,
}


def _freeze(broker: redis.OwnRedis) -> None:
    broker.pause()
    time.sleep(FROZEN_SECONDS)
    broker.resume()
