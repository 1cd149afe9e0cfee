"""The plain honest script that reads deals: what changed is kept in tables, page by page.

What differs between the CRMs is in `hubspot_deals.py`, `salesforce_deals.py` and `plain_deals.py`,
so that none loads another's library. It keeps deals, who is on them, stages and owners, in SQLite,
a commit for each page; whose profile a deal belongs to and which of them speaks is left to others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple, Protocol

from bench.children import Said
from bench.figures import Figures, measured

TABLES = """
CREATE TABLE IF NOT EXISTS deals (id TEXT PRIMARY KEY, stage TEXT, owner TEXT, amount REAL,
    modified TEXT);
CREATE TABLE IF NOT EXISTS deal_people (deal TEXT, person TEXT, PRIMARY KEY (deal, person));
CREATE TABLE IF NOT EXISTS stages (id TEXT PRIMARY KEY, label TEXT);
CREATE TABLE IF NOT EXISTS owners (id TEXT PRIMARY KEY, email TEXT);
"""


class Deal(NamedTuple):
    """A deal as the script keeps it; ids and texts as the CRM has them."""

    id: str
    stage: str
    owner: str
    amount: float
    modified: str
    """In the form that the CRM is asked by; the greatest text is the latest."""
    people: tuple[str, ...]


class Source(Protocol):
    """How a script reads one CRM. `since`: of the deal changed last that is kept; None: all."""

    def stages(self) -> Iterable[tuple[str, str]]:
        """Yield ids and labels."""

    def owners(self) -> Iterable[tuple[str, str]]:
        """Yield ids and e-mail addresses."""

    def changed(self, since: str | None) -> Iterator[list[Deal]]:
        """Yield pages of the deals that changed."""

    def deleted(self, since: str | None) -> Iterator[list[str]]:
        """Yield pages of the ids of those that are gone."""


def read_deals(source: Source, database: str) -> tuple[Figures, Said]:
    """Read what changed; all of it, and who sells by which steps, where nothing is kept yet."""
    found = 0
    with measured() as figures, closing(sqlite3.connect(database)) as kept:
        kept.executescript(TABLES)
        [since] = kept.execute("SELECT max(modified) FROM deals").fetchone()
        if since is None:
            with kept:
                kept.executemany("REPLACE INTO stages VALUES (?, ?)", source.stages())
                kept.executemany("REPLACE INTO owners VALUES (?, ?)", source.owners())
        for page in source.changed(since):
            found += len(page)
            with kept:
                _forget(kept, [deal.id for deal in page])
                kept.executemany("INSERT INTO deals VALUES (?, ?, ?, ?, ?)", (d[:5] for d in page))
                tied = ((deal.id, person) for deal in page for person in deal.people)
                kept.executemany("INSERT INTO deal_people VALUES (?, ?)", tied)
        for gone in source.deleted(since):
            with kept:
                _forget(kept, gone)
    return figures, {"deals": found}


def _forget(kept: sqlite3.Connection, ids: list[str]) -> None:
    some = [(one,) for one in ids]
    kept.executemany("DELETE FROM deals WHERE id = ?", some)
    kept.executemany("DELETE FROM deal_people WHERE deal = ?", some)
