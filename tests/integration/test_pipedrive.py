"""A CRM without anything unique: what keeps a person from being made twice, over real processes.

Each story is told as crmsync is, and without a safeguard, in which case the simulated CRM must hold
duplicates. Its search knows of a change an hour late, longer than any of this takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crmsync.model import Outcome
from crmsync.sandbox import Sandbox
from crmsync.store.tables import links, sync_log
from crmsync.sync.context import Works
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.workbench import (
    KEY,
    QUICK,
    TOKEN,
    NewProject,
    Project,
    count_rows,
    crowd,
    faults,
    ingest,
    is_at_rest,
    make_fields,
    the_sync,
    until,
)

PEOPLE = 4
"""As many as can be searched for by two keys without waiting for the rate limit."""
RECORDS = "/api/v2/persons"
PATIENT = {
    **QUICK,
    "request_deadline_seconds": 4.0,
    "lease_seconds": 8.0,
    "settle_seconds": 20.0,
}
MAPPING = f"""
connection: crm
source: profiles
object: persons
match: {{{KEY}: profile_id, email: email}}
fields: {{name: name, email: email}}
"""
LAG_SECONDS = 3_600.0
Begin = Callable[[], tuple[Project, Works]]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A simulated Pipedrive whose search is an hour behind."""
    with running(
        "pipedrive", limits=False, tokens=(TOKEN,), search_lag_seconds=LAG_SECONDS
    ) as started:
        yield started


@pytest.fixture
def begin(new_project: NewProject, sandbox: Sandbox) -> Begin:
    """Makes a project with people to be created in a CRM that is ready for them."""

    def make() -> tuple[Project, Works]:
        project = new_project(
            sandbox.url, mappings={"contacts": MAPPING}, timing=PATIENT, connector="pipedrive"
        )
        works = project.open()
        make_fields(the_sync(works).connector, object_type="persons")
        ingest(works, crowd(PEOPLE, "Lee"))
        return project, works

    return make


def judge(sandbox: Sandbox, safeguards: tuple[str, ...], last_name: str = "Lee") -> None:
    """Pass where each person is there once, or twice where a safeguard was taken out."""
    expected = {f"Ann{n}": {"last_name": last_name} for n in range(PEOPLE)}
    found = faults(sandbox.control.records("persons"), "first_name", expected)
    if safeguards:
        assert found, f"nothing went wrong without {safeguards}: the story shows nothing"
    else:
        assert found == []


def lost_answers(works: Works) -> int:
    """How many creates ended without an answer."""
    return count_rows(works.store, sync_log, sync_log.c.outcome == Outcome.UNKNOWN)


@pytest.mark.parametrize("safeguards", [(), ("search_alone",)])
def test_the_reply_to_a_create_is_lost(begin, sandbox, safeguards):
    """What was created unheard is found although search does not know it yet."""
    project, works = begin()
    sandbox.control.fault(
        "drop", when="after", how="close", method="POST", path=RECORDS, times=PEOPLE
    )
    with workers(project, *safeguards) as start:
        start()
        until(lambda: lost_answers(works) == PEOPLE, "every answer was lost")
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(sandbox, safeguards)


@pytest.mark.parametrize("safeguards", [(), ("no_create_intent",)])
def test_a_create_is_applied_late(begin, sandbox, safeguards):
    """A create that may still land is waited for, although a newer value is due at once."""
    project, works = begin()
    control = sandbox.control
    control.fault("late", method="POST", path=RECORDS, times=PEOPLE, seconds=3600.0)
    with workers(project, *safeguards) as start:
        start()
        until(lambda: lost_answers(works) == PEOPLE, "every answer was lost")
        ingest(works, crowd(PEOPLE, "Ray"))
        if safeguards:
            assert control.wait(2 * PEOPLE, method="POST", path=RECORDS, timeout_seconds=90), (
                "each was created again"
            )
        else:
            leased = links.c.lease_token.is_not(None)
            until(lambda: count_rows(works.store, links, leased) == 0, "each was looked at again")
        control.advance(3600.0)
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(sandbox, safeguards, "Ray")


@pytest.mark.parametrize("safeguards", [(), ("no_create_intent",)])
def test_killed_during_a_create(begin, sandbox, safeguards):
    """The create of a worker that died is waited for by the one that takes over."""
    project, works = begin()
    control = sandbox.control
    hold = control.fault("hold", method="POST", path=RECORDS, times=1)
    with workers(project, *safeguards) as start:
        first = start()
        assert control.wait(1, method="POST", path=RECORDS)
        first.kill()
        sent = control.calls(method="POST", path=RECORDS)
        start()
        if safeguards:
            assert control.wait(sent + 1, method="POST", path=RECORDS, timeout_seconds=90)
        else:
            leased = links.c.lease_token.is_not(None)
            until(lambda: count_rows(works.store, links, leased) == 0, "the lease was taken over")
        control.release(hold)
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(sandbox, safeguards)


@pytest.mark.parametrize("safeguards", [(), ("leases_end_at_once", "no_create_intent")])
def test_two_workers_at_once(begin, sandbox, safeguards):
    """While one worker is creating a person, another one leaves that person alone."""
    project, works = begin()
    control = sandbox.control
    hold = control.fault("hold", method="POST", path=RECORDS, times=1)
    with workers(project, *safeguards) as start:
        start()
        start()
        wanted = PEOPLE + 1 if safeguards else PEOPLE
        assert control.wait(wanted, method="POST", path=RECORDS, timeout_seconds=90)
        control.release(hold)
        if safeguards:  # what is settled too late is done again and again
            until(lambda: len(control.records("persons")) > PEOPLE, "somebody is there twice")
        else:
            until(lambda: is_at_rest(works.store), "all work is done")
    judge(sandbox, safeguards)
