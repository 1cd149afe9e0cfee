"""A simulated Pipedrive company, and a connector that counts what it costs."""

from __future__ import annotations

import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Webhooks
from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.connectors.throttle import MemoryThrottle
from tests.sandboxes import running

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 (of a simulated account)


@pytest.fixture(scope="module")
def whole():
    """One simulated company for all tests."""
    with running("pipedrive", limits=False, search_lag_seconds=0) as sandbox:
        yield sandbox.control


@pytest.fixture
def control(whole):
    """The company, empty, with the settings it began with."""
    whole.settings(limits=False, deleted_reads="flagged", merge_survivor="merge_with")
    whole.reset()
    return whole


class Purse(MemoryThrottle):
    """Lets everything pass, and counts what it is said to cost."""

    def __init__(self):
        super().__init__(())
        self.tokens = 0

    def acquire(self, call, **patience):
        """Count and let pass."""
        self.tokens += call.costs["token"]
        return super().acquire(call, **patience)


@pytest.fixture
def purse():
    """What the connector believes to spend."""
    return Purse()


@pytest.fixture
def crm(control, purse):
    """A connector to it."""
    hooks = Webhooks("http://127.0.0.1:9/hooks/p", "secret")
    connection = Connection(
        "p", "pipedrive", {"token": TOKEN}, base_url=control.url, webhooks=hooks
    )
    return Pipedrive(connection, purse, FixedToken(TOKEN))


def people(control, count, first=0):
    """Make people in one moment; return their ids."""
    return control.seed("persons", [{"name": f"P {n}"} for n in range(first, first + count)])


def deals(control, count, **values):
    """Make deals in one moment; return their ids."""
    return control.seed("deals", [{"title": f"D {n}", **values} for n in range(count)])


def told(pages):
    """What the records of some pages are, by id: of one that came twice, the later."""
    return {record.crm_id: record for page in pages for record in page.records}
