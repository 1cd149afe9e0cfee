"""Eight workers on one account: the rate that the CRM sees never passes its limit.

Counted in the CRM's own ledger by its own clock, over every window, wherever it begins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from crmsync.store.tables import links
from crmsync.sync.marking import bring_up_to_date
from tests.crms import PIPEDRIVE
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.servers import redis
from tests.workbench import (
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

CRM = PIPEDRIVE
WORKERS = 8
AMOUNT, WINDOW_SECONDS = 60, 2.0
PEOPLE = 6 * AMOUNT
LEAST_USE = 0.9
PATIENT = {
    "request_deadline_seconds": 5.0,
    "lease_seconds": 60.0,
    "settle_seconds": 100.0,
    "sweep_seconds": 0.2,
    "linger_seconds": 0.0,
}
"""A call may wait longer for its place than a window is long, as in the product."""
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""Where calls are counted in Redis at all: workers on SQLite share a file."""
DAY = {"search_per_2s": 10_000, "daily_tokens": 10_000_000}


@dataclass(frozen=True)
class Account:
    """A CRM with people in it who have all changed, and the project that is to send that."""

    control: Any
    project: Any
    works: Any


@pytest.fixture
def account(new_project):
    """Everybody has a record; nothing is due yet."""
    with running(CRM.name, limits=False, **CRM.settings) as sandbox:

        def project(limits):
            connection = CRM.connection(sandbox.url) | {"limits": limits}
            mapping = CRM.mapping(CRM.by_key).replace(CRM.name, "crm", 1)
            return new_project(
                connections={"crm": connection}, mappings={"contacts": mapping}, timing=PATIENT
            )

        roomy = project(dict(CRM.limits)).open()
        make_fields(the_sync(roomy).connector, object_type=CRM.object_type)
        bring_up_to_date(roomy)  # as a worker does that starts
        ingest(roomy, crowd(PEOPLE, "Lee"))
        drain(roomy)
        assert is_at_rest(roomy.store, 60.0)
        limited = project({"calls_per_2s": AMOUNT, **DAY})
        control = sandbox.control
        control.settings(limits=True, calls_per_2s=AMOUNT, daily_tokens=DAY["daily_tokens"])
        # What has just been sent is not in the limited project's count.
        control.advance(WINDOW_SECONDS)
        control.clear_ledger()
        yield Account(control, limited, limited.open())


def deliver(account, *switches, midway=lambda: None, **env):
    """Change everybody while eight workers run, and wait until all of it is sent."""
    with workers(account.project, "small_slices", *switches, **env) as start:
        for _ in range(WORKERS):
            start()
        ingest(account.works, crowd(PEOPLE, "Ray"))
        assert account.control.wait(PEOPLE // 4, timeout_seconds=60)
        midway()
        until(lambda: is_at_rest(account.works.store, 60.0), "all is sent", seconds=180)


def demand_delivered(account):
    """Everybody's record says what is new, and nobody was set aside."""
    wanted = CRM.expected(PEOPLE, "Ray")
    assert faults(account.control.records(CRM.object_type), CRM.first_name, wanted) == []
    assert count_rows(account.works.store, links, links.c.state == "dead") == 0


def used(account):
    """How much of the limit was used, once all workers were at work: 1 is all of it.

    The time from the first call of the second window to the first of the last one that was full,
    against the windows that so many calls need at least.
    """
    at = sorted(entry["received_at"] for entry in account.control.ledger(bodies=False))
    windows = math.floor(len(at) / AMOUNT) - 2
    return windows * WINDOW_SECONDS / (at[(windows + 1) * AMOUNT] - at[AMOUNT])


@pytest.mark.timeout(300)
@ON_POSTGRESQL
def test_with_redis_the_limit_is_used_and_never_passed(account, redis_database):
    """At most the limit in any window, at least nine tenths of it used, no call refused."""
    deliver(account, CRMSYNC_BROKER_URL=redis_database)
    assert account.control.peak(WINDOW_SECONDS) <= AMOUNT
    assert account.control.calls(status=429) == 0
    demand_delivered(account)
    assert used(account) >= LEAST_USE


@pytest.mark.timeout(300)
def test_without_redis_the_limit_is_never_passed(account):
    """Counted in a file beside SQLite, or in a row of PostgreSQL."""
    deliver(account)
    assert account.control.peak(WINDOW_SECONDS) <= AMOUNT
    assert account.control.calls(status=429) == 0
    demand_delivered(account)


@pytest.mark.timeout(300)
@ON_POSTGRESQL
def test_when_redis_goes_away_the_limit_is_never_passed(account):
    """Those who lose it are silent for a window, then count in the database, all of them."""
    with redis.start_own() as server:
        deliver(account, midway=server.stop, CRMSYNC_BROKER_URL=server.url)
    assert account.control.peak(WINDOW_SECONDS) <= AMOUNT
    demand_delivered(account)


@pytest.mark.timeout(300)
@ON_POSTGRESQL
def test_workers_that_count_for_themselves_pass_the_limit(account):
    """Negative control: eight budgets are eight times the limit."""
    account.control.settings(limits=False)
    deliver(account, "no_shared_count")
    assert account.control.peak(WINDOW_SECONDS) > AMOUNT
