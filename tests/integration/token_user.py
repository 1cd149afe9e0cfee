"""A process that calls a CRM under a grant that many processes share (`test_renewal.py`)."""

from __future__ import annotations

import os
from contextlib import suppress
from multiprocessing.connection import Connection as Line

from crmsync.connectors.answers import Effect, Site
from crmsync.connectors.auth.credentials import authorise
from crmsync.connectors.base import Connection
from crmsync.connectors.http import Transport
from crmsync.connectors.hubspot.oauth import VENDOR
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConnectionHalted, CrmsyncError
from crmsync.store.database import Database
from crmsync.store.tokens import RowTokens
from crmsync.store.vault import Vault
from tests.integration.strict_server import FIRST


def call_when_told(line: Line) -> None:
    """Make one call each time the test says so; report its status, or the error and its cause."""
    connection = Connection(
        "crm",
        "hubspot",
        {"oauth": {"client_id": "app", "client_secret": "s", "refresh_token": FIRST}},
        base_url=os.environ["CRM_URL"],
    )
    database = Database(os.environ["CRMSYNC_DATABASE_URL"])
    tokens = RowTokens(database, Vault([os.environ["CRMSYNC_KEYS"]]), connection.name)
    calls = Transport(
        connection,
        Site(None, VENDOR.api_suffixes),
        MemoryThrottle(()),
        authorisation=authorise(connection, VENDOR, tokens),
    )
    line.send("ready")
    with suppress(EOFError):
        while line.recv():
            try:
                line.send(calls.request("GET", "/x", effect=Effect.READ).status)
            except ConnectionHalted as halt:
                line.send(halt.cause)
            except CrmsyncError as error:
                line.send(f"{type(error).__name__}: {error.user_message}")
