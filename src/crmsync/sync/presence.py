"""A process tells the database that it is at work, so that people can be told who is."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from datetime import datetime

from crmsync import __version__
from crmsync.errors import StoreUnavailable
from crmsync.store import processes
from crmsync.store.processes import Process
from crmsync.sync.context import Works


class Presence:
    """One process, as the others see it."""

    def __init__(self, works: Works, role: str) -> None:
        """Say nothing yet; `role` is `worker` or `scheduler`."""
        self._works = works
        self._role = role
        self._id = secrets.token_hex(16)
        self._started_at: datetime | None = None

    def renew(self) -> None:
        """Say that a round was completed; raises StoreUnavailable."""
        database = self._works.store.database
        with database.read() as connection:
            now = database.now(connection)
        self._started_at = self._started_at or now
        process = Process(
            id=self._id,
            role=self._role,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_at=self._started_at,
            seen_at=now,
            outdated=sorted(self._works.superseded),
        )
        database.transact(lambda connection: processes.save(connection, process))

    def leave(self) -> None:
        """Say that the process ends in order; where the database is away, its silence says so."""
        if self._started_at is None:
            return
        with suppress(StoreUnavailable):
            self._works.store.database.transact(
                lambda connection: processes.forget(connection, self._id)
            )
