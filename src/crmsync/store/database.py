"""One database, PostgreSQL or SQLite: connections, transactions that survive passing faults, time.

Every transaction is short and none is open while a CRM is called. A transaction is a function, so
that it can be run again from its start when the database restarted, two writers met or SQLite was
busy.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    IntegrityError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import (
    Retrying,
    retry,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_delay,
    wait_random,
    wait_random_exponential,
)

from crmsync.errors import ConfigError, StoreUnavailable
from crmsync.store.tables import json_text

PATIENCE_SECONDS = 15.0
SQLITE_BUSY_SECONDS = 30
# SQLSTATE classes that a replay of the whole transaction cures: serialisation, deadlock, shutdown.
PASSING_STATES = re.compile(r"40001|40P01|57P0\d|08\w{3}|53300")

T = TypeVar("T")


class Database:
    """An engine and the two ways to use it: `read()` and `transact(work)`."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is connected before first use. `ConfigError` for a URL that is none."""
        self.url = _database_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._sqlite() if self.is_sqlite else self._postgresql()
        # SQLite lets one writer in and has the others poll; within a process a lock is kinder.
        self._turn: AbstractContextManager[Any] = Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading; `StoreUnavailable` when there is none to be had."""
        try:
            with self.engine.connect() as connection:
                yield connection.execution_options(crmsync_reads_only=True)
        except (DatabaseError, PoolTimeout) as error:
            raise _unavailable(error) from error

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; run it again from its start after a passing fault.

        Raises `StoreUnavailable` when the fault did not pass in 15 seconds.
        """
        attempts = Retrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_random_exponential(multiplier=0.02, max=1.0),
            stop=stop_after_delay(PATIENCE_SECONDS),
            reraise=True,
        )
        try:
            return cast("T", attempts(self._once, work))
        except (DatabaseError, PoolTimeout) as error:
            raise _unavailable(error) from error

    def now(self, connection: Connection) -> datetime:
        """Return the database's own time, so that leases do not depend on any worker's clock."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def product(self) -> str:
        """Return which database this is, with its version: `PostgreSQL 15.18`."""
        if self.is_sqlite:
            with self.read():  # that it can be opened
                return f"SQLite {sqlite3.sqlite_version}"
        with self.read() as connection:
            number = connection.execute(text("SHOW server_version")).scalar_one()
        return f"PostgreSQL {str(number).split()[0]}"

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self._turn, self.engine.begin() as connection:
            return work(connection)

    def _postgresql(self) -> Engine:
        return create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            json_serializer=json_text,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # they hold people's data, and errors are printed
            connect_args={
                "connect_timeout": 5,
                "keepalives_idle": 15,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
                # A plan for any list compares each row with each of its values, where a table was
                # filled so lately that it is not known to be large; one for this list hashes it.
                " -c plan_cache_mode=force_custom_plan",
            },
        )

    def _sqlite(self) -> Engine:
        if self.url.database:
            file = Path(self.url.database)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # It holds people's traits: its owner's alone, like the files SQLite puts beside it.
            with suppress(OSError):  # an unusable place is reported when it is used
                os.close(os.open(file, os.O_CREAT, 0o600))
        engine = create_engine(
            self.url,
            json_serializer=json_text,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # they hold people's data, and errors are printed
            connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine


def _set_up_sqlite(dbapi_connection: Any, _record: Any) -> None:
    # We begin transactions ourselves: the driver would begin them late and without the write lock.
    dbapi_connection.isolation_level = None
    _write_ahead(dbapi_connection)
    for pragma in (
        "synchronous=FULL",  # a commit survives the loss of power: accepted is durable
        "foreign_keys=ON",
        "cache_size=-16000",  # 16 MB
        "temp_store=MEMORY",
    ):
        dbapi_connection.execute(f"PRAGMA {pragma}")


@retry(
    retry=retry_if_exception_type(sqlite3.OperationalError),
    wait=wait_random(0.005, 0.05),
    stop=stop_after_delay(SQLITE_BUSY_SECONDS),
    reraise=True,
)
def _write_ahead(dbapi_connection: Any) -> None:
    # Changing the mode needs the file for oneself; reading it does not. Several processes may open
    # a new file at once, and SQLite does not wait here: two that hold it would wait for each other.
    if dbapi_connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        dbapi_connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("crmsync_reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _database_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "CRMSYNC_DATABASE_URL is not a database URL (example: postgresql://user@host/name)"
        ) from None
    backend = parsed.drivername.split("+")[0]
    if backend == "postgres":  # as platforms give it
        return parsed.set(drivername="postgresql")
    if backend not in {"postgresql", "sqlite"}:
        raise ConfigError(f"CRMSYNC_DATABASE_URL names '{backend}': use postgresql or sqlite")
    return parsed


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, IntegrityError):
        return True  # two writers made the same new row: the replay finds it
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return bool(PASSING_STATES.fullmatch(state))
    words = str(error.orig)
    return "database is locked" in words or "connection failed" in words or "server closed" in words


def _unavailable(error: DatabaseError | PoolTimeout) -> StoreUnavailable:
    """Return what says that the database is in trouble; raise what was wrong with a statement."""
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("the database cannot be used: all connections to it are taken")
    # SQLite reports a damaged file as a plain DatabaseError, its subclasses blame the statement.
    if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
        raise error
    # The driver's text may quote the URL's host and user, never its password; the first line is
    # enough.
    return StoreUnavailable(f"the database cannot be used: {str(error.orig).splitlines()[0]}")
