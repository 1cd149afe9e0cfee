"""The plain honest script: what somebody would write in an hour with the CRM's usual library.

Rows of a database go out in batches, all ten fields of everybody, each time. The jobs are in
`hubspot_script.py` and `salesforce_script.py`, so that neither loads the other's library.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from bench.children import Said
from bench.figures import Figures, measured
from bench.floor import Row

Send = Callable[[Sequence[Row]], None]
"""Sends one batch; raises where anything of it is refused."""


class NotTaken(Exception):
    """The CRM refused some of a batch."""


def make_database(file: Path, names: Sequence[str], records: Sequence[Mapping[str, str]]) -> None:
    """Write the script's source: a table of contacts with what names them in the CRM."""
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(f"CREATE TABLE contacts (name_in_crm TEXT, {', '.join(records[0])})")
        marks = ", ".join("?" * (len(records[0]) + 1))
        database.executemany(
            f"INSERT INTO contacts VALUES ({marks})",  # noqa: S608 - question marks
            ((name, *record.values()) for name, record in zip(names, records, strict=True)),
        )


def send_rows(
    sender: Callable[[], Send], database: str, batch: int, threads: int
) -> tuple[Figures, Said]:
    """Send every row, so many batches at once; every thread has a client of its own."""
    clients = threading.local()

    def send(rows: Sequence[Row]) -> None:
        if not hasattr(clients, "send"):
            clients.send = sender()
        clients.send(rows)

    with measured() as figures, ThreadPoolExecutor(threads) as pool:
        calls = sum(1 for _ in pool.map(send, _batches(database, batch)))
    return figures, {"calls": calls}


def _batches(database: str, batch: int) -> Iterator[list[Row]]:
    with closing(sqlite3.connect(database)) as connection:
        cursor = connection.execute("SELECT * FROM contacts")
        _, *fields = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(batch):
            yield [(name, dict(zip(fields, values, strict=True))) for name, *values in rows]
