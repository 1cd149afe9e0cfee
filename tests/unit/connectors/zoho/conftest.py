"""A connector, and a scripted Zoho for it to call."""

from __future__ import annotations

import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.zoho.connector import Zoho
from tests.openapi.recorded import scripted
from tests.unit.connectors.zoho.answers import API


class Counting(MemoryThrottle):
    """A throttle without limits that keeps what was asked of it."""

    def __init__(self):
        super().__init__(())
        self.asked = []

    def acquire(self, call, **keys):
        self.asked.append((call.scope, call.costs.get("credit")))
        return super().acquire(call, **keys)


@pytest.fixture
def throttle():
    """What the calls cost."""
    return Counting()


@pytest.fixture
def zoho(throttle):
    """A connector with a token."""
    connection = Connection("crm", "zoho", {"token": "1000.x"}, base_url=API)
    return Zoho(connection, throttle, FixedToken("1000.x"))


@pytest.fixture
def bare():
    """Zoho, scripted; every answer must be asked for."""
    with scripted("zoho") as mock:
        yield mock
