"""A real worker is killed or frozen at the worst moments; the CRM's own records are the judge.

Each story is told twice: as crmsync is, and with one safeguard taken out of both workers, in which
case the checker must find fault. A story that passes without its safeguard would show nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Engine

from crmsync.model import Outcome
from crmsync.sandbox import Control, Sandbox
from crmsync.store.database import Database
from crmsync.store.tables import links, sync_log
from crmsync.sync.context import Works
from tests.integration import listing_hubspot
from tests.integration.workers import workers
from tests.workbench import (
    ADOPTING,
    KEYED,
    QUICK,
    NewProject,
    Project,
    count_rows,
    crowd,
    drain,
    expected_crowd,
    faults,
    identify,
    ingest,
    is_at_rest,
    make_fields,
    the_sync,
    until,
)

PEOPLE = 150
"""Two batches in the air at once."""
READ = "*/contacts/batch/read"
UPSERT = "*/contacts/batch/upsert"
UPDATE = "*/contacts/batch/update"
CREATE = "*/contacts/batch/create"
PATIENT = {
    **QUICK,
    "request_deadline_seconds": 2.0,
    "lease_seconds": 3.0,
    "settle_seconds": 6.0,
}
"""Where a test has to act within the settle time."""
Begin = Callable[..., tuple[Project, Works]]
UNKEYED = """
connection: crm
source: profiles
object: contacts
match: {our_ref: user_id}
fields: {firstname: first_name, lastname: last_name}
"""
"""People in a CRM that has no unique field: it would take the same person twice."""


@contextmanager
def locked_log(database_url: str) -> Iterator[Engine]:
    """Keep every settle from committing: the log cannot be written to meanwhile."""
    database = Database(database_url)
    with database.engine.begin() as connection:  # on SQLite BEGIN IMMEDIATE, which is the lock
        if not database.is_sqlite:
            connection.exec_driver_sql("LOCK TABLE sync_log IN ACCESS EXCLUSIVE MODE")
        yield database.engine
    database.dispose()


def wait_until_settle_is_blocked(engine: Engine, control: Control) -> None:
    """Return when the CRM has answered and, where the database can tell, settle waits for us."""
    assert control.wait(2, path=UPSERT, finished=True, status=200)
    if engine.dialect.name == "postgresql":
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with psycopg.connect(url, autocommit=True) as watch:
            until(lambda: bool(watch.execute(query).fetchone() != (0,)), "settle is blocked")


@pytest.fixture
def begin(new_project: NewProject, sandbox: Sandbox) -> Begin:
    """Makes a project whose CRM is ready for it."""

    def make(
        mapping: str, timing: Mapping[str, float] = QUICK, connector: str = "hubspot"
    ) -> tuple[Project, Works]:
        listing_hubspot.register()
        project = new_project(
            sandbox.url, mappings={"contacts": mapping}, timing=timing, connector=connector
        )
        works = project.open()
        make_fields(the_sync(works).connector, "our_ref")
        return project, works

    return make


def last_name(control: Control) -> str | None:
    """Return what the only contact's last name is in the CRM."""
    (contact,) = control.records("contacts")
    name: str | None = contact["properties"]["lastname"]
    return name


def judge(found: list[str], safeguard: str | None) -> None:
    """Pass where crmsync as it is left no fault, and without a safeguard left some."""
    if safeguard is None:
        assert found == []
    else:
        assert found, f"nothing went wrong without {safeguard}: the story shows nothing"


@pytest.mark.parametrize("safeguard", [None, "leases_never_end"])
def test_killed_between_claim_and_write(begin, sandbox, safeguard):
    """What a dead worker had claimed and not yet sent is sent by another when the lease ends."""
    project, works = begin(ADOPTING)
    control = sandbox.control
    ingest(works, crowd(PEOPLE, "Lee"))
    hold = control.fault("hold", path=READ, times=1)
    with workers(project, *without(safeguard)) as start:
        first = start()
        assert control.wait(1, path=READ)
        first.kill()
        control.release(hold)
        start()
        if safeguard is None:
            assert control.wait(2, path=UPSERT, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", expected_crowd(PEOPLE, "Lee")), safeguard
    )


@pytest.mark.parametrize("safeguard", [None, "no_upsert_key"])
def test_killed_after_the_crm_applied_the_write(begin, sandbox, safeguard):
    """What the CRM did for a worker that never heard of it is not done a second time."""
    project, works = begin(KEYED)
    control = sandbox.control
    ingest(works, crowd(PEOPLE, "Lee"))
    path = CREATE if safeguard else UPSERT
    hold = control.fault("hold", when="after", path=path, times=2)
    with workers(project, *without(safeguard)) as start:
        first = start()
        until(lambda: len(control.records("contacts")) == PEOPLE, "the CRM applied it")
        first.kill()
        control.release(hold)
        start()
        assert control.wait(4, path=path, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", expected_crowd(PEOPLE, "Lee")), safeguard
    )


@pytest.mark.parametrize("safeguard", [None, "no_upsert_key"])
def test_killed_between_the_answer_and_the_settle(begin, database_url, sandbox, safeguard):
    """An answer that was heard and not yet committed is as good as lost, and does no harm."""
    project, works = begin(KEYED)
    control = sandbox.control
    ingest(works, crowd(PEOPLE, "Lee"))
    path = CREATE if safeguard else UPSERT
    hold = control.fault("hold", when="after", path=path, times=2)
    with workers(project, *without(safeguard)) as start:
        first = start()
        until(lambda: len(control.records("contacts")) == PEOPLE, "the CRM applied it")
        with locked_log(database_url) as engine:
            control.release(hold)
            if safeguard is None:
                wait_until_settle_is_blocked(engine, control)
            else:
                assert control.wait(2, path=path, finished=True)
            first.kill()
        assert count_rows(works.store, sync_log) == 0
        start()
        assert control.wait(4, path=path, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", expected_crowd(PEOPLE, "Lee")), safeguard
    )


@pytest.mark.parametrize("safeguard", [None, "no_fence"])
def test_a_frozen_worker_wakes_up_late(begin, sandbox, safeguard):
    """A worker frozen before its write, whose work another did, does not have the last word.

    It sends its old value, since no CRM knows of leases; its settle is fenced out and asks for a
    look at the record, which restores the newest value.
    """
    project, works = begin(KEYED)
    control = sandbox.control
    ingest(works, [identify("u0", first_name="Ann0", last_name="Oldest")])
    drain(works)
    ingest(works, [identify("u0", last_name="Old")])
    with workers(project, *without(safeguard)) as start:
        first = start("freeze_at_write", role="push_once")
        first.wait_frozen()
        ingest(works, [identify("u0", last_name="Newest")])
        start()
        assert control.wait(1, path=UPDATE, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "the second worker's work is done and verified")
        first.thaw()
        written = sync_log.c.outcome == Outcome.SUCCEEDED
        until(
            lambda: count_rows(works.store, sync_log, written) >= 3, "the first worker has settled"
        )
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", {"Ann0": {"lastname": "Newest"}}),
        safeguard,
    )


@pytest.mark.parametrize("safeguard", [None, "no_verify"])
def test_a_write_is_applied_after_its_sender_gave_up(begin, sandbox, safeguard):
    """A late write that overtakes a newer one is found after the settle time and put right."""
    project, works = begin(KEYED, PATIENT)
    control = sandbox.control
    ingest(works, [identify("u0", first_name="Ann0", last_name="Oldest")])
    drain(works)
    control.fault("late", path=UPDATE, times=1, seconds=3600.0)
    with workers(project, *without(safeguard)) as start:
        ingest(works, [identify("u0", last_name="Old")])
        start()
        unknown = sync_log.c.outcome == Outcome.UNKNOWN
        until(lambda: count_rows(works.store, sync_log, unknown) == 1, "the answer was lost")
        ingest(works, [identify("u0", last_name="Newest")])
        # Not merely a write: the old value may be sent again before the newest is claimed.
        until(lambda: last_name(control) == "Newest", "the newest value is there")
        control.advance(3600.0)
        (late,) = control.records("contacts")
        assert late["properties"]["lastname"] == "Old"
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", {"Ann0": {"lastname": "Newest"}}),
        safeguard,
    )


@pytest.mark.parametrize("safeguard", [None, "no_create_intent"])
def test_killed_during_a_create_that_lands_late(begin, sandbox, safeguard):
    """Without a unique field, a create that may still land is waited for and not repeated."""
    project, works = begin(UNKEYED, PATIENT, "listing")
    control, people = sandbox.control, 20
    ingest(works, crowd(people, "Lee"))
    hold = control.fault("hold", path=CREATE, times=1)
    with workers(project, *without(safeguard)) as start:
        first = start()
        assert control.wait(1, path=CREATE)
        first.kill()
        start()
        if safeguard is None:
            leased = links.c.lease_token.is_not(None)
            until(lambda: count_rows(works.store, links, leased) == 0, "the lease was taken over")
        else:
            assert control.wait(2, path=CREATE, timeout_seconds=30)
        control.release(hold)
        until(lambda: len(control.records("contacts")) >= people, "the first create has landed")
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", expected_crowd(people, "Lee")), safeguard
    )


@pytest.mark.parametrize("safeguard", [None, "no_create_intent"])
def test_the_answer_to_a_create_is_lost(begin, sandbox, safeguard):
    """A create whose answer was lost and which lands later is made once, without a unique key."""
    project, works = begin(UNKEYED, PATIENT, "listing")
    control, people = sandbox.control, 20
    ingest(works, crowd(people, "Lee"))
    control.fault("late", path=CREATE, times=1, seconds=3600.0)
    with workers(project, *without(safeguard)) as start:
        start()
        unknown = sync_log.c.outcome == Outcome.UNKNOWN
        until(lambda: count_rows(works.store, sync_log, unknown) == people, "the answer was lost")
        for event in crowd(people, "Ray"):  # a new value makes it due at once
            ingest(works, [event])
        until(
            lambda: (
                count_rows(works.store, links, links.c.lease_token.is_not(None)) == 0
                and is_due_later(works)
            ),
            "it has been looked at since",
        )
        control.advance(3600.0)
        until(lambda: is_at_rest(works.store), "all work is done")
    judge(
        faults(control.records("contacts"), "firstname", expected_crowd(people, "Ray")), safeguard
    )


def is_due_later(works: Works) -> bool:
    """Whether nothing is due now."""
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        first = connection.execute(sqlalchemy.select(sqlalchemy.func.min(links.c.wake_at))).scalar()
        return first is None or first > now


def without(safeguard: str | None) -> tuple[str, ...]:
    """Return what tells a worker process which safeguard to do without."""
    return (safeguard,) if safeguard else ()
