"""Eight workers on one account: what the CRM grants is used, and never passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from crmsync.sandbox import Control
from crmsync.store import state
from crmsync.store.tables import links
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from tests.chaos.ceilings import CEILINGS, Ceiling, PerDay
from tests.crms import SALESFORCE
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.servers import redis
from tests.workbench import (
    NewProject,
    Project,
    count_rows,
    crowd,
    drain,
    faults,
    ingest,
    is_at_rest,
    make_fields,
    new_project,
    the_sync,
    until,
)

__all__ = ["new_project"]


WORKERS = 8
LEAST_USE = 0.9
PATIENT = {
    "request_deadline_seconds": 20.0,
    "lease_seconds": 180.0,
    "settle_seconds": 300.0,
    "sweep_seconds": 0.2,
    "linger_seconds": 0.0,
}
"""A call may wait longer for its place than a window is long, as in the product."""
SOON_SECONDS = 200.0
"""Longer than a lease: what somebody works on is due again when it ends."""
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""Where calls are counted in Redis at all: workers on SQLite share a file."""
EACH = pytest.mark.parametrize(
    "ceiling", [pytest.param(one, id=f"{one.crm.name}-{one.name}") for one in CEILINGS]
)
ONE = pytest.mark.parametrize("ceiling", CEILINGS[:1], ids=[CEILINGS[0].crm.name])


@dataclass(frozen=True)
class Account:
    """A CRM, the project that is to send more to it than it grants, and what it grants."""

    ceiling: Ceiling
    control: Control
    project: Project
    works: Works


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tell of one limit of each CRM what is the same for all; of all of them with --all-limits."""
    if metafunc.function in {
        test_without_redis_the_limit_is_never_passed,
        test_workers_that_count_for_themselves_pass_the_limit,
    }:
        is_whole = metafunc.config.getoption("--all-limits")
        told = CEILINGS if is_whole else list({one.crm: one for one in reversed(CEILINGS)}.values())
        metafunc.parametrize("ceiling", told, ids=[f"{one.crm.name}-{one.name}" for one in told])


@pytest.fixture
def account(new_project: NewProject, ceiling: Ceiling) -> Iterator[Account]:
    """Nothing is due yet, and nothing has been used."""
    crm = ceiling.crm
    with running(crm.name, limits=False, **crm.settings) as sandbox:
        control = sandbox.control

        def project(limits: dict[str, int]) -> Project:
            connection = crm.connection(sandbox.url) | {"limits": limits}
            mapping = crm.mapping(ceiling.match, reconcile=False).replace(crm.name, "crm", 1)
            return new_project(
                connections={"crm": connection}, mappings={"contacts": mapping}, timing=PATIENT
            )

        roomy = project({**ceiling.limits, ceiling.name: 100 * ceiling.granted}).open()
        if crm is not SALESFORCE:  # whose account has the field already
            make_fields(the_sync(roomy).connector, object_type=crm.object_type)
        bring_up_to_date(roomy)  # as a worker does that starts
        if ceiling.were_there:
            ingest(roomy, crowd(ceiling.people, "Lee"))
            drain(roomy)
            assert is_at_rest(roomy.store, SOON_SECONDS)
        limited = project(ceiling.limits)
        # What has just been sent is in no window any more.
        control.advance(10.0)
        control.settings(limits=True, latency_seconds=ceiling.latency_seconds, **ceiling.account)
        control.clear_ledger()
        yield Account(ceiling, control, limited, limited.open())


def deliver(
    account: Account, *switches: str, midway: Callable[[], object] = lambda: None, **env: str
) -> None:
    """Change everybody while eight workers run, and wait until all that may be sent is."""
    ceiling = account.ceiling
    with workers(account.project, "small_slices", *switches, **env) as start:
        for _ in range(WORKERS):
            start()
        ingest(account.works, crowd(ceiling.people, "Ray"))
        assert account.control.wait(ceiling.calls // 4, timeout_seconds=60)
        midway()
        until(lambda: is_over(account), "all is sent", seconds=240)


def is_over(account: Account) -> bool:
    """Whether everybody has been sent, or the day's allowance is used up."""
    store = account.works.store
    with store.database.read() as connection:
        rest = state.find_pause(connection, "crm", store.database.now(connection))
        is_spent = rest is not None and (
            (rest.until - store.database.now(connection)).total_seconds() > SOON_SECONDS
        )
    is_done = is_spent or is_at_rest(store, SOON_SECONDS)
    return is_done and account.control.calls(finished=False) == 0


def demand_kept(account: Account) -> None:
    """At most the limit at any time, no call refused, nobody set aside; what could be, is sent."""
    crm, control = account.ceiling.crm, account.control
    assert account.ceiling.most(control) <= account.ceiling.ours
    assert [control.calls(status=status) for status in (403, 429)] == [0, 0]
    assert count_rows(account.works.store, links, links.c.state == "dead") == 0
    if not isinstance(account.ceiling, PerDay):
        wanted = crm.expected(account.ceiling.people, "Ray")
        assert faults(control.records(crm.object_type), crm.first_name, wanted) == []


@EACH
@ON_POSTGRESQL
def test_with_redis_the_limit_is_used_and_never_passed(account: Account, redis_database: str):
    """At least nine tenths of it are used."""
    deliver(account, CRMSYNC_BROKER_URL=redis_database)
    demand_kept(account)
    assert account.ceiling.share(account.control) >= LEAST_USE


@ON_POSTGRESQL
def test_without_redis_the_limit_is_never_passed(account: Account):
    """Counted in a row of PostgreSQL."""
    deliver(account)
    demand_kept(account)


@ONE
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_on_sqlite_the_limit_is_never_passed(account: Account):
    """Counted in a file beside the database."""
    deliver(account)
    demand_kept(account)


@ONE
@ON_POSTGRESQL
def test_when_redis_goes_away_the_limit_is_never_passed(account: Account):
    """Those who lose it are silent for a window, then count in the database, all of them."""
    with redis.start_own() as server:
        deliver(account, midway=server.stop, CRMSYNC_BROKER_URL=server.url)
    demand_kept(account)


@ON_POSTGRESQL
def test_workers_that_count_for_themselves_pass_the_limit(account: Account):
    """Negative control: eight budgets are eight times the limit."""
    account.control.settings(**account.ceiling.roomy)
    deliver(account, "no_shared_count")
    assert account.ceiling.most(account.control) > account.ceiling.ours
