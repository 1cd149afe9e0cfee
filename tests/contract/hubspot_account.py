"""A simulated HubSpot account with an up-to-date index: what is made there, what a pull finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmsync.model import Action, Batch, LinkId, Operation
from tests.contract.hubspot_bench import HubSpotBench
from tests.sandboxes import WatchedControl


@pytest.fixture
def crm(hubspot_control: WatchedControl) -> Iterator[HubSpotBench]:
    """An empty account, whose index is up to date unless a test lets it lag."""
    bench = HubSpotBench(hubspot_control)
    hubspot_control.settings(search_lag_seconds=0, search_lag_jitter_seconds=0, settling_seconds=0)
    yield bench
    hubspot_control.settings(
        search_lag_seconds=5.0,
        search_lag_jitter_seconds=2.0,
        settling_seconds=2.0,
        batch_read_follows_merges=True,
    )
    assert bench.problems() == []


def made(crm, object_type, records):
    """Make records as salespeople do: at most fifty at one time."""
    parts = [records[start : start + 50] for start in range(0, len(records), 50)]
    return [crm_id for part in parts for crm_id in crm.control.seed(object_type, part)]


def people(crm, count, *, name="p"):
    """So many contacts."""
    records = [{"email": f"{name}{n}@x.io", "firstname": f"P {n}"} for n in range(count)]
    return made(crm, "contacts", records)


def deals(crm, count, **values):
    """So many deals."""
    records = [{"dealname": f"D {n}", "amount": str(n), **values} for n in range(count)]
    return made(crm, "deals", records)


def joined(crm, pairs):
    """Tie deals to contacts."""
    operations = [
        Operation(LinkId(n), Action.ASSOCIATE, {"contacts": contact}, crm_id=deal)
        for n, (deal, contact) in enumerate(pairs)
    ]
    return crm.connector().write(Batch("deals", Action.ASSOCIATE, operations, "contacts"))


def pulled(connector, cursor=None, fields=("email",)):
    """Return the records of a pull of contacts by id, how many came, and the last cursor."""
    found, count = {}, 0
    for page in connector.changes("contacts", cursor, list(fields)):
        cursor = page.cursor
        count += len(page.records)
        found |= {record.crm_id: record for record in page.records}
    return found, count, cursor


def pulled_deals(connector, cursor=None, fields=("dealstage",)):
    """Return the deals of a pull by id, and the last cursor."""
    found = {}
    for page in connector.deals(cursor, list(fields)):
        cursor = page.cursor
        found |= {deal.crm_id: deal for deal in page.deals}
    return found, cursor
