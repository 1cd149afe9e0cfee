"""Ticks: who runs them, and what happens to those that were missed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from crmsync.model import RunTrigger
from crmsync.store import runs
from crmsync.store.tables import runs as run_rows
from crmsync.store.tables import schedule_ticks
from crmsync.sync import marking, schedule
from crmsync.sync.drain import drain as drain_connection
from tests.unit.sync.people import held, mapping
from tests.workbench import KEYED, count_rows, identify, ingest

HOURLY = KEYED + "trigger: hourly\n"


def test_a_tick_is_run_once_and_opens_its_run(works_with):
    """The first look takes the tick and opens the run of its hour; the next finds nothing."""
    works = works_with(HOURLY)
    assert [schedule.tick(works), schedule.tick(works)] == [1, 0]
    hourly = run_rows.c.trigger == RunTrigger.HOURLY
    assert count_rows(works.store, run_rows, hourly) == 1


def test_one_of_eight_threads_runs_a_tick(works_with):
    """Any number may look at the same moment: a row decides."""
    works = works_with(HOURLY)
    begin = threading.Barrier(8)

    def look(_: int) -> int:
        begin.wait()
        return schedule.tick(works)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(look, range(8))) == 1


def test_missed_ticks_are_run_once(works_with):
    """After two hours without any process there is one tick, the latest, not 120."""
    works = works_with(mapping("firstname: first_name", trigger='{cron: "* * * * *"}'))
    database = works.store.database
    long_ago = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
    database.transact(lambda c: runs.take_tick(c, "contacts", "cron * * * * *", long_ago))
    assert schedule.tick(works) == 1
    assert count_rows(works.store, schedule_ticks) == 2


def test_real_time_has_no_ticks(works_with):
    """A sync without a schedule is woken by its changes alone."""
    assert schedule.tick(works_with(KEYED)) == 0


def test_the_outlook_tells_what_comes(works_with):
    """`outlook` gives triggers and the next runs, in order and in the future."""
    (told,) = schedule.outlook(works_with(HOURLY), count=3)
    assert told.triggers == ("hourly",)
    assert len(told.next_runs) == 3
    assert list(told.next_runs) == sorted(told.next_runs)
    assert all(moment > datetime.now(UTC) for moment in told.next_runs)


@pytest.mark.parametrize(
    ("trigger", "start"),
    [
        (RunTrigger.REALTIME, datetime(2026, 3, 1, 6, tzinfo=UTC)),
        (RunTrigger.HOURLY, datetime(2026, 3, 1, 6, tzinfo=UTC)),
        (RunTrigger.DAILY, datetime(2026, 3, 1, tzinfo=UTC)),
        (RunTrigger.CRON, datetime(2026, 3, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_work_of_one_window_is_one_run(trigger, start):
    """Retries that are due moments apart belong to one run of their window, not to one each."""
    due = datetime(2026, 3, 1, 6, 30, 1, 17, tzinfo=UTC)
    for moment in (due, due + timedelta(seconds=7.5)):
        assert runs.window_start(trigger, moment) == start


@pytest.mark.parametrize("paused", [True, False])
def test_a_paused_sync_sends_nothing(works_with, crm, paused):
    """What becomes due while a sync is paused waits, and is sent when it goes on."""
    works = works_with(KEYED)
    marking.bring_up_to_date(works)
    schedule.set_paused(works, "contacts", paused=paused)
    ingest(works, [identify("u1", first_name="Ann")])
    drain_connection(works, "crm")
    assert len(held(crm)) == (0 if paused else 1)
    schedule.set_paused(works, "contacts", paused=False)
    drain_connection(works, "crm")
    assert len(held(crm)) == 1
