"""A migrated database with its vault, and a few links to work on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.vault import Vault
from crmsync.sync.context import Store
from tests.workbench import ENCRYPTION_KEY

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on a fresh, migrated database; once per kind of database."""
    database = Database(database_url)
    schema.migrate(database)
    yield Store(database, Vault([ENCRYPTION_KEY]))
    database.dispose()
