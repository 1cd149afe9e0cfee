"""Workers, and a mistake for everybody at once: nothing is written until a person has decided."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmsync.store import holds, state
from crmsync.store.tables import links
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from tests.crms import CRMS, Crm
from tests.integration.workers import workers
from tests.sandboxes import WatchedSandbox, running
from tests.workbench import (
    NewProject,
    count_rows,
    crowd,
    faults,
    ingest,
    is_at_rest,
    make_fields,
    the_sync,
    until,
)

PEOPLE = 60
AT_WORK = links.c.lease_token.is_not(None)
GUARD = {"changed": 0.5, "at_least": 10}


@pytest.fixture(params=CRMS, ids=lambda crm: crm.name)
def crm(request) -> Crm:
    """Each CRM in turn."""
    return request.param


@pytest.fixture
def sandbox(crm) -> Iterator[WatchedSandbox]:
    """The simulated CRM."""
    with running(crm.name, limits=False, **crm.settings) as started:
        yield started


@pytest.mark.parametrize("safeguards", [(), ("no_guard",)])
def test_workers_stop_before_everybody_is_changed(
    new_project: NewProject, crm: Crm, sandbox: WatchedSandbox, safeguards: tuple[str, ...]
) -> None:
    """Two of them meet the same mistake: it is held once, and sent when it was let through."""
    project = new_project(
        connections={crm.name: crm.connection(sandbox.url)},
        mappings={crm.name: crm.mapping(crm.by_key, guard=GUARD)},
    )
    works = project.open()
    bring_up_to_date(works)
    connector = the_sync(works, crm.name).connector
    if connector.capabilities.creates_fields:
        make_fields(connector, object_type=crm.object_type)

    def wrong(last_name: str) -> list[str]:
        records = sandbox.control.records(crm.object_type)
        return faults(records, crm.first_name, crm.expected(PEOPLE, last_name))

    with workers(project, *safeguards) as start:
        start()
        start()
        ingest(works, crowd(PEOPLE, "Lee"))
        until(lambda: is_at_rest(works.store) and not wrong("Lee"), "all are made")
        ingest(works, crowd(PEOPLE, "Oops"))
        if safeguards:
            until(lambda: not wrong("Oops"), "everybody is changed")
            return
        until(lambda: _held(works, crm) is not None, "the sync is held")
        until(lambda: not count_rows(works.store, links, AT_WORK), "nobody is at it any more")
        assert wrong("Lee") == []
        works.store.database.transact(lambda c: holds.let_through(c, crm.name))
        until(lambda: is_at_rest(works.store), "it is let through")
        assert wrong("Oops") == []
        assert _held(works, crm) is None


def _held(works: Works, crm: Crm) -> holds.Hold | None:
    with works.store.database.read() as connection:
        return holds.of(state.list_syncs(connection).get(crm.name))
