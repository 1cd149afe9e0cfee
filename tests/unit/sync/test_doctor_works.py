"""What the doctor says of workers, schedules and connections, by what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crmsync.store import holds, processes, runs, state, watches
from crmsync.store.holds import Hold
from crmsync.store.links import LinkState
from crmsync.store.tables import cursors, links
from crmsync.sync.doctor.live import check_live
from crmsync.sync.doctor.processes import check_processes
from crmsync.sync.doctor.stored import check_stored
from crmsync.sync.guard import terms_of
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.presence import Presence
from crmsync.sync.pull import pull
from crmsync.sync.schedule import set_paused, tick
from tests.workbench import KEYED, drain, identify, ingest, let_pass

HOURLY = KEYED + "trigger: hourly\n"
PULLING = KEYED + "pull: {stage: stage}\n"
WEBHOOKS = {
    "connections": {
        "crm": {
            "connector": "memory",
            "webhooks": {"url": "https://x.example/hooks/crm", "secret": "s" * 24},
        }
    }
}


def at_work(works, role="worker", **changes):
    """Let a process be known, as one that just made a round."""
    Presence(works, role).renew()
    if changes:
        change(works, **changes)


def change(works, **values):
    """Change what is known of the one process."""
    database = works.store.database

    def work(connection):
        [one] = processes.listed(connection)
        later = {"ago": timedelta(0), **values}
        seen_at = one.seen_at - later.pop("ago")
        processes.forget(connection, one.id)
        processes.save(connection, replace(one, seen_at=seen_at, **later))

    database.transact(work)


def found(findings):
    """Return level by check."""
    return {one.check: str(one.level) for one in findings}


# --- who is at work --------------------------------------------------------------------------


def test_workers_at_work(works_with, crm):
    """One that looked lately, and a schedule that is kept."""
    works = works_with(HOURLY)
    bring_up_to_date(works)
    tick(works)
    at_work(works)
    assert found(check_processes(works)) == {"workers": "ok", "schedule": "ok"}


def test_nobody_is_at_work(works_with, crm):
    """None was ever, one fell silent, one ended in order, or there is a scheduler alone."""
    works = works_with(KEYED)
    assert found(check_processes(works))["workers"] == "fault"
    presence = Presence(works, "worker")
    presence.renew()
    assert found(check_processes(works))["workers"] == "ok"
    change(works, ago=timedelta(hours=1))
    [workers, *_] = check_processes(works)
    assert workers.level == "fault"
    assert "60 minutes ago" in workers.seen
    presence.leave()
    assert found(check_processes(works))["workers"] == "fault"
    at_work(works, "scheduler")
    assert found(check_processes(works))["workers"] == "fault"


def test_one_of_two_fell_silent(works_with, crm):
    """The work is done, and somebody should look at the other."""
    works = works_with(KEYED)
    at_work(works, ago=timedelta(hours=1))
    at_work(works)
    [workers, *_] = check_processes(works)
    assert workers.level == "warning"
    assert "silent: worker" in workers.seen


def test_a_worker_of_older_files_or_another_release_is_told(works_with, crm):
    """It sends nothing of what it does not know the newest version of."""
    works = works_with(KEYED)
    at_work(works, outdated=["contacts"], version="0.0.1")
    told = found(check_processes(works))
    assert told["files"] == "fault"
    assert told["versions"] == "warning"


def test_a_process_says_which_of_its_files_are_older(works_with, crm):
    """What it found out when it last looked."""
    works = works_with(KEYED)
    works.superseded.add("contacts")
    at_work(works)
    assert found(check_processes(works))["files"] == "fault"


def test_a_tick_that_nobody_takes_is_told(works_with, crm):
    """With its sync, and for how long: since the first that was missed, not since the last hour."""
    works = works_with(HOURLY)
    bring_up_to_date(works)
    database = works.store.database
    database.transact(
        lambda c: runs.take_tick(c, "contacts", "hourly", database.now(c) - timedelta(hours=5))
    )
    [schedule] = [one for one in check_processes(works) if one.check == "schedule"]
    assert schedule.level == "fault"
    assert "contacts (hourly)" in schedule.seen
    assert "hours" in schedule.seen


def test_a_sync_that_is_paused_or_held_is_told(works_with, crm):
    """By a person, or by the guard."""
    works = works_with(KEYED)
    bring_up_to_date(works)
    assert "paused" not in found(check_processes(works))
    set_paused(works, "contacts", paused=True)
    assert found(check_processes(works))["paused"] == "warning"
    hold(works)
    assert found(check_processes(works))["held"] == "fault"


def hold(works):
    """Hold the sync as its guard does."""
    terms = terms_of(works.mappings["contacts"].guard)
    why = Hold("cleared", 40, 40, False, 0.2, [("phone", 40)], [], terms)
    database = works.store.database

    def work(connection):
        known = state.list_syncs(connection)["contacts"]
        holds.hold(connection, known, why, database.now(connection))

    database.transact(work)


# --- a connection ------------------------------------------------------------------------------


def test_a_connection_in_order(works_with, crm):
    """Nothing keeps it from being called, nothing waits."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    assert found(check_stored(works, "crm")) == {
        "rest": "ok", "backlog": "ok", "set aside": "ok", "last push": "ok", "last pull": "ok",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "level"),
    [("busy", "warning"), ("unreachable", "warning"), ("reauth_required", "fault")],
)
def test_a_rest_is_told_with_its_cause(works_with, crm, cause, level):
    """One that ends by itself is a warning; one that waits for a person is a fault."""
    works = works_with(KEYED)
    rest(works, cause)
    [told, *_] = check_stored(works, "crm")
    assert (told.check, told.level) == ("rest", level)
    assert "the CRM says so" in told.seen


def rest(works, cause):
    """Let the connection rest."""
    database = works.store.database
    database.transact(
        lambda c: state.pause(
            c, "crm", database.now(c) + timedelta(minutes=9), cause, "the CRM says so"
        )
    )


def test_a_mapping_that_does_not_fit_is_told(works_with, crm):
    """It rests alone, with the CRM's words."""
    works = works_with(KEYED)
    bring_up_to_date(works)
    database = works.store.database

    def work(connection):
        known = state.list_syncs(connection)["contacts"]
        state.rest_sync(connection, known, database.now(connection) + timedelta(hours=1), "no")

    database.transact(work)
    assert found(check_stored(works, "crm"))["rest"] == "fault"


@pytest.mark.parametrize(
    ("seconds", "rests", "level"),
    [(10, False, "ok"), (100, False, "warning"), (5000, False, "fault"), (5000, True, "warning")],
)
def test_work_that_waits_too_long_is_told(works_with, crm, seconds, rests, level):
    """Where the connection rests that is why, and no fault of its own."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    let_pass(works.store, seconds)
    if rests:
        rest(works, "busy")
    assert found(check_stored(works, "crm"))["backlog"] == level


def test_records_that_wait_for_a_person_are_counted(works_with, crm):
    """By their state."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann"), identify("u2", first_name="Bo")])
    works.store.database.transact(lambda c: c.execute(links.update().values(state=LinkState.DEAD)))
    [aside] = [one for one in check_stored(works, "crm") if one.check == "set aside"]
    assert aside.level == "warning"
    assert aside.seen == "2 dead"


def test_a_reading_that_is_late_is_told(works_with, crm):
    """When it last was, and for how long it should have been."""
    works = works_with(PULLING)
    pull(works, "crm")
    assert found(check_stored(works, "crm"))["last pull"] == "ok"
    database = works.store.database

    def work(connection):
        earlier = database.now(connection) - timedelta(hours=3)
        connection.execute(cursors.update().values(read_at=earlier))

    database.transact(work)
    [late] = [one for one in check_stored(works, "crm") if one.check == "last pull"]
    assert late.level == "fault"
    assert "last read 3 hours ago" in late.seen


def test_webhooks_that_nobody_set_up_or_renews_are_told(works_with, crm):
    """And those that bring news are fine."""
    works = works_with(PULLING, **WEBHOOKS)
    assert found(check_stored(works, "crm"))["webhooks"] == "warning"
    database = works.store.database
    database.transact(lambda c: watches.save(c, "crm", database.now(c) + timedelta(days=1)))
    assert found(check_stored(works, "crm"))["webhooks"] == "ok"
    database.transact(lambda c: watches.save(c, "crm", database.now(c) - timedelta(days=1)))
    assert found(check_stored(works, "crm"))["webhooks"] == "warning"


def test_a_crm_that_answers_and_one_that_has_no_such_field(works_with, crm):
    """Who we are there, and what a mapping lacks."""
    works = works_with(KEYED)
    told = found(check_live(works, "crm", []))
    assert told["credentials"] == "ok"
    assert told["fields of contacts"] in {"ok", "warning"}
    del crm.schemas["contacts"]["firstname"]
    assert found(check_live(works, "crm", []))["fields of contacts"] == "fault"


def test_who_is_silent_for_a_day_is_forgotten(works_with, crm):
    """The list does not grow for ever."""
    works = works_with(KEYED)
    at_work(works, ago=timedelta(days=2))
    at_work(works)
    with works.store.database.read() as connection:
        assert len(processes.listed(connection)) == 1
