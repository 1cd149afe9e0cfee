"""Undo against all simulated CRMs, on both databases: what counts is what each CRM itself holds."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from crmsync.model import RunId
from crmsync.store import runs, undoing
from crmsync.store.runs import LogEntry
from crmsync.sync.command import push_now
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.restoring import CHANGED_SINCE, Report
from crmsync.sync.undo import undo
from crmsync.sync.undo_rounds import UndoTally
from tests.crms import CRMS, PIPEDRIVE, Crm
from tests.integration import sabotage
from tests.integration.workers import workers
from tests.sandboxes import WatchedSandbox, running
from tests.workbench import (
    QUICK,
    ROOMY,
    NewProject,
    Project,
    crowd,
    faults,
    ingest,
    is_at_rest,
    make_fields,
    the_sync,
    until,
)

PEOPLE = 1_000
EDITED = 10
"""So many of them somebody else changes after the run."""
SOME = 120
"""More than one call of any CRM takes, but for one."""
HALF = SOME // 2
FEW = 12
BRISK = {**QUICK, "request_deadline_seconds": 4.0, "lease_seconds": 8.0, "settle_seconds": 8.5}

PATIENT = {**QUICK, "request_deadline_seconds": 15.0, "lease_seconds": 60.0, "settle_seconds": 61.0}
"""Where a worker's call is held for some seconds."""


@pytest.fixture(params=CRMS, ids=lambda crm: crm.name)
def crm(request) -> Crm:
    """Each CRM in turn."""
    return request.param


@pytest.fixture
def sandbox(crm) -> Iterator[WatchedSandbox]:
    """The simulated CRM."""
    with running(crm.name, limits=False, **crm.settings) as started:
        yield started


def begin(
    new_project: NewProject, crm: Crm, sandbox: WatchedSandbox, timing: dict[str, float]
) -> tuple[Project, Works]:
    """Make a project whose CRM is ready for it."""
    project = new_project(
        connections={crm.name: crm.connection(sandbox.url)},
        mappings={crm.name: crm.mapping(crm.by_key)},
        timing=timing,
    )
    works = project.open()
    bring_up_to_date(works)
    connector = the_sync(works, crm.name).connector
    if connector.capabilities.creates_fields:
        make_fields(connector, object_type=crm.object_type)
    return project, works


def deliver(works: Works, crm: Crm, people: int, last_name: str) -> RunId:
    """Have everybody's record say this; return the run that wrote it."""
    for first in range(0, people, 500):
        ingest(works, crowd(people, last_name)[first : first + 500])
    pushed = push_now(works, works.mappings[crm.name], wait=_sleep)
    counts = pushed.tally.counts  # on a slow machine an answer may be late: then it is tried again
    assert counts["created"] + counts["updated"] == people, counts
    return pushed.run


def undone(works: Works, crm: Crm, run: RunId) -> tuple[UndoTally, list[Report]]:
    """Undo a run; return what it came to and what was told of each record."""
    told: list[Report] = []
    return undo(works, works.mappings[crm.name], run, wait=_sleep, tell=told.append), told


def edit(crm: Crm, sandbox: WatchedSandbox, people: int, count: int) -> dict[str, dict[str, str]]:
    """Be a salesperson who corrects some names; return what must be there afterwards."""
    expected = {}
    for record in sandbox.control.records(crm.object_type)[:: people // count]:
        first, last = record["properties"][crm.first_name], "Theirs"
        field = next(iter(crm.fields)) if len(crm.fields) == 1 else crm.last_name
        value = f"{first} {last}" if len(crm.fields) == 1 else last
        sandbox.control.edit(crm.object_type, record["id"], **{field: value})
        expected[first] = {crm.last_name: last}
    return expected


@pytest.mark.parametrize("safeguard", [None, "no_comparison_before_undo"])
def test_a_thousand_records_of_which_ten_were_changed_since(
    new_project, crm, sandbox, monkeypatch, safeguard
):
    """990 are restored, 10 are reported, none is wrong; without the comparison those 10 are."""
    _, works = begin(new_project, crm, sandbox, ROOMY)
    deliver(works, crm, PEOPLE, "Lee")
    run = deliver(works, crm, PEOPLE, "Oops")
    theirs = edit(crm, sandbox, PEOPLE, EDITED)
    assert len(theirs) == EDITED
    if safeguard:
        sabotage.take_out(safeguard, monkeypatch)
    tally, told = undone(works, crm, run)
    expected = {**crm.expected(PEOPLE, "Lee"), **theirs}
    wrong = faults(sandbox.control.records(crm.object_type), crm.first_name, expected)
    if safeguard:
        assert len(wrong) == EDITED
        return
    assert wrong == []
    assert tally.counts == {"restored": PEOPLE - EDITED, "skipped": EDITED}
    reasons = [skip for report in told for skip in report.skipped.values()]
    assert reasons == [CHANGED_SINCE] * EDITED
    again, _ = undone(works, crm, run)
    assert again.counts == {"already": PEOPLE - EDITED, "skipped": EDITED}
    assert again.calls == 0


@pytest.mark.parametrize("safeguard", [None, "no_comparison_before_undo"])
def test_killed_in_the_middle(new_project, crm, sandbox, monkeypatch, safeguard):
    """The next undo goes on: what was applied is not written twice, and the log has all of it."""
    project, works = begin(new_project, crm, sandbox, BRISK)
    deliver(works, crm, SOME, "Lee")
    run = deliver(works, crm, SOME, "Oops")
    control = sandbox.control
    control.clear_ledger()
    hold = control.fault("hold", when="after", times=1, **crm.update)
    with workers(project) as start:
        first = start(role="undo_latest")
        assert control.wait(1, **crm.update, applied=True)
        first.kill()
    control.release(hold)
    lasting = [one for one in _records(crm, sandbox) if one != "Oops"]
    assert lasting, "the CRM did not apply anything"
    if safeguard:
        sabotage.take_out(safeguard, monkeypatch)
    tally, told = undone(works, crm, run)
    assert _records(crm, sandbox) == ["Lee"] * SOME
    if safeguard:
        assert tally.counts["already"] == 0
        return
    assert tally.counts["already"] >= len(lasting)
    assert tally.counts["already"] + tally.counts["restored"] == SOME
    assert len(told) == SOME
    assert sorted(entry.profile_id for entry in _undo_log(works) if entry.fields) == sorted(
        report.profile_id for report in told
    )


@pytest.mark.parametrize("takes_all", [False, True])
def test_a_worker_in_the_midst_of_it(new_project, crm, sandbox, monkeypatch, takes_all):
    """What a worker is writing is waited for and left alone then; the rest goes back meanwhile."""
    project, works = begin(new_project, crm, sandbox, PATIENT)
    deliver(works, crm, SOME, "Lee")
    run = deliver(works, crm, SOME, "Oops")
    control, calls = sandbox.control, 8 if crm is PIPEDRIVE else 1
    control.clear_ledger()
    hold = control.fault("hold", times=calls, **crm.update)
    seen: list[list[str]] = []

    def wait(seconds: float, _why: str) -> None:
        seen.append(_records(crm, sandbox))
        control.release(hold)
        _sleep(seconds, "")

    if takes_all:
        monkeypatch.setattr(undoing, "claim", _claim_all)
    with workers(project) as start:
        start()
        ingest(works, crowd(HALF, "New"))
        assert control.wait(calls, **crm.update)
        told: list[Report] = []
        undo(works, works.mappings[crm.name], run, wait=wait, tell=told.append)
        control.release(hold)
        if takes_all:
            assert seen == []
            return
        until(lambda: is_at_rest(works.store), "the worker is done")
    assert seen[0] == ["Lee"] * (SOME - HALF) + ["Oops"] * HALF
    assert _records(crm, sandbox) == ["Lee"] * (SOME - HALF) + ["New"] * HALF
    assert Counter(report.outcome for report in told) == {"restored": SOME - HALF, "skipped": HALF}
    codes = {skip.code for report in told for skip in report.skipped.values()}
    assert codes == {"CHANGED_BY_RUN"}


def test_what_a_run_created_is_deleted_where_asked_for(new_project, crm, sandbox):
    """But for a record that somebody has changed since; the next push makes the others anew."""
    _, works = begin(new_project, crm, sandbox, ROOMY)
    run = deliver(works, crm, FEW, "Lee")
    theirs = edit(crm, sandbox, FEW, 1)
    told: list[Report] = []
    tally = undo(
        works, works.mappings[crm.name], run, wait=_sleep, tell=told.append, delete_created=True
    )
    assert tally.counts == {"deleted": FEW - 1, "skipped": 1}
    assert faults(sandbox.control.records(crm.object_type), crm.first_name, theirs) == []
    deliver(works, crm, FEW, "New")
    wanted = crm.expected(FEW, "New")
    assert faults(sandbox.control.records(crm.object_type), crm.first_name, wanted) == []


def _claim_all(connection: Any, vault: Any, ids: Any, now: Any, until_: Any) -> undoing.Lease:
    """Take a worker's links too, as if its lease had ended."""
    return _CLAIM(connection, vault, ids, now + timedelta(days=1), until_)


_CLAIM = undoing.claim


def _records(crm: Crm, sandbox: WatchedSandbox) -> list[str]:
    """Return the last names that a CRM holds, in order."""
    records = sandbox.control.records(crm.object_type)
    return sorted(record["properties"][crm.last_name] for record in records)


def _undo_log(works: Works) -> list[LogEntry]:
    with works.store.database.read() as connection:
        entries = list(runs.find_entries(connection, works.store.vault))
    return [entry for entry in entries if entry.action == "undo"]


def _sleep(seconds: float, _why: str) -> None:
    threading.Event().wait(seconds)
