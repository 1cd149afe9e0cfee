"""Workers that stop themselves at the worst moment: roles of `worker_main.py`."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from crmsync.bootstrap import open_works
from crmsync.connectors.base import Connector
from crmsync.model import Batch, Result
from crmsync.settings import load_settings
from crmsync.store.database import Database
from crmsync.sync import pull, pull_task, taking
from crmsync.sync.context import Sync
from crmsync.sync.push import push


def freeze_at_write(line: Connection) -> None:
    """Push one slice of every sync; stop when each is about to write, all checks passed."""
    works = open_works(load_settings())
    syncs = [works.open_sync(mapping) for mapping in works.configuration.mappings]
    all_there = threading.Barrier(len(syncs), lambda: _freeze(works.store.database))
    with ThreadPoolExecutor(len(syncs)) as pool:
        list(pool.map(lambda sync: _push_a_slice(sync, all_there.wait), syncs))
    with suppress(EOFError):
        line.recv()


def freeze_at_page(line: Connection) -> None:
    """Pull every connection; stop when each has got a page and is about to take it.

    Afterwards say of each whether it found itself overtaken.
    """
    works = open_works(load_settings())
    names = sorted(works.configuration.connections)
    all_there = threading.Barrier(len(names), lambda: _freeze(works.store.database))
    _before_first_page(all_there.wait)
    with ThreadPoolExecutor(len(names)) as pool:
        pulled = pool.map(lambda name: pull.pull(works, name), names)
        line.send({name: one.busy for name, one in zip(names, pulled, strict=True)})


def freeze_at_second_page(_line: Connection) -> None:
    """Read everything of the only connection; stop when its first page was taken."""
    works = open_works(load_settings())
    take, pages = taking.take, iter((False, True))

    def take_and_freeze(*given: Any, **named: Any) -> Any:
        if next(pages):
            _freeze(works.store.database)
        return take(*given, **named)

    vars(pull_task)["take"] = take_and_freeze
    pull.pull(works, *works.configuration.connections, due_only=True)


def freeze_at_third_page(_line: Connection) -> None:
    """Read the only connection; stop when two pages were taken and the third is about to be."""
    works = open_works(load_settings())
    take, pages = taking.take, itertools.count(1)

    def take_late(*given: Any, **named: Any) -> Any:
        if next(pages) == 3:
            _freeze(works.store.database)
        return take(*given, **named)

    _put_in_place_of(take, take_late)
    pull.pull(works, *works.configuration.connections)


def _before_first_page(wait: Callable[[], object]) -> None:
    """Wait before the first page of records that any connection takes."""
    take, waited = taking.take, set[str]()

    def take_late(reader: Any, records: Any, *given: Any, **named: Any) -> Any:
        name = reader.mapping.connection
        if records and name not in waited:
            waited.add(name)
            wait()
        return take(reader, records, *given, **named)

    _put_in_place_of(take, take_late)


def _put_in_place_of(take: Callable[..., Any], other: Callable[..., Any]) -> None:
    taking.take = other
    if vars(pull_task)["take"] is take:  # a safeguard taken out goes by way of `taking`
        vars(pull_task)["take"] = other


def _push_a_slice(sync: Sync, before_write: Callable[[], object]) -> None:
    rounds = iter([True])
    waiting: Any = _Waiting(sync.connector, before_write)
    push(replace(sync, connector=waiting), go_on=lambda: next(rounds, False))


def _freeze(database: Database) -> None:
    """Stop this process, in no transaction: on SQLite that would keep everybody from writing.

    The signal is to this thread, so that it stops before it returns: one to the process may be
    taken by another thread, and the writes would be let go meanwhile.
    """
    pool: Any = database.engine.pool
    moment = threading.Event()
    while pool.checkedout():
        moment.wait(0.001)
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class _Waiting:
    """A connector that waits before its first write."""

    def __init__(self, connector: Connector, before_write: Callable[[], object]) -> None:
        self._connector = connector
        self._before_write: Callable[[], object] | None = before_write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def write(self, batch: Batch) -> list[Result]:
        wait, self._before_write = self._before_write, None
        if wait is not None:
            wait()
        return self._connector.write(batch)
