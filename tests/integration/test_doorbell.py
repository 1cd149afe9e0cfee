"""Celery on a real Redis as the doorbell: it hurries the push, and nothing depends on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from statistics import median

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from crmsync import tasks
from crmsync.connectors import registry
from crmsync.connectors.base import Connection
from crmsync.connectors.throttle import LONGEST_SETTLING_SECONDS
from crmsync.sandbox import Sandbox
from crmsync.store.tables import events, links, schedule_ticks
from crmsync.sync.context import Works
from tests.integration.workers import workers
from tests.served_api import Api, serving
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
AS_DELIVERED: dict[str, float] = {}
"""The product's own times."""
NOT_SWEEPING = {"sweep_seconds": 3600.0}
SLOWNESS_SECONDS = 90.0
"""Which any machine is given for its own work."""
ROUND_SECONDS = 2.0
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


def project_of(
    new_project: NewProject, sandbox: Sandbox, timing: dict[str, float], lines: str = ""
) -> Project:
    """Make a project whose CRM is ready for it."""
    project = new_project(sandbox.url, mappings={"contacts": KEYED + lines}, timing=timing)
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
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=90)
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
        assert control.wait(2, path=UPSERT, applied=True, timeout_seconds=90)
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
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=90)
        until(lambda: bell.failures > 0, "the bell counts that it could not ring")
        until(lambda: is_at_rest(works.store), "it is settled")
    assert_delivered(sandbox)


@pytest.mark.parametrize("timing", [AS_DELIVERED, NOT_SWEEPING], ids=["sweeping", "not_sweeping"])
def test_with_redis_gone_for_good_celery_workers_deliver(new_project, sandbox, own_redis, timing):
    """Real Celery workers, whose broker never comes back, find by looking what nobody rings for.

    They do so in the time that their settings say; what a slow machine takes comes to that.
    """
    project = project_of(new_project, sandbox, timing, "reconcile: false\n")
    works, _, app = open_with_bell(project, own_redis.url)
    with workers(project, CRMSYNC_BROKER_URL=own_redis.url) as start, app:
        start(role="celery")
        start(role="celery")
        ingest(works, crowd(1, "Lee"))
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=90)
        until(lambda: is_at_rest(works.store), "it is settled")
        own_redis.stop()
        if timing is AS_DELIVERED:
            assert is_found(works, sandbox, "Lee", found_seconds("hubspot") + SLOWNESS_SECONDS)
        else:
            seconds = found_seconds("hubspot") + 10
            assert not all(is_found(works, sandbox, n, seconds) for n in ("Ray", "Kay", "Fay"))


def is_found(works: Works, sandbox: Sandbox, last_name: str, seconds: float) -> bool:
    """Whether somebody comes upon work that nobody can ring for.

    A round that is not over yet would: it is given some time to end.
    """
    turn = threading.Event()
    until(lambda: is_at_rest(works.store), "it is settled")
    turn.wait(ROUND_SECONDS)
    ingest(works, crowd(PEOPLE, last_name))
    wanted = expected_crowd(PEOPLE, last_name)
    give_up_at = time.monotonic() + seconds
    while faults(sandbox.control.records("contacts"), "firstname", wanted):
        if time.monotonic() > give_up_at:
            return False
        turn.wait(0.1)
    return True


def found_seconds(connector: str) -> float:
    """Return how long work waits without Redis: a sweep, and the silence before calls are counted.

    By the product's own times.
    """
    limits = registry.load(connector).limits(Connection(connector, connector, auth={}))
    windows = [one.window_seconds for one in limits]
    silence = max([w for w in windows if w <= LONGEST_SETTLING_SECONDS], default=0.0)
    return registry.timing_of(connector).sweep_seconds + silence


@pytest.mark.parametrize("connector", registry.names())
def test_the_products_own_times_keep_within_half_a_minute(connector):
    """What `test_with_redis_gone_for_good_celery_workers_deliver` waits for, in every connector."""
    assert found_seconds(connector) <= 30


def test_a_flushed_redis_loses_nothing(new_project, sandbox, redis_server, redis_database):
    """Bells that Redis forgot cost time and no data."""
    project = project_of(new_project, sandbox, QUICK)
    works, _, app = open_with_bell(project, redis_database)
    ingest(works, crowd(PEOPLE, "Lee"))
    redis.Redis(redis_database, "").flush()
    with workers(project, CRMSYNC_BROKER_URL=redis_database) as start, app:
        start(role="celery")
        assert sandbox.control.wait(1, path=UPSERT, applied=True, timeout_seconds=90)
        until(lambda: is_at_rest(works.store), "it is settled")
    assert_delivered(sandbox)


def test_ingest_answers_while_redis_is_frozen(new_project, sandbox, own_redis):
    """A 2xx is given, and is durable, while Redis accepts connections and answers nothing."""
    project = project_of(new_project, sandbox, QUICK)
    works, _, app = open_with_bell(project, own_redis.url)
    own_redis.pause()
    try:
        with serving(works) as api, app:
            for number in range(20):
                body = {"userId": f"u{number}", "traits": {"first_name": f"Ann{number}"}}
                assert api.post("/v1/identify", body).status_code == 200
            assert count_rows(works.store, events) == 20
            assert count_rows(works.store, links) == 20
    finally:
        own_redis.resume()


@pytest.mark.parametrize("on_the_request_thread", [False, True])
def test_a_frozen_redis_delays_no_answer(new_project, sandbox, own_redis, on_the_request_thread):
    """Answers take as long as before; were the bell rung by who answers, many times that."""
    project = project_of(new_project, sandbox, QUICK)
    _, bell, app = open_with_bell(project, own_redis.url)
    with app:
        works = project.open(
            bell.ring if not on_the_request_thread else lambda name: ring_and_wait(app, name)
        )
        with serving(works) as api:
            answer_seconds(api, "warm", 3)
            well = answer_seconds(api, "well", 9)
            own_redis.pause()
            try:
                frozen = answer_seconds(api, "frozen", 2 if on_the_request_thread else 9)
            finally:
                own_redis.resume()
    assert (frozen > TIMES_AS_LONG * well) is on_the_request_thread


TIMES_AS_LONG = 20
"""What nobody would call the same any more: waiting for Redis takes hundreds of times as long."""


def ring_and_wait(app: Celery, name: str) -> None:
    """Ring on the caller's own thread."""
    with suppress(OperationalError, RedisError):
        app.send_task(tasks.WAKE, [name], queue=tasks.QUEUE_PREFIX + name)


def answer_seconds(api: Api, prefix: str, count: int) -> float:
    """Have so many people identified; return the median time until the answer."""
    took = []
    for number in range(count):
        body = {"userId": f"{prefix}{number}", "traits": {"first_name": "Ann"}}
        began = time.monotonic()
        assert api.post("/v1/identify", body).status_code == 200
        took.append(time.monotonic() - began)
    return median(took)


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
