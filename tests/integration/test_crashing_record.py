"""A record that ends every process that works on it: the others are delivered, and it is set aside.

Real workers are killed by it, on both databases, and started again as a supervisor would. Told once
more without the count of crashes: then it ends workers for ever.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crmsync.model import Outcome
from crmsync.store.leases import CRASHES_BEFORE_PARKING
from crmsync.store.tables import links, sync_log
from crmsync.sync.context import Works
from tests.crms import HUBSPOT
from tests.integration.workers import WorkerProcess, workers
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

PEOPLE = 250
BRISK = {
    **QUICK,
    "request_deadline_seconds": 3.0,
    "lease_seconds": 6.0,
    "settle_seconds": 6.5,
    "sweep_seconds": 0.1,
}
ENOUGH = CRASHES_BEFORE_PARKING + 2
"""Workers, after which it would have been set aside."""


def work_until(fact: Callable[[], bool], start: Callable[[], WorkerProcess]) -> int:
    """Start a worker whenever the last one has ended, until a fact holds; return how many ended."""
    for ended in range(ENOUGH + 1):
        worker = start()
        until(
            lambda: fact() or not worker.is_alive(),  # noqa: B023 - used at once
            "the worker ends, or all is done",
            seconds=60.0,
        )
        if fact():
            return ended
    return ENOUGH + 1


def set_aside(works: Works) -> list[str]:
    """Return the codes of what is set aside."""
    return [
        code for state, code in link_rows(works.store, "state", "error_code") if state == "dead"
    ]


@pytest.mark.parametrize("safeguards", [(), ("crashes_forgotten",)])
def test_a_record_that_ends_its_workers_is_set_aside(new_project, safeguards):
    """After three that worked on nothing else; a new value brings it back."""
    with running("hubspot", limits=False, **HUBSPOT.settings) as sandbox:
        project = new_project(
            connections={"crm": HUBSPOT.connection(sandbox.url)},
            mappings={"contacts": HUBSPOT.mapping(HUBSPOT.by_key).replace("hubspot", "crm", 1)},
            timing=BRISK,
        )
        works = project.open()
        make_fields(the_sync(works).connector, object_type=HUBSPOT.object_type)
        deadly = identify("u7", first_name="Ann7", last_name="Deadly")
        ingest(works, [*crowd(7, "Lee"), deadly, *crowd(PEOPLE, "Lee")[8:]])
        with workers(project, "deadly_record", *safeguards) as start:
            ended = work_until(lambda: is_at_rest(works.store), start)
            if safeguards:
                assert (ended > ENOUGH, set_aside(works)) == (True, [])
                return
            assert ended == CRASHES_BEFORE_PARKING
            assert set_aside(works) == ["WORKER_VANISHED"]
            wanted = HUBSPOT.expected(PEOPLE, "Lee")
            del wanted["Ann7"]
            assert faults(sandbox.control.records("contacts"), "firstname", wanted) == []
            refused = sync_log.c.outcome == Outcome.REJECTED
            assert count_rows(works.store, sync_log, refused) == 1
            ingest(works, [identify("u7", first_name="Ann7", last_name="Lee")])
            work_until(lambda: is_at_rest(works.store), start)
        assert count_rows(works.store, links, links.c.crashes > 0) == 0
        wanted = HUBSPOT.expected(PEOPLE, "Lee")
        assert faults(sandbox.control.records("contacts"), "firstname", wanted) == []
