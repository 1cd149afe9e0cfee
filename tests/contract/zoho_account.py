"""A simulated Zoho organisation, and connectors to it."""

from __future__ import annotations

import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.zoho.connector import Zoho
from tests.sandboxes import running

TOKEN = "1000.sandbox-access-token"  # noqa: S105 (of a simulated account)


@pytest.fixture(scope="module")
def whole():
    """One simulated organisation for all tests."""
    with running("zoho", limits=False, keep_history=False) as sandbox:
        yield sandbox.control


@pytest.fixture
def control(whole):
    """The organisation, empty, with the settings it began with."""
    whole.settings(coql_shows_converted=False)
    whole.reset()
    return whole


@pytest.fixture
def connect(control):
    """Makes connectors to it."""

    def make():
        connection = Connection("z", "zoho", {"token": TOKEN}, base_url=control.url)
        return Zoho(connection, MemoryThrottle(()), FixedToken(TOKEN))

    return make


@pytest.fixture
def zoho(connect):
    """One connector to it."""
    return connect()


def people(control, count, module="Contacts"):
    """Make people in one moment or two; return their ids."""
    needed = {"Company": "X"} if module == "Leads" else {}
    return control.seed(module, [{"Last_Name": f"P {n}", **needed} for n in range(count)])


def deals(control, count, **values):
    """Make deals; return their ids."""
    own = {"Stage": "Qualification", "Pipeline": "Standard", **values}
    return control.seed("Deals", [{"Deal_Name": f"D {n}", **own} for n in range(count)])


def ids(records):
    """The ids of records or deals, in their order."""
    return [record.crm_id for record in records]


def read(pages):
    """All records of some pages, and the last cursor."""
    pages = list(pages)
    return [r for page in pages for r in page.records], pages[-1].cursor if pages else None


def read_deals(pages):
    """All deals of some pages, and the last cursor."""
    pages = list(pages)
    return [d for page in pages for d in page.deals], pages[-1].cursor if pages else None


def sent(control):
    """The calls since this was last asked, settings apart, by method and path."""
    entries = control.ledger(bodies=False)
    control.clear_ledger()
    paths = [f"{e['method']} {e['path'].removeprefix('/crm/v8/')}" for e in entries]
    return {path: paths.count(path) for path in paths if "settings" not in path}
