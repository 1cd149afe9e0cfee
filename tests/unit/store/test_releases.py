"""Two releases of crmsync on one database: the older one works with tables that were expanded."""

from __future__ import annotations

import pytest

from crmsync.errors import ConfigError
from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.schema import Standing
from tests.releases import CONTRACTS, EXPANDS, REVISION, newer_release


@pytest.fixture
def database(database_url):
    """A database that the older release has made."""
    made = Database(database_url)
    schema.migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def deploy(database, tmp_path, monkeypatch):
    """Migrates by the newer release's own files."""

    def migrate(text):
        with monkeypatch.context() as patch:
            newer_release(tmp_path, text).put_on(patch)
            assert schema.standing(database) is Standing.BEHIND
            with pytest.raises(ConfigError, match="crmsync migrate"):
                schema.demand_current(database)
            assert schema.migrate(database) == REVISION
            assert schema.standing(database) is Standing.CURRENT

    return migrate


def test_the_older_release_works_with_tables_that_were_expanded(database, deploy):
    """It starts, and its own `migrate` leaves them alone."""
    deploy(EXPANDS)
    assert schema.standing(database) is Standing.AHEAD
    schema.demand_current(database)
    assert schema.migrate(database) is None
    assert schema.version(database) == REVISION


def test_the_older_release_refuses_tables_that_were_contracted(database, deploy):
    """In one line that says what to do, whether it would work or migrate."""
    deploy(CONTRACTS)
    assert schema.standing(database) is Standing.BEYOND
    for start in (schema.demand_current, schema.migrate):
        with pytest.raises(ConfigError, match="of a newer crmsync than this one"):
            start(database)
