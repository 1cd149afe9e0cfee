"""A worker's memory does not grow with what it has done: many rounds of a real process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from crmsync.sandbox import Control, Sandbox
from tests.integration.workers import workers
from tests.workbench import (
    KEYED,
    ROOMY,
    NewProject,
    crowd,
    expected_crowd,
    faults,
    ingest,
    make_fields,
    the_sync,
    until,
)

PEOPLE = 20
WARM_UP, ROUNDS = 20, 40
TIMING = {**ROOMY, "sweep_seconds": 0.05, "pull_seconds": 0.05}
MOST_BYTES = 5_000_000
"""That all rounds together may add; an allocator and a cache take their time to settle."""


@pytest.fixture
def database_url(pg_database: str) -> str:
    """PostgreSQL: the worker and who feeds it are two processes."""
    return pg_database


def holds(control: Control, wanted: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the CRM's own records are all right."""
    return not faults(control.records("contacts"), "firstname", wanted)


@pytest.mark.integration
@pytest.mark.parametrize("switches", [(), ("leaking",)], ids=["as_it_is", "leaking"])
def test_memory_is_flat_over_many_rounds(new_project: NewProject, sandbox: Sandbox, switches):
    """Some thousand records written and read back; a process that keeps something is seen."""
    mapping = KEYED + "pull: {their_title: jobtitle}\n"
    project = new_project(sandbox.url, mappings={"contacts": mapping}, timing=TIMING)
    works = project.open()
    make_fields(the_sync(works).connector)
    control = sandbox.control
    with workers(project) as start:
        worker, held = start(*switches), 0
        for number in range(WARM_UP + ROUNDS):
            name = f"Lee{number}"
            ingest(works, crowd(PEOPLE, name))
            wanted = expected_crowd(PEOPLE, name)
            until(partial(holds, control, wanted), name)
            if number == WARM_UP:
                held = worker.resident_bytes()
        grown = worker.resident_bytes() - held
    assert (grown > MOST_BYTES) is bool(switches)
