"""A write that lands after the proxy sent its sender away: what the settle time is there for.

Storms tell of this too seldom: the late write must be the last one to a record. So it is told here,
once for each CRM, on order and without depending on how fast a machine is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
import sqlalchemy

from crmsync.model import Outcome
from crmsync.store.tables import links, sync_log
from crmsync.sync.context import Works
from tests.chaos.backends import sqlite
from tests.chaos.faults import Pace, Weather
from tests.chaos.proxy import Proxy, between
from tests.chaos.storm import connect, ready
from tests.crms import CRMS, PIPEDRIVE, Crm
from tests.integration.workers import workers
from tests.sandboxes import WatchedControl, running
from tests.workbench import (
    ROOMY,
    Project,
    count_rows,
    drain,
    faults,
    identify,
    ingest,
    is_at_rest,
    let_pass,
    until,
)

PATIENCE_SECONDS = 60.0
AFTER_SETTLING = ROOMY["settle_seconds"] * 1.1
Story = tuple[Project, Works, Mapping[Crm, WatchedControl], Mapping[Crm, Proxy], Weather]


@pytest.fixture
def story(request, tmp_path) -> Iterator[Story]:
    """A project that is connected by proxies to the CRMs of the test, in fine weather."""
    weather = Weather(random.Random(1))  # noqa: S311 - repeatable on purpose
    with ExitStack() as stack:
        on = stack.enter_context(sqlite(tmp_path, []))
        controls = {
            crm: stack.enter_context(running(crm.name, limits=False, **crm.settings)).control
            for crm in request.param
        }
        never = Pace(late_seconds=3600.0)
        proxies = {
            crm: stack.enter_context(between(control.url, weather, never))
            for crm, control in controls.items()
        }
        urls = {crm: proxy.url for crm, proxy in proxies.items()}
        project = connect(tmp_path, on, urls, timing=ROOMY)
        stack.callback(project.close)
        yield project, ready(project, on, request.param), controls, proxies, weather


@pytest.mark.parametrize("story", [CRMS], indirect=True, ids=["all"])
@pytest.mark.parametrize("safeguards", [(), ("no_verify",)])
def test_an_old_value_lands_after_a_newer_one(story, safeguards):
    """After the settle time the record is read, and the newest value restored."""
    project, works, controls, proxies, weather = story
    ingest(works, [named("First")])
    for name in works.mappings:
        drain(works, name)
    weather.script("late", body="Former", times=len(CRMS))
    with workers(project, *safeguards) as start:
        ingest(works, [named("Former")])
        start()
        until(lambda: lost_answers(works) == len(CRMS), "every answer was lost", seconds=60)
        ingest(works, [named("Newest")])
        all_hold(controls, "Newest")
        until(lambda: is_idle(works), "it is settled")
        for proxy in proxies.values():
            proxy.land()
        all_hold(controls, "Former")
        let_pass(works.store, AFTER_SETTLING)
        until(lambda: is_at_rest(works.store), "all work is done", seconds=PATIENCE_SECONDS)
    judge(controls, safeguards, "'Former', not 'Newest'")


@pytest.mark.parametrize("story", [(PIPEDRIVE,)], indirect=True, ids=["pipedrive"])
@pytest.mark.parametrize("safeguards", [(), ("no_create_intent",), ("search_alone",)])
def test_a_create_lands_late_where_the_crm_knows_no_unique_key(story, safeguards):
    """It is waited for, looked for where it must be by then, and not made a second time."""
    project, works, controls, proxies, weather = story
    weather.script("late", method="POST", path="persons$")
    with workers(project, *safeguards) as start:
        ingest(works, [named("Former")])
        first = start()
        until(lambda: lost_answers(works) == 1, "the answer was lost", seconds=PATIENCE_SECONDS)
        ingest(works, [named("Newest")])  # a new value makes it due at once
        if "no_create_intent" in safeguards:
            all_hold(controls, "Newest")
        until(lambda: is_idle(works), "it has been looked at")
        proxies[PIPEDRIVE].land()
        all_hold(controls, "Former")
        first.kill()  # it may answer from a list of a second ago, and that second is let pass
        let_pass(works.store, AFTER_SETTLING)
        start()
        until(lambda: is_at_rest(works.store), "all work is done", seconds=PATIENCE_SECONDS)
    judge(controls, safeguards, ": 2 records")


def named(last_name: str):
    """Return what states the only person's last name."""
    return identify("u0", first_name="Ann0", last_name=last_name)


def lost_answers(works: Works) -> int:
    """In how many CRMs an outcome was unknown."""
    query = (
        sqlalchemy.select(sqlalchemy.func.count(links.c.id.distinct()))
        .join(sync_log, sync_log.c.link_id == links.c.id)
        .where(sync_log.c.outcome == Outcome.UNKNOWN)
    )
    with works.store.database.read() as connection:
        return connection.execute(query).scalar_one()


def is_idle(works: Works) -> bool:
    """Whether nobody is at work and nothing is due: what is left waits for the settle time."""
    if count_rows(works.store, links, links.c.lease_token.is_not(None)):
        return False
    return is_at_rest(works.store, horizon_seconds=ROOMY["settle_seconds"] / 3)


def all_hold(controls: Mapping[Crm, WatchedControl], last_name: str) -> None:
    """Return when a record of every CRM holds this name."""

    def do(crm: Crm, control: WatchedControl) -> Callable[[], bool]:
        return lambda: any(
            record["properties"][crm.last_name] == last_name
            for record in control.records(crm.object_type)
        )

    for crm, control in controls.items():
        until(do(crm, control), f"{crm.name} holds {last_name}", seconds=PATIENCE_SECONDS)


def judge(
    controls: Mapping[Crm, WatchedControl], safeguards: tuple[str, ...], symptom: str
) -> None:
    """Pass where crmsync as it is left no fault, and without safeguards this one in every CRM."""
    found = {
        crm.name: faults(
            control.records(crm.object_type), crm.first_name, {"Ann0": {crm.last_name: "Newest"}}
        )
        for crm, control in controls.items()
    }
    if safeguards:
        assert all(any(symptom in line for line in lines) for lines in found.values()), found
    else:
        assert not any(found.values()), found
