"""The plain honest script: what somebody would write in an hour with hubspot-api-client.

Rows of a database go out in batches of a hundred, all ten fields of everybody, each time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from hubspot import HubSpot
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInput,
    SimplePublicObjectBatchInput,
)

from bench.children import Said
from bench.contacts import FIELDS, everybody
from bench.crm import TOKEN
from bench.figures import Figures, measured

BATCH = 100


def make_database(file: Path, ids: Sequence[str], edition: int, population: str) -> None:
    """Write the script's source: a table of contacts with their ids in the CRM."""
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(f"CREATE TABLE contacts (id TEXT, {', '.join(FIELDS)})")
        marks = ", ".join("?" * (len(FIELDS) + 1))
        rows = everybody(len(ids), edition, population)
        database.executemany(
            f"INSERT INTO contacts VALUES ({marks})",  # noqa: S608 - question marks
            ((i, *row.values()) for i, row in zip(ids, rows, strict=True)),
        )


def send_all(url: str, database: str, threads: int) -> tuple[Figures, Said]:
    """Send every row, so many batches at once."""
    clients = threading.local()

    def send(rows: Sequence[Sequence[str]]) -> None:
        if not hasattr(clients, "batch_api"):
            clients.batch_api = _batch_api(url)
        inputs = [
            SimplePublicObjectBatchInput(id=i, properties=dict(zip(FIELDS, values, strict=True)))
            for i, *values in rows
        ]
        clients.batch_api.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))

    with measured() as figures, ThreadPoolExecutor(threads) as pool:
        calls = sum(1 for _ in pool.map(send, _batches(database)))
    return figures, {"calls": calls}


def _batches(database: str) -> Iterator[list[tuple[str, ...]]]:
    with closing(sqlite3.connect(database)) as connection:
        cursor = connection.execute(f"SELECT id, {', '.join(FIELDS)} FROM contacts")  # noqa: S608 - our own names
        while rows := cursor.fetchmany(BATCH):
            yield rows


def _batch_api(url: str) -> Any:  # noqa: ANN401 - the SDK is untyped
    api = HubSpot(access_token=TOKEN).crm.contacts.batch_api
    api.api_client.configuration.host = url
    return api
