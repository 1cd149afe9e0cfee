"""The one door: what a commit marks, releases and reports."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as sql_event

from crmsync.errors import StoreUnavailable
from crmsync.store.tables import events, links
from crmsync.store.tables import profiles as people
from crmsync.sync.gate import Gate
from tests.unit.sync.people import held, mapping
from tests.workbench import (
    KEYED,
    call,
    count_rows,
    drain,
    identify,
    ingest,
    link_rows,
    mark_dirty,
    track,
    until,
)

NAMES = "firstname: first_name, lastname: last_name"


def test_only_mappings_that_read_the_change_are_marked(works_with, crm):
    """A changed trait marks the links whose mapping reads it, and no others."""
    works = works_with(
        mapping("firstname: first_name"),
        others={"deals": mapping("stage: plan", object="deals")},
    )
    ingest(works, [identify("u1", first_name="Ann", plan="free")])
    before = dict(link_rows(works.store, "object_type", "desired_version"))
    ingest(works, [identify("u1", plan="pro")])
    after = dict(link_rows(works.store, "object_type", "desired_version"))
    assert before == {"contacts": 1, "deals": 1}
    assert after == {"contacts": 1, "deals": 2}
    report = ingest(works, [identify("u1", shoe_size=44)])
    assert report.marked == 0


def test_the_same_values_mark_nothing(works_with, crm):
    """An identify call that says what is known already gives nobody work."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    assert ingest(works, [identify("u1", first_name="Ann")]).marked == 0
    assert drain(works) == {}


def test_a_derived_name_marks_too(works_with, crm):
    """A full name changes the first name that a mapping reads."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", name="Ann Lee")])
    drain(works)
    ingest(works, [identify("u1", name="Eve Lee")])
    drain(works)
    assert held(crm)[0]["firstname"] == "Eve"


@pytest.mark.parametrize(
    ("trigger", "wait"),
    [
        ("realtime", timedelta(seconds=60)),
        ("hourly", timedelta(hours=1)),
        ("daily", timedelta(days=1)),
        ('{cron: "* * * * *"}', timedelta(minutes=1)),
    ],
)
def test_a_trigger_decides_when_a_change_is_due(works_with, crm, trigger, wait):
    """What waits for its hour is due then, not before, and never later than one period."""
    works = works_with(mapping(NAMES, trigger=trigger), timing={"linger_seconds": 50})
    before = datetime.now(UTC)
    ingest(works, [identify("u1", first_name="Ann")])
    ((due,),) = link_rows(works.store, "due_at")
    assert before < due <= before + wait + timedelta(seconds=1)
    assert drain(works) == {}


def test_a_field_has_its_own_trigger(works_with, crm):
    """A change of a field that may wait is sent along with one that may not."""
    works = works_with(mapping("firstname: first_name, phone: {from: phone, trigger: daily}"))
    ingest(works, [identify("u1", first_name="Ann", phone="1")])
    assert drain(works) == {"created": 1}
    ingest(works, [identify("u1", phone="2")])
    assert drain(works) == {}
    ingest(works, [identify("u1", first_name="Eve")])
    assert drain(works) == {"updated": 1}
    assert held(crm)[0] | {"phone": "2", "firstname": "Eve"} == held(crm)[0]


def test_an_event_releases_what_waits_for_it(works_with, crm):
    """Changes of a mapping with an event trigger are sent when the event comes, not before."""
    works = works_with(mapping(NAMES, trigger="{event: [Signed Up]}"))
    ingest(works, [identify("u1", first_name="Ann"), identify("u2", first_name="Bob")])
    assert drain(works) == {}
    ingest(works, [track("u1", "Looked Around")])
    assert drain(works) == {}
    ingest(works, [track("u1", "Signed Up")])
    assert drain(works) == {"created": 1}
    assert held(crm)[0]["firstname"] == "Ann"
    assert link_rows(works.store, "trigger")[0] == ("event",)


def test_an_event_and_its_change_may_come_together(works_with, crm):
    """What changes in the same commit as its event is due at once."""
    works = works_with(mapping(NAMES, trigger="{event: [Signed Up]}"))
    ingest(works, [identify("u1", first_name="Ann"), track("u1", "Signed Up")])
    assert drain(works) == {"created": 1}


def test_a_repeated_event_changes_nothing(works_with, crm):
    """The same message again, in a later commit or in the same one, is counted and left alone."""
    works = works_with(KEYED)
    event = identify("u1", first_name="Ann")
    assert ingest(works, [event, event]).repeated == 1
    report = ingest(works, [event])
    assert (report.taken, report.repeated, report.differing) == (0, 1, [])
    assert count_rows(works.store, events) == 1
    assert link_rows(works.store, "desired_version") == [(1,)]


def test_the_bell_is_rung_for_what_was_marked(new_project, crm):
    """Each connection with work is rung once, after the commit; a change without work is silent."""
    rung: list[tuple[str, int]] = []
    project = new_project(mappings={"contacts": KEYED})
    store = project.open().store
    works = project.open(lambda name: rung.append((name, count_rows(store, links))))
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(3)])
    ingest(works, [identify("u0", shoe_size=44)])
    assert rung == [("crm", 3)]


def test_a_person_without_a_match_key_is_not_marked(works_with, crm):
    """Where nothing would find the record again, there is nothing to send."""
    works = works_with(mapping(NAMES, match="email: email"))
    assert ingest(works, [identify("u1", first_name="Ann")]).marked == 0
    assert ingest(works, [identify("u1", email="ann@acme.example")]).marked == 1


def test_a_merged_person_keeps_one_record(works_with, crm):
    """When two profiles turn out to be one, the record that was made stays the only one."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann", email="ann@acme.example")])
    drain(works)
    anonymous = call("identify", "", anonymousId="anon", traits={"last_name": "Lee"})
    ingest(works, [anonymous])
    ingest(works, [call("alias", "u1", previousId="anon")])
    drain(works)
    assert [record["firstname"] for record in held(crm) if "firstname" in record] == ["Ann"]


def test_marking_by_hand_is_one_more_version(works_with, crm):
    """A mark without a change is a version to send like any other."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    mark_dirty(works.store, "u1")
    assert link_rows(works.store, "desired_version") == [(2,)]


def statements_of_merging(works, count: int) -> int:
    """Return how many statements it takes to take calls that merge so many pairs of people."""
    names = [f"{count}-{n}" for n in range(count)]
    ingest(works, [call("identify", "", anonymousId=f"a{n}", traits={"x": 1}) for n in names])
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in names])
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        statements.append(statement)

    engine = works.store.database.engine
    sql_event.listen(engine, "before_cursor_execute", note)
    ingest(works, [call("identify", f"u{n}", anonymousId=f"a{n}", traits={}) for n in names])
    sql_event.remove(engine, "before_cursor_execute", note)
    assert count_rows(works.store, people, people.c.merged_into.is_not(None)) >= count
    return len(statements)


def test_many_merges_cost_as_many_statements_as_one(works_with, crm):
    """However many people turn out to be known in one commit, the database is asked as often."""
    works = works_with(KEYED)
    assert statements_of_merging(works, 50) == statements_of_merging(works, 1)


def test_a_database_that_is_away_is_asked_once_for_all_who_wait(monkeypatch):
    """Those who came together hear together that it is away; nobody waits for everybody's turn."""
    gate: Gate[int, int] = Gate(100)
    attempts: list[int] = []
    others_wait = threading.Event()

    def commit(items):
        attempts.append(len(items))
        assert others_wait.wait(30)
        raise StoreUnavailable

    def submit(item: int) -> bool:
        with pytest.raises(StoreUnavailable):
            gate.submit(item, 1, commit)
        return True

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(submit, 0)]
        until(lambda: attempts == [1], "the first is at the database")
        calls += [pool.submit(submit, n) for n in range(1, 6)]
        until(lambda: len(gate._waiting) == 5, "the others wait")
        others_wait.set()
        assert all(done.result(30) for done in calls)
    assert attempts == [1, 5]


def test_an_anonymous_visitor_never_becomes_a_record(works_with, crm):
    """A visitor has a profile with an id, and is sent only once somebody says who it is."""
    works = works_with(mapping(NAMES, match="our_ref: profile_id"))
    visitor = {"userId": None, "anonymousId": "a1"}
    assert ingest(works, [call("page", "", name="Home", **visitor)]).marked == 0
    assert drain(works) == {}
    assert held(crm) == []
    known = identify("u1", first_name="Ann")
    assert ingest(works, [known]).marked == 1
    assert drain(works) == {"created": 1}
