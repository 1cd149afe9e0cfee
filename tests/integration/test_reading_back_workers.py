"""A worker that pulls is killed or frozen between a page and its cursor, and others read too.

Each story is told of every CRM at once, which are connections of one project, on both databases;
and once more with a safeguard taken out, when it has to go wrong in every CRM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from crmsync.store.tables import sync_log
from crmsync.sync.pull import pull
from crmsync.sync.pulled import Pulled
from tests.crms import CRMS, SALESFORCE, ZOHO, Crm
from tests.integration import sabotage
from tests.integration.selling import AN_HOUR, Office, make_key
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.workbench import QUICK, NewProject, crowd, ingest, let_pass, link_rows, until

FEW = 5
LONG_AGO = 86_400
"""Seconds: what changed then is in no list of changes any more."""
STEADY = {**QUICK, "request_deadline_seconds": 20.0, "lease_seconds": 60.0, "settle_seconds": 60.5}
"""Nobody's lease ends while a test acts."""
BRISK = {**QUICK, "request_deadline_seconds": 4.0, "lease_seconds": 8.0, "settle_seconds": 8.5}
Offices = Mapping[Crm, Office]


@pytest.fixture
def offices(new_project: NewProject, request: pytest.FixtureRequest) -> Iterator[Offices]:
    """All CRMs with some people of ours in each, nothing read yet; `param`: the timing."""
    with ExitStack() as stack:
        controls = {
            crm: stack.enter_context(running(crm.name, limits=False, **crm.settings)).control
            for crm in CRMS
        }
        project = new_project(
            connections={crm.name: crm.connection(c.url) for crm, c in controls.items()},
            mappings={crm.name: own_trait(crm) for crm in CRMS},
            timing=request.param,
        )
        works = project.open()
        offices = {crm: Office(crm, control, project, works) for crm, control in controls.items()}
        for crm, desk in offices.items():
            make_key(desk.connector, crm, crm.object_type)
        ingest(works, crowd(FEW, "Lee"))
        desk.push()
        yield offices


def own_trait(crm: Crm) -> str:
    """Return a mapping that reads numbers and nothing else.

    It compares nothing: that would find what a cursor ran ahead of.
    """
    pulled = {f"{crm.name}_number": crm.sales.phone}
    return crm.mapping(crm.by_key, pull=pulled, reconcile=False)


def people_of(desk: Office) -> list[str]:
    """Return the records of a CRM's people."""
    rows = link_rows(desk.works.store, "connection", "crm_id")
    return [crm_id for name, crm_id in rows if name == desk.crm.name]


def call_all(offices: Offices, number: str) -> None:
    """Give everybody another number, long ago, and let a stranger be made since."""
    for crm, desk in offices.items():
        named = "module" if crm is ZOHO else "object_type"
        for record in people_of(desk):
            desk.call(record, number)
            if crm in (SALESFORCE, ZOHO):
                place = {named: crm.object_type, "id": record}
                desk.control.act("backdate", **place, seconds=LONG_AGO)
        desk.control.advance(AN_HOUR)
        stranger = {"name": "Lee"} if crm.name == "pipedrive" else {crm.last_name: "Lee"}
        desk.control.seed(crm.object_type, [stranger])
    let_pass(desk.works.store, 10_000.0)


def pull_all(offices: Offices) -> dict[str, Pulled]:
    """Pull every CRM, in this process."""
    return {crm.name: pull(desk.works, crm.name) for crm, desk in offices.items()}


def numbers(offices: Offices) -> dict[str, set[str | None]]:
    """Return which numbers are known of each CRM's people."""
    return {crm.name: set(desk.traits(FEW, f"{crm.name}_number")) for crm, desk in offices.items()}


def everywhere(value: object) -> dict[str, object]:
    """Return the same for every CRM."""
    return {crm.name: value for crm in CRMS}


def taken(offices: Offices) -> list[int]:
    """Return how often each record's number was taken, by the log."""
    [desk, *_] = offices.values()
    query = select(sync_log.c.link_id).where(sync_log.c.action == "pull")
    with desk.works.store.database.read() as connection:
        ids = list(connection.execute(query).scalars())
    return sorted(ids.count(link) for link in set(ids))


@pytest.mark.parametrize("offices", [BRISK], indirect=True)
@pytest.mark.parametrize("safeguards", [(), ("cursor_ahead",)])
def test_killed_between_a_page_and_its_taking(offices, safeguards):
    """The page is read again by whoever comes next: its cursor is saved with it or not at all."""
    call_all(offices, "1000")
    [desk, *_] = offices.values()
    with workers(desk.project, *safeguards) as start:
        first = start(role="freeze_at_page")
        first.wait_frozen()
        first.kill()
    assert numbers(offices) == everywhere({None})
    until(
        lambda: not any(pulled.busy for pulled in pull_all(offices).values()), "the leases are over"
    )
    assert numbers(offices) == everywhere({None} if safeguards else {"1000"})


@pytest.mark.parametrize("offices", [STEADY], indirect=True)
@pytest.mark.parametrize("safeguards", [(), ("no_reading_lease",)])
def test_two_workers_that_pull_at_once_cost_one_poll(offices, safeguards, monkeypatch):
    """The second one asks the CRM nothing, and everything is taken once."""
    call_all(offices, "1000")
    [desk, *_] = offices.values()
    with workers(desk.project) as start:
        first = start(role="freeze_at_page")
        first.wait_frozen()
        for one in offices.values():
            one.control.clear_ledger()
        for name in safeguards:
            sabotage.take_out(name, monkeypatch)
        pulled = pull_all(offices)
        polls = {crm.name: one.control.calls() > 0 for crm, one in offices.items()}
        assert polls == everywhere(bool(safeguards))
        assert {name: one.busy for name, one in pulled.items()} == everywhere(not safeguards)
        first.thaw()
        assert first.hear() == everywhere(bool(safeguards))
    assert numbers(offices) == everywhere({"1000"})
    assert taken(offices) == [1] * FEW * len(CRMS)


@pytest.mark.parametrize("offices", [BRISK], indirect=True)
@pytest.mark.parametrize("safeguards", [(), ("no_reading_fence",)])
def test_a_frozen_worker_wakes_up_with_an_old_page(offices, safeguards):
    """Another one has read on since: the old page is not taken any more."""
    call_all(offices, "1000")
    [desk, *_] = offices.values()
    with workers(desk.project, *safeguards) as start:
        first = start(role="freeze_at_page")
        first.wait_frozen()
        call_all(offices, "2000")
        until(
            lambda: numbers(offices) == everywhere({"2000"}) or not pull_all(offices),
            "somebody else has read on",
        )
        first.thaw()
        assert first.hear() == everywhere(not safeguards)
    assert numbers(offices) == everywhere({"1000"} if safeguards else {"2000"})
