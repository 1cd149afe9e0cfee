"""The floor of ingest: the rows that the API left behind, inserted again with the plain driver.

Same tables, same indexes, same durability, one commit per hundred events, one connection. No
identity, no mapping, no encryption: the rows are ready-made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import JSON, Table

from bench.children import Said
from bench.figures import Figures, measured
from crmsync.store.tables import changes, events, identifiers, links, profiles, trait_names

TABLES: Sequence[Table] = (profiles, identifiers, events, changes, trait_names, links)
Rows = list[tuple[Any, ...]]
Insert = Callable[[str, Rows], object]


def insert_again(source: str, target: str, commits: int) -> tuple[Figures, Said]:
    """Copy all rows of one database into an empty one, in so many commits of equal size."""
    if source.startswith("sqlite"):
        return _on_sqlite(_file(source), _file(target), commits)
    return _on_postgresql(source, target, commits)


def slices(rows: Sequence[Any], parts: int) -> list[Sequence[Any]]:
    """Cut rows into so many parts of nearly equal length, in order."""
    cuts = [len(rows) * part // parts for part in range(parts + 1)]
    return [rows[start:end] for start, end in pairwise(cuts)]


def _on_sqlite(source: str, target: str, commits: int) -> tuple[Figures, Said]:
    with closing(sqlite3.connect(source)) as database:
        found = {
            t: database.execute(f"SELECT {_names(t)} FROM {t.name}").fetchall()  # noqa: S608 - our own tables
            for t in TABLES
        }
    inserts = {t: f"INSERT INTO {t.name} ({_names(t)}) VALUES ({_marks(t, '?')})" for t in TABLES}  # noqa: S608 - our own tables
    parts = {t: slices(rows, commits) for t, rows in found.items()}
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        with measured() as figures:
            for place in range(commits):
                database.execute("BEGIN IMMEDIATE")
                for table in TABLES:
                    database.executemany(inserts[table], parts[table][place])
                database.execute("COMMIT")
    return figures, {"rows": sum(map(len, found.values()))}


def _on_postgresql(source: str, target: str, commits: int) -> tuple[Figures, Said]:
    with psycopg.connect(source) as database:
        found = {
            t: database.execute(f"SELECT {_names(t, as_text=True)} FROM {t.name}").fetchall()  # noqa: S608 - our own tables
            for t in TABLES
        }
    inserts = {t: f"INSERT INTO {t.name} ({_names(t)}) VALUES ({_marks(t, '%s')})" for t in TABLES}  # noqa: S608 - our own tables
    parts = {t: slices(rows, commits) for t, rows in found.items()}
    with psycopg.connect(target) as database, measured() as figures:
        for place in range(commits):
            with database.transaction(), database.cursor() as cursor:
                for table in TABLES:
                    cursor.executemany(inserts[table], parts[table][place])
    return figures, {"rows": sum(map(len, found.values()))}


def _names(table: Table, *, as_text: bool = False) -> str:
    return ", ".join(
        f"{c.name}::text" if as_text and isinstance(c.type, JSON) else f'"{c.name}"'
        for c in table.columns
    )


def _marks(table: Table, mark: str) -> str:
    return ", ".join(
        f"{mark}::jsonb" if mark == "%s" and isinstance(c.type, JSON) else mark
        for c in table.columns
    )


def _file(url: str) -> str:
    return urlsplit(url).path[1:]
