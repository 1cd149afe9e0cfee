"""A worker while the CRM takes no write at all, and while it breaks on one record's calls.

The times are those of the product, scaled down; what counts is what the simulated CRM holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crmsync.store.tables import links
from crmsync.sync import flight, outcomes, resting
from crmsync.sync import push as push_module
from crmsync.sync.breaker import LOSSES_IN_A_ROW, Breaker
from crmsync.sync.context import Works
from crmsync.sync.worker import Worker
from tests.crms import HUBSPOT, PIPEDRIVE, Crm
from tests.sandboxes import running
from tests.workbench import (
    QUICK,
    count_rows,
    crowd,
    faults,
    identify,
    ingest,
    is_at_rest,
    link_rows,
    make_fields,
    the_sync,
    until,
)

REST_SECONDS = 0.1
LONGEST_REST_SECONDS = 0.2
TRIES = 2 * outcomes.ATTEMPTS_BEFORE_SETTING_ASIDE
OUTAGE = {"status": 502, "text": "<html>Bad Gateway</html>"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: what is tested here is what is asked of the CRM."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture(autouse=True)
def _scaled(monkeypatch) -> None:
    """Wait a tenth as long as the product does, or less."""
    monkeypatch.setattr(flight, "FIRST_REST_SECONDS", REST_SECONDS)
    monkeypatch.setattr(resting, "LONGEST_REST_SECONDS", LONGEST_REST_SECONDS)
    monkeypatch.setattr(outcomes, "BACKOFF_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(outcomes, "BACKOFF_LONGEST_SECONDS", 0.1)


@pytest.fixture(params=[HUBSPOT, PIPEDRIVE], ids=lambda crm: crm.name)
def crm(request) -> Crm:
    """One CRM that takes many records in a call, and one that takes one."""
    return request.param


@pytest.fixture
def sandbox(crm):
    """The simulated CRM."""
    with running(crm.name, limits=False, **crm.settings) as started:
        yield started


@pytest.fixture
def works(new_project, crm, sandbox) -> Works:
    """A project whose CRM has our field."""
    project = new_project(
        connections={"crm": crm.connection(sandbox.url)},
        mappings={"contacts": crm.mapping(crm.by_key).replace(crm.name, "crm", 1)},
        timing={**QUICK, "sweep_seconds": 0.1},
    )
    works = project.open()
    make_fields(the_sync(works).connector, object_type=crm.object_type)
    return works


@contextmanager
def working(works: Works) -> Iterator[None]:
    """Let a worker run while the block does."""
    worker = Worker(works)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def dead(works: Works) -> int:
    """How many links are set aside."""
    return count_rows(works.store, links, links.c.state == "dead")


def deliver(works: Works, people: int, last_name: str) -> None:
    """Have a crowd's records made or brought up to date."""
    ingest(works, crowd(people, last_name))
    with working(works):
        until(lambda: is_at_rest(works.store), "all of them are sent")


@pytest.mark.parametrize("every_loss_counts", [False, True])
def test_an_outage_costs_few_calls_and_no_record(
    works, crm, sandbox, monkeypatch, every_loss_counts
):
    """Every write answers 502 for longer than a record is tried; then all is delivered, once."""
    control, people = sandbox.control, 2
    deliver(works, people, "Lee")
    if every_loss_counts:
        judge = Breaker.judge
        monkeypatch.setattr(Breaker, "judge", lambda *a, **named: judge(*a, **named) or True)
    for route in (crm.make, crm.update):
        control.fault("answer", **route, **OUTAGE)
    control.clear_ledger()
    ingest(works, crowd(people, "Ray"))
    with working(works):
        if every_loss_counts:
            until(lambda: dead(works) == people, "the outage has buried everybody")
            return
        assert control.wait(TRIES, timeout_seconds=60, **crm.update)
        assert control.peak(2.0, **crm.update) <= crm.calls_at_once + 2.0 / REST_SECONDS
        ingest(works, crowd(people + 8, "Ray"))  # some of them new
        assert control.wait(TRIES, timeout_seconds=60, **crm.make)
        assert dead(works) == 0
        assert max(attempts for (attempts,) in link_rows(works.store, "attempts")) <= 1
        control.clear_faults()
        until(lambda: is_at_rest(works.store), "all of them are sent")
    wanted = crm.expected(people + 8, "Ray")
    assert faults(control.records(crm.object_type), crm.first_name, wanted) == []
    assert dead(works) == 0


@pytest.mark.parametrize("status", [400, 403])
def test_a_firewall_that_refuses_everything_costs_few_calls(works, crm, sandbox, status):
    """Its HTML says nothing of any record: nothing is halved and nobody is set aside."""
    control, sync = sandbox.control, the_sync(works)
    push_module.push(sync, go_on=lambda: False)  # describes the fields
    control.fault("answer", **crm.make, status=status, text="<html>Forbidden</html>")
    ingest(works, crowd(100, "Lee"))
    tally = push_module.push(sync)
    assert tally.rest is not None
    assert control.calls(**crm.make) <= crm.calls_at_once + LOSSES_IN_A_ROW
    assert dead(works) == 0


def test_one_record_that_breaks_its_calls_harms_no_other(works, crm, sandbox):
    """The CRM hangs up on it each time: 199 are delivered, and it is set aside with a reason."""
    control, people = sandbox.control, 200
    deliver(works, people, "Lee")
    control.fault("drop", how="close", body="Poison", **crm.update)
    control.clear_ledger()
    poisoned = identify("u41", first_name="Ann41", last_name="Poison")
    ingest(works, [*crowd(41, "Ray"), *crowd(people, "Ray")[42:], poisoned])
    with working(works):
        until(lambda: dead(works) == 1, "it is set aside")
        until(lambda: is_at_rest(works.store), "all others are sent")
    wanted = {**crm.expected(people, "Ray"), "Ann41": {crm.last_name: "Lee"}}
    assert faults(control.records(crm.object_type), crm.first_name, wanted) == []
    failed = [row for row in link_rows(works.store, "state", "error_code") if row[1]]
    assert failed == [("dead", "ANSWER_LOST")]
    least = people if crm is PIPEDRIVE else 2
    assert control.calls(**crm.update) <= least + 40
