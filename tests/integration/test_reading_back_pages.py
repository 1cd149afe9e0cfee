"""A pull of many pages that breaks off between two of them, and a search that lags behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmsync.model import Action, Batch, CrmId, LinkId, Operation
from crmsync.sync.pull import pull
from tests.crms import HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO
from tests.integration.selling import AN_HOUR, LONG, office, two_way
from tests.integration.test_reading_back_workers import BRISK, LONG_AGO, own_trait
from tests.integration.workers import workers
from tests.workbench import identify, ingest, let_pass, new_project, until

__all__ = ["new_project"]

AT_ONCE = 100
"""Records that are changed in one moment, as a batch of another app does."""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is shown here is the CRMs'."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


def change_together(desk, records):
    """Let another app give everybody a number, many in one moment, long ago; and make a stranger.

    The stranger comes last: a cursor behind them leaves out whatever was not taken before.
    """
    crm = desk.crm
    for start in range(0, len(records), AT_ONCE):
        some = enumerate(records[start : start + AT_ONCE], start)
        writes = [
            Operation(LinkId(n), Action.UPDATE, {crm.sales.phone: f"{n}"}, crm_id=CrmId(record))
            for n, record in some
        ]
        desk.connector.write(Batch(crm.object_type, Action.UPDATE, writes))
    if crm is SALESFORCE:  # which asks our clock what may still appear
        for record in records:
            desk.control.act("backdate", object_type=crm.object_type, id=record, seconds=LONG_AGO)
    desk.control.advance(AN_HOUR)
    desk.control.seed(crm.object_type, [{crm.last_name: "Stranger"}])
    let_pass(desk.works.store, LONG)


@pytest.mark.parametrize("safeguards", [(), ("cursor_ahead",)])
@pytest.mark.parametrize(
    ("crm", "people", "settings"),
    [(HUBSPOT, 450, {}), (SALESFORCE, 25, {"query_page": 10})],
    ids=["hubspot", "salesforce"],
)
def test_killed_between_the_second_page_and_the_third(
    new_project, crm, people, settings, safeguards
):
    """Whoever comes next goes on behind the second page: nobody of a shared moment is missed."""
    mappings = {crm.name: own_trait(crm)}
    with office(new_project, crm, mappings, BRISK, **settings) as desk:
        change_together(desk, desk.send(people))
        with workers(desk.project, *safeguards) as start:
            first = start(role="freeze_at_third_page")
            first.wait_frozen()
            first.kill()
        trait = f"{crm.name}_number"
        known = [number for number in desk.traits(people, trait) if number is not None]
        assert 0 < len(known) < people
        until(lambda: not desk.pull().busy, "the lease is over")
        wanted = [str(n) for n in range(people)]
        assert (desk.traits(people, trait) == wanted) is not bool(safeguards)


@pytest.mark.parametrize("crm", [PIPEDRIVE, ZOHO], ids=lambda crm: crm.name)
def test_a_search_that_lags_keeps_nothing_from_us(new_project, crm):
    """Their change is read, and ours not undone, while the index knows neither: it is not asked."""
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        [record] = desk.send(1)
        desk.pull()
        desk.control.settings(search_lag_seconds=600.0)
        desk.control.clear_ledger()
        desk.call(record, "1000")
        desk.pull()
        assert desk.trait("u0", "phone") == "1000"
        ingest(desk.works, [identify("u0", phone="2000")])
        desk.push_now()
        for _ in range(2):
            pull(desk.works, crm.name)
            assert desk.trait("u0", "phone") == "2000"
            let_pass(desk.works.store, LONG)
        assert desk.values(crm.sales.phone) == ["2000"]
        assert desk.control.calls(path="*search*") == 0
