"""Celery on a real Redis as the doorbell: it hurries the push, and nothing depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery

from crmsync import tasks
from crmsync.sandbox import Sandbox
from crmsync.store.tables import events, links, schedule_ticks
from crmsync.sync.context import Works
from tests.integration.workers import workers
from tests.served_api import serving
from tests.servers import redis
from tests.workbench import (
    KEYED,
    QUICK,
    NewProject,
    Project,
    count_rows,
    crowd,
    expected_crowd,
    faults,
    ingest,
    is_at_rest,
    make_fields,
    the_sync,
    until,
)

SLOW_SWEEP = {**QUICK, "sweep_seconds": 3600.0}
"""Only the bell can bring work to a worker in time."""
UPSERT = "*/contacts/batch/upsert"
PEOPLE = 20


@pytest.fixture
def database_url(pg_database: str) -> str:
    """PostgreSQL: what runs apart shares no file."""
    return pg_database


@pytest.fixture
def own_redis() -> Iterator[redis.OwnRedis]:
    """A Redis that the test may stop and freeze."""
    with redis.start_own() as server:
        yield server


def project_of(new_project: NewProject, sandbox: Sandbox, timing: dict[str, float]) -> Project:
    """Make a project whose CRM is ready for it."""
    project = new_project(sandbox.url, mappings={"contacts": KEYED}, timing=timing)
    make_fields(the_sync(project.open()).connector)
    return project


def open_with_bell(project: Project, broker_url: str) -> tuple[Works, tasks.Doorbell, Celery]:
    """Open a process that rings, as the API does."""
    app = tasks.make_app(broker_url, ["crm"])
    bell = tasks.Doorbell(app, 0.0)
    return project.open(bell.ring), bell, app


def assert_delivered(sandbox: Sandbox) -> None:
    """Check the CRM's own records."""
    found = faults(sandbox.control.records("contacts"), "firstname", expected_crowd(PEOPLE, "Lee"))
    assert found == []


def test_the_bell_brings_work_to_a_worker(new_project, sandbox, redis_database):
    """What is ingested is pushed at once by a Celery worker whose own sweep is an hour away."""
    project = project_of(new_project, sandbox, SLOW_SWEEP)
    works, _, app = open_with_bell(project, redis_database)
    with workers(project, CRMSYNC_BROKER_URL=redis_database) as start, app:
        start(role="celery")
        ingest(works, crowd(PEOPLE, "Lee"))
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "it is settled")
    assert_delivered(sandbox)


def test_a_celery_worker_is_killed_after_the_crm_applied_the_write(
    new_project, sandbox, redis_database
):
    """The lost task is not delivered again by Redis; the next worker's sweep finds the work."""
    project = project_of(new_project, sandbox, QUICK)
    works, _, app = open_with_bell(project, redis_database)
    control = sandbox.control
    hold = control.fault("hold", when="after", path=UPSERT, times=1)
    with workers(project, CRMSYNC_BROKER_URL=redis_database) as start, app:
        first = start(role="celery")
        ingest(works, crowd(PEOPLE, "Lee"))
        until(lambda: len(control.records("contacts")) == PEOPLE, "the CRM applied it")
        first.kill()
        control.release(hold)
        start(role="celery")
        assert control.wait(2, path=UPSERT, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "it is settled and verified")
    assert_delivered(sandbox)


def test_without_redis_the_sweep_delivers(new_project, sandbox, own_redis):
    """With Redis gone for good, ingest answers and the workers' sweep sends everything."""
    project = project_of(new_project, sandbox, QUICK)
    works, bell, app = open_with_bell(project, own_redis.url)
    with workers(project, CRMSYNC_BROKER_URL=own_redis.url) as start, app:
        start()
        own_redis.stop()
        ingest(works, crowd(PEOPLE, "Lee"))
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=30)
        until(lambda: bell.failures > 0, "the bell counts that it could not ring")
        until(lambda: is_at_rest(works.store), "it is settled")
    assert_delivered(sandbox)


def test_a_flushed_redis_loses_nothing(new_project, sandbox, redis_server, redis_database):
    """Bells that Redis forgot cost time and no data."""
    project = project_of(new_project, sandbox, QUICK)
    works, _, app = open_with_bell(project, redis_database)
    ingest(works, crowd(PEOPLE, "Lee"))
    redis.Redis(redis_database, "").flush()
    with workers(project, CRMSYNC_BROKER_URL=redis_database) as start, app:
        start(role="celery")
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=30)
        until(lambda: is_at_rest(works.store), "it is settled")
    assert_delivered(sandbox)


def test_ingest_answers_while_redis_is_frozen(new_project, sandbox, own_redis):
    """A 2xx is given, and is durable, while Redis accepts connections and answers nothing."""
    project = project_of(new_project, sandbox, QUICK)
    works, bell, app = open_with_bell(project, own_redis.url)
    own_redis.pause()
    try:
        with serving(works) as api, app:
            for number in range(20):
                body = {"userId": f"u{number}", "traits": {"first_name": f"Ann{number}"}}
                assert api.post("/v1/identify", body).status_code == 200
            assert bell.failures == 0, "nobody has waited until the bell gave up"
            assert count_rows(works.store, events) == 20
            assert count_rows(works.store, links) == 20
    finally:
        own_redis.resume()


def test_three_schedulers_run_a_tick_once(new_project, sandbox):
    """However many scheduler processes look at the same moment, one of them takes the tick."""
    mapping = KEYED + "trigger: hourly\n"
    project = new_project(sandbox.url, mappings={"contacts": mapping}, timing=QUICK)
    works = project.open()
    with workers(project) as start:
        three = [start(role="tick") for _ in range(3)]
        assert [worker.hear() for worker in three] == ["ready"] * 3
        for worker in three:
            worker.line.send("go")
        assert sorted(worker.hear() for worker in three) == [0, 0, 1]
    assert count_rows(works.store, schedule_ticks) == 1
