"""Records whose workers vanished are worked on one at a time: nothing else shares their fate."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext

import pytest

from crmsync.store import bulk
from crmsync.store.tables import links
from crmsync.sync import quarantine
from crmsync.sync.flight import Flight
from crmsync.sync.push import push
from tests.workbench import KEYED, count_rows, crowd, ingest, link_rows, the_sync


def suspect(works, *ids: int) -> None:
    """Let the workers of these links have vanished, twice in a row."""
    rows = [{"id": link, "crashes": 2} for link in ids]
    works.store.database.transact(lambda c: bulk.update(c, links, rows))


@pytest.mark.parametrize("is_taken_out", [False, True])
def test_a_suspect_is_alone_in_the_air(works_with, monkeypatch, is_taken_out):
    """The next one is not even claimed before its result is settled."""
    if is_taken_out:
        monkeypatch.setattr(Flight, "alone", lambda _: nullcontext())
    works = works_with(KEYED)
    ingest(works, crowd(4, "Lee"))
    suspect(works, *(link for (link,) in link_rows(works.store, "id")))
    sync, most = the_sync(works), 0
    write, patience = sync.connector.write, 10.0 if is_taken_out else 0.1

    def write_slowly(batch):
        nonlocal most
        give_up_at = time.monotonic() + patience
        while most < 2 and time.monotonic() < give_up_at:
            most = max(most, count_rows(works.store, links, links.c.lease_token.is_not(None)))
            threading.Event().wait(0.01)
        return write(batch)

    monkeypatch.setattr(sync.connector, "write", write_slowly)
    assert push(sync).counts["created"] == 4
    assert (most > 1) == is_taken_out


def test_one_suspect_at_a_time_in_a_process(works_with, monkeypatch):
    """While another thread has one, others are left alone and ordinary work goes on."""
    monkeypatch.setattr(quarantine, "WAIT_SECONDS", 0.01)
    works = works_with(KEYED)
    ingest(works, crowd(3, "Lee"))
    suspect(works, 1)
    rounds = iter([True, True, True, False])
    with quarantine.turn() as is_ours:
        assert is_ours
        assert push(the_sync(works), go_on=lambda: next(rounds)).counts["created"] == 2
    assert push(the_sync(works)).counts["created"] == 1
    assert count_rows(works.store, links, links.c.crashes > 0) == 0
