"""Where crmsync keeps its state while it is measured: a SQLite file, or PostgreSQL with Redis."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from bench.figures import tree_cpu_seconds
from crmsync.store import schema
from crmsync.store.database import Database
from tests.servers import postgres
from tests.servers import redis as redis_server

SQLITE = "sqlite:///"
"""What the address of such a file begins with."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of database, with the broker that goes with it."""

    name: str
    new_database: Callable[[], str]
    """Makes a database with crmsync's tables in it and returns its URL."""
    copy: Callable[[str], str]
    """Copies a database that nobody is connected to; returns the copy's URL."""
    drop: Callable[[str], None]
    """Removes a database that nobody is connected to."""
    broker_url: str | None = None
    server_cpu_seconds: Callable[[], float | None] = lambda: None
    """What the servers have used so far; None where there is no server, or it does not tell."""


@contextmanager
def backends(folder: Path) -> Iterator[list[Backend]]:
    """Give SQLite and PostgreSQL with Redis, both as durable as in earnest."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres.start(fsync=True))
        broker = stack.enter_context(redis_server.start())
        pid = _postmaster(database.url)

        def used() -> float | None:
            of_database = tree_cpu_seconds(pid) if pid else None
            with redis.Redis.from_url(broker.url) as client:
                told = client.info("cpu")
            of_broker = float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
            return None if of_database is None else of_database + of_broker

        yield [
            Backend(
                "SQLite",
                lambda: _migrated(f"{SQLITE}{_fresh(folder)}"),
                lambda url: f"{SQLITE}{shutil.copy(url.removeprefix(SQLITE), _fresh(folder))}",
                lambda url: Path(url.removeprefix(SQLITE)).unlink(),
            ),
            Backend(
                "PostgreSQL + Redis",
                lambda: _migrated(database.new_database()),
                lambda url: database.new_database(urlsplit(url).path[1:]),
                database.drop_database,
                broker.url,
                used,
            ),
        ]


def _fresh(folder: Path) -> Path:
    return folder / f"{secrets.token_hex(4)}.db"


def _migrated(url: str) -> str:
    database = Database(url)
    schema.migrate(database)
    database.dispose()
    return url


def _postmaster(url: str) -> int | None:
    """Return the process that started the one that serves us, where it is on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        stat = Path(f"/proc/{row[0] if row else 0}/stat")
        if not stat.exists() or "(postgres)" not in stat.read_text():
            return None
        return int(stat.read_text().rpartition(")")[2].split()[1])
