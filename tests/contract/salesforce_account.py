"""A simulated Salesforce org: what is made there, what a pull finds."""

from __future__ import annotations

import pytest

from tests.contract.salesforce_bench import SalesforceBench

STAGE, OWNER = "StageName", "OwnerId"
DAY = "2026-02-28"


@pytest.fixture
def bench(salesforce_control):
    """A new org; settings are put back."""
    bench = SalesforceBench(salesforce_control)
    before = bench.control.settings()
    kept = {name: before[name] for name in ("query_page", "subquery_page")}
    yield bench
    bench.control.settings(**kept)
    assert bench.problems() == []


@pytest.fixture
def control(bench):
    """What happens in the org."""
    return bench.control


def seed(control, object_type, count=1, *, age=0, **fields):
    """Make records that were last changed so many seconds ago, all in one second."""
    needed = {"Contact": {"LastName": "Li"}, "Lead": {"LastName": "Li", "Company": "Acme"}}
    ids = control.seed(object_type, [{**needed[object_type], **fields}] * count)
    if age:
        for one in ids:
            control.act("backdate", object_type=object_type, id=one, seconds=age)
    return ids


def deal(control, *people, stage="Prospecting", **fields):
    """Make an opportunity with these people on it."""
    [made] = control.seed(
        "Opportunity", [{"Name": "Deal", "StageName": stage, "CloseDate": DAY, **fields}]
    )
    for person in people:
        tie(control, made, person)
    return made


def tie(control, opportunity, person, **fields):
    """Give a person a role in an opportunity."""
    role = {"OpportunityId": opportunity, "ContactId": person, **fields}
    return control.seed("OpportunityContactRole", [role])[0]


def changed(connector, cursor=None, fields=(), object_type="Contact"):
    """All records of a pull, and where it ended."""
    records = []
    for page in connector.changes(object_type, cursor, fields):
        records += page.records
        cursor = page.cursor
    return records, cursor


def dealt(connector, cursor=None, fields=(STAGE, OWNER)):
    """All deals of a pull by id, and where it ended."""
    deals = {}
    for page in connector.deals(cursor, fields):
        deals |= {one.crm_id: one for one in page.deals}
        cursor = page.cursor
    return deals, cursor
