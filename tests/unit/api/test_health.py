"""Liveness and readiness over HTTP: each says its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.schema import Standing
from tests.served_api import serving
from tests.workbench import KEYED

PLACES = ("/livez", "/readyz", "/healthz")


@pytest.fixture
def works(new_project):
    """A project whose API is served."""
    return new_project(mappings={"contacts": KEYED}).open()


def statuses(works, **given):
    """Ask all three places."""
    with serving(works, **given) as api:
        return [api.get(place).status_code for place in PLACES]


def test_a_process_in_order_is_alive_and_ready(works):
    """All three say so."""
    assert statuses(works) == [200, 200, 200]


def test_a_worker_that_hangs_wants_a_restart_and_traffic_may_come(works):
    """Requests are taken all the same: what they bring is kept until somebody sends it."""
    assert statuses(works, is_alive=lambda: False) == [503, 200, 503]


def test_without_its_database_a_process_is_alive_and_takes_nothing(works):
    """A restart would not bring the database back."""
    away = Database("postgresql://ann:secret@127.0.0.1:1/none")
    with serving(replace(works, store=replace(works.store, database=away))) as api:
        told = [api.get(place) for place in PLACES]
    away.dispose()
    assert [one.status_code for one in told] == [200, 503, 503]
    assert "127.0.0.1" not in told[1].text
    assert "secret" not in told[1].text


@pytest.mark.parametrize(
    ("standing", "status"),
    [(Standing.BEHIND, 503), (Standing.BEYOND, 503), (Standing.AHEAD, 200)],
)
def test_tables_that_do_not_fit_keep_traffic_away(works, monkeypatch, standing, status):
    """Not migrated yet, or contracted away; in the middle of a deploy all is well."""
    monkeypatch.setattr(schema, "standing", lambda _: standing)
    assert statuses(works) == [200, status, status]
