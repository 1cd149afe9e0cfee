"""Where the counts of a connection's rate budget are kept when there is no Redis.

Beside SQLite a locked file, since all processes are on one host and a transaction with its sync to
disk would cost more than the call it counts; beside PostgreSQL a row.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection

from crmsync.store import state
from crmsync.store.database import Database

T = TypeVar("T")
Work = Callable[[Mapping[str, Any] | None, float], tuple[Mapping[str, Any], T]]
EMPTY: Mapping[str, Any] = {}


class FileLedger:
    """Counts in a file, one process at a time. POSIX only, as file locks are."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`, made on first use."""
        self._path = path

    def change(self, work: Work[T]) -> T:
        """See `connectors.shared_throttle.Ledger`; the clock is the host's."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed, or its owner dies
            kept, answer = work(_read(file), time.time())
            content = orjson.dumps(kept)
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
        finally:
            os.close(file)
        return answer


class RowLedger:
    """Counts in a connection's row; the clock is the database's."""

    def __init__(self, database: Database, connection: str) -> None:
        """Count for the connection of that name."""
        self._database = database
        self._name = connection

    def change(self, work: Work[T]) -> T:
        """See `connectors.shared_throttle.Ledger`."""

        def in_transaction(connection: Connection) -> T:
            before = state.find_throttle(connection, self._name)
            now = self._database.now(connection).timestamp()
            kept, answer = work(before, now)
            state.save_throttle(connection, self._name, dict(kept))
            return answer

        return self._database.transact(in_transaction)


def _read(file: int) -> Mapping[str, Any] | None:
    """Return the counts; None where the file was cut short, so that nobody knows them."""
    content = os.pread(file, 1 << 20, 0)
    if not content:
        return EMPTY
    try:
        counts: Mapping[str, Any] = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return counts
