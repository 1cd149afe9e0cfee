"""A real worker is killed or frozen at the worst moments; the CRMs' own records are the judge.

Each story is told of every CRM at once, which are connections of one worker, on both databases. And
it is told twice: as crmsync is, and with a safeguard taken out of the workers, in which case the
checker must find fault with every CRM, and the fault that the safeguard is there against. A story
that passes without its safeguard would show nothing.

A CRM without anything unique is told of once more in `test_pipedrive.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Engine

from crmsync.model import FieldSchema, FieldType, Outcome
from crmsync.sandbox import Control
from crmsync.store.database import Database
from crmsync.store.tables import links, sync_log
from crmsync.sync.context import Works
from tests.crms import CRMS, HUBSPOT, SALESFORCE, ZOHO, Crm, Route
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.workbench import (
    QUICK,
    NewProject,
    Project,
    count_rows,
    crowd,
    drain,
    faults,
    identify,
    ingest,
    is_at_rest,
    the_sync,
    until,
)

PEOPLE = 120
"""Two batches in the air at once, where a batch is a hundred."""
FEW = 20
BRISK = {
    **QUICK,
    "request_deadline_seconds": 4.0,
    "lease_seconds": 8.0,
    "settle_seconds": 8.5,
}
STEADY = {
    **QUICK,
    "request_deadline_seconds": 20.0,
    "lease_seconds": 30.0,
    "settle_seconds": 30.5,
}
"""Where a test has to act before the deadline of every CRM's first call."""
PATIENT = {
    **QUICK,
    "request_deadline_seconds": 14.0,
    "lease_seconds": 20.0,
    "settle_seconds": 45.0,
}
"""Where it has to act after a lease has ended and within the settle time."""
LOSING = {
    **QUICK,
    "request_deadline_seconds": 4.0,
    "lease_seconds": 12.0,
    "settle_seconds": 13.0,
}
"""Where a worker waits a whole deadline for its answer and still has to settle within its lease."""
WITH_CREATES = (HUBSPOT, SALESFORCE, ZOHO)
"""Matched by a field that is not unique, they are like Pipedrive, but make many in one call."""
MISSING, TWICE, OLD = ": 0 records", ": 2 records", "'Old', not 'Newest'"
"""What the checker says of a record that was not made, made twice, or holds a stale value."""
Controls = Mapping[Crm, Control]
Holds = Mapping[Crm, int]
"""The fault that holds something in each CRM."""
Begin = Callable[..., tuple[Project, Works]]


@pytest.fixture
def controls() -> Iterator[Controls]:
    """The controls of all simulated CRMs."""
    with ExitStack() as stack:
        yield {
            crm: stack.enter_context(running(crm.name, limits=False, **crm.settings)).control
            for crm in CRMS
        }


@pytest.fixture
def begin(new_project: NewProject, controls: Controls) -> Begin:
    """Makes a project of connections to CRMs that are ready for it."""

    def make(
        mappings: Mapping[Crm, str], timing: Mapping[str, float] = BRISK
    ) -> tuple[Project, Works]:
        project = new_project(
            connections={crm.name: crm.connection(controls[crm].url) for crm in mappings},
            mappings={crm.name: text for crm, text in mappings.items()},
            timing=timing,
        )
        works = project.open()
        for crm in mappings:
            connector = the_sync(works, crm.name).connector
            if connector.capabilities.creates_fields:
                ours = FieldSchema(crm.key, crm.key, FieldType.TEXT, unique=True)
                connector.create_field(crm.object_type, ours)
        return project, works

    return make


def judge(
    controls: Controls,
    expected: Callable[[Crm], Mapping[str, Mapping[str, str]]],
    safeguards: Sequence[str],
    symptom: str,
) -> None:
    """Pass where crmsync as it is left no fault, and without safeguards this one in every CRM."""
    found = {
        crm.name: faults(control.records(crm.object_type), crm.first_name, expected(crm))
        for crm, control in controls.items()
    }
    if not safeguards:
        assert {name: wrong for name, wrong in found.items() if wrong} == {}
    else:
        passed = [name for name, wrong in found.items() if not any(symptom in one for one in wrong)]
        assert passed == [], f"nothing went wrong without {safeguards}: the story shows nothing"


def all_at_rest(works: Works) -> None:
    """Return when nobody has anything left to do."""
    until(lambda: is_at_rest(works.store), "all work is done", seconds=120.0)


def logged(works: Works, *outcomes: Outcome) -> dict[str, int]:
    """Return how many operations had any of these outcomes, or one at all, by connection."""
    query = (
        sqlalchemy.select(links.c.connection, sqlalchemy.func.count())
        .join(sync_log, sync_log.c.link_id == links.c.id)
        .where(sync_log.c.outcome.in_(outcomes or list(Outcome)))
        .group_by(links.c.connection)
    )
    with works.store.database.read() as connection:
        return dict(connection.execute(query).all())


def is_leased(works: Works) -> bool:
    """Whether anybody is at work, or has died of it lately."""
    return count_rows(works.store, links, links.c.lease_token.is_not(None)) > 0


def last_name(crm: Crm, control: Control) -> str | None:
    """Return what the only person's last name is in a CRM."""
    [person] = control.records(crm.object_type)
    name: str | None = person["properties"][crm.last_name]
    return name


def newest(crm: Crm) -> Mapping[str, Mapping[str, str]]:
    """Return what a CRM must hold of the one person whose last name changes."""
    return {"Ann0": {crm.last_name: "Newest"}}


@contextmanager
def locked_log(database_url: str) -> Iterator[Engine]:
    """Keep every settle from committing: the log cannot be written to meanwhile."""
    database = Database(database_url)
    with database.engine.begin() as connection:  # on SQLite BEGIN IMMEDIATE, which is the lock
        if not database.is_sqlite:
            connection.exec_driver_sql("LOCK TABLE sync_log IN ACCESS EXCLUSIVE MODE")
        yield database.engine
    database.dispose()


def wait_until_settles_are_blocked(engine: Engine, count: int) -> None:
    """Return, where the database can tell, when so many transactions wait for a lock."""
    if engine.dialect.name == "postgresql":
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with psycopg.connect(url, autocommit=True) as watch:
            until(lambda: watch.execute(query).fetchone() == (count,), "settles are blocked")


def made_by(crm: Crm, safeguards: Sequence[str]) -> Route:
    """Return the call that makes a record: without an upsert key, a mere create."""
    return crm.create if "no_upsert_key" in safeguards else crm.make


def hold_answers(controls: Controls, safeguards: Sequence[str]) -> Holds:
    """Let every CRM do what its first calls ask for, and say nothing."""
    return {
        crm: control.fault(
            "hold", when="after", times=crm.calls_at_once, **made_by(crm, safeguards)
        )
        for crm, control in controls.items()
    }


def release(controls: Controls, holds: Holds) -> None:
    """Let all go that is held."""
    for crm, hold in holds.items():
        controls[crm].release(hold)


def wait_until(controls: Controls, safeguards: Sequence[str], **state: bool) -> None:
    """Return when the first calls of every CRM have come so far: `applied`, or `finished`."""
    for crm, control in controls.items():
        calls = made_by(crm, safeguards)
        assert control.wait(crm.calls_at_once, **calls, **state), crm.name


@pytest.mark.parametrize("safeguards", [(), ("leases_never_end",)])
def test_killed_between_claim_and_write(begin, controls, safeguards):
    """What a dead worker had claimed and not yet sent is sent by another when the lease ends."""
    project, works = begin({crm: crm.mapping(crm.adopting) for crm in CRMS}, STEADY)
    ingest(works, crowd(PEOPLE, "Lee"))
    holds = {
        crm: control.fault("hold", path=crm.records, times=1) for crm, control in controls.items()
    }
    with workers(project, *safeguards) as start:
        first = start()
        for crm, control in controls.items():
            assert control.wait(1, path=crm.records), crm.name
        first.kill()
        release(controls, holds)
        start()
        all_at_rest(works)
    judge(controls, lambda crm: crm.expected(PEOPLE, "Lee"), safeguards, MISSING)


@pytest.mark.parametrize("safeguards", [(), ("no_upsert_key", "search_alone")])
def test_killed_after_the_crm_applied_the_write(begin, controls, safeguards):
    """What the CRM did for a worker that never heard of it is not done a second time."""
    project, works = begin({crm: crm.mapping(crm.by_key) for crm in CRMS})
    ingest(works, crowd(PEOPLE, "Lee"))
    holds = hold_answers(controls, safeguards)
    with workers(project, *safeguards) as start:
        first = start()
        wait_until(controls, safeguards, applied=True)
        first.kill()
        release(controls, holds)
        start()
        all_at_rest(works)
    judge(controls, lambda crm: crm.expected(PEOPLE, "Lee"), safeguards, TWICE)


@pytest.mark.parametrize("safeguards", [(), ("no_upsert_key", "search_alone")])
def test_killed_between_the_answer_and_the_settle(begin, database_url, controls, safeguards):
    """An answer that was heard and not yet committed is as good as lost, and does no harm."""
    project, works = begin({crm: crm.mapping(crm.by_key) for crm in CRMS}, STEADY)
    ingest(works, crowd(PEOPLE, "Lee"))
    holds = hold_answers(controls, safeguards)
    with workers(project, *safeguards) as start:
        first = start()
        wait_until(controls, safeguards, applied=True)
        with locked_log(database_url) as engine:
            release(controls, holds)
            wait_until(controls, safeguards, finished=True)
            wait_until_settles_are_blocked(engine, len(controls))
            first.kill()
        assert logged(works) == {}, "an answer came too late to be held: the deadline is too short"
        start()
        all_at_rest(works)
    judge(controls, lambda crm: crm.expected(PEOPLE, "Lee"), safeguards, TWICE)


@pytest.mark.parametrize("safeguards", [(), ("no_fence",)])
def test_a_frozen_worker_wakes_up_late(begin, controls, safeguards):
    """A worker frozen before its write, whose work another did, does not have the last word.

    It sends its old value, since no CRM knows of leases; its settle is fenced out and asks for a
    look at the record, which restores the newest value.
    """
    project, works = begin({crm: crm.mapping(crm.by_key) for crm in CRMS})
    make_one_person(works)
    ingest(works, [identify("u0", last_name="Old")])
    with workers(project, *safeguards) as start:
        first = start(role="freeze_at_write")
        first.wait_frozen()
        ingest(works, [identify("u0", last_name="Newest")])
        start()
        for crm, control in controls.items():
            assert control.wait(1, **crm.update, applied=True, timeout_seconds=90), crm.name
        all_at_rest(works)
        before = logged(works)
        first.thaw()
        until(
            lambda: all(count > before[name] for name, count in logged(works).items()),
            "the first worker has settled",
        )
        all_at_rest(works)
    judge(controls, newest, safeguards, OLD)


@pytest.mark.parametrize("safeguards", [(), ("no_verify",)])
def test_a_write_is_applied_after_its_sender_gave_up(begin, controls, safeguards):
    """A late write that overtakes a newer one is found after the settle time and put right."""
    project, works = begin({crm: crm.mapping(crm.by_key) for crm in CRMS}, LOSING)
    make_one_person(works)
    for crm, control in controls.items():
        control.fault("late", **crm.update, times=1, seconds=3600.0)
    with workers(project, *safeguards) as start:
        ingest(works, [identify("u0", last_name="Old")])
        start()
        until(lambda: len(logged(works, Outcome.UNKNOWN)) == len(CRMS), "every answer was lost")
        ingest(works, [identify("u0", last_name="Newest")])
        for crm, control in controls.items():
            # Not merely a write: the old value may be sent again before the newest is claimed.
            until(
                lambda: last_name(crm, control) == "Newest",  # noqa: B023 - used at once
                f"the newest value is in {crm.name}",
            )
        for crm, control in controls.items():
            control.advance(3600.0)
            assert last_name(crm, control) == "Old", crm.name
        all_at_rest(works)
    judge(controls, newest, safeguards, OLD)


@pytest.mark.parametrize("safeguards", [(), ("no_create_intent",)])
def test_killed_during_a_create_that_lands_late(begin, controls, safeguards):
    """Without a unique field, a create that may still land is waited for and not repeated."""
    project, works = begin({crm: crm.mapping(crm.loose) for crm in WITH_CREATES}, PATIENT)
    controls = {crm: controls[crm] for crm in WITH_CREATES}
    ingest(works, crowd(FEW, "Lee"))
    holds = {crm: control.fault("hold", **crm.create, times=1) for crm, control in controls.items()}
    with workers(project, *safeguards) as start:
        first = start()
        for crm, control in controls.items():
            assert control.wait(1, **crm.create), crm.name
        first.kill()
        start()
        if safeguards:
            for crm, control in controls.items():
                assert control.wait(2, **crm.create, timeout_seconds=90), crm.name
        else:
            until(lambda: not is_leased(works), "the leases were taken over")
        release(controls, holds)
        for crm, control in controls.items():
            until(
                lambda: len(control.records(crm.object_type)) >= FEW,  # noqa: B023 - used at once
                f"the first create has landed in {crm.name}",
            )
        all_at_rest(works)
    judge(controls, lambda crm: crm.expected(FEW, "Lee"), safeguards, TWICE)


@pytest.mark.parametrize("safeguards", [(), ("no_create_intent",)])
def test_the_answer_to_a_create_is_lost(begin, controls, safeguards):
    """A create whose answer was lost and which lands later is made once, without a unique key."""
    project, works = begin({crm: crm.mapping(crm.loose) for crm in WITH_CREATES}, LOSING)
    controls = {crm: controls[crm] for crm in WITH_CREATES}
    ingest(works, crowd(FEW, "Lee"))
    for crm, control in controls.items():
        control.fault("late", **crm.create, times=1, seconds=3600.0)
    with workers(project, *safeguards) as start:
        start()
        # On a slow machine an answer may be late once more: then there are more entries.
        until(
            lambda: all(logged(works, Outcome.UNKNOWN).get(crm.name, 0) >= FEW for crm in controls),
            "every answer was lost",
            seconds=60.0,
        )
        ingest(works, crowd(FEW, "Ray"))  # a new value makes it due at once
        # In this order: what is claimed between the two looks is not due, and leased.
        until(lambda: is_due_later(works) and not is_leased(works), "each has been looked at since")
        for control in controls.values():
            control.advance(3600.0)
        all_at_rest(works)
    judge(controls, lambda crm: crm.expected(FEW, "Ray"), safeguards, TWICE)


def make_one_person(works: Works) -> None:
    """Have every CRM hold somebody whose last name can change."""
    ingest(works, [identify("u0", first_name="Ann0", last_name="Oldest")])
    for name in works.mappings:
        drain(works, name)


def is_due_later(works: Works) -> bool:
    """Whether nothing is due now."""
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
        first = connection.execute(sqlalchemy.select(sqlalchemy.func.min(links.c.wake_at))).scalar()
        return first is None or first > now
