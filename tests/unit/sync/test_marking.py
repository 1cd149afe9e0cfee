"""A new or changed mapping marks its people, once, in steps, behind live changes."""

from __future__ import annotations

import pytest

from crmsync.store import state
from crmsync.store.links import PRIORITY_BACKFILL
from crmsync.sync import marking, schedule
from crmsync.sync.drain import drain as worker_drain
from tests.unit.sync.people import mapping
from tests.workbench import ROOMY, drain, identify, ingest, let_pass, link_rows

OLD = mapping("firstname: first_name")
NEW = mapping("firstname: first_name, lastname: last_name")


@pytest.fixture
def project(new_project, crm):
    """A project with three people who are in the CRM already."""
    made = new_project(mappings={"contacts": OLD}, timing=ROOMY)
    works = made.open()
    marking.bring_up_to_date(works)
    people = [identify(f"u{n}", first_name="Ann", last_name="Lee") for n in range(3)]
    ingest(works, people)
    drain(works)
    return made


def test_a_mapping_that_is_known_marks_nothing(project):
    """A second start with the same mapping gives nobody work."""
    assert marking.bring_up_to_date(project.open()) == 0


def test_a_changed_mapping_marks_everybody_behind_live_changes(project, monkeypatch):
    """Everybody is marked, in steps, once, with the priority of a backfill."""
    monkeypatch.setattr(marking, "STEP", 2)
    project.write_mapping("contacts", NEW)
    works = project.open()
    assert marking.bring_up_to_date(works) == 3
    assert marking.bring_up_to_date(works) == 0
    assert {row[0] for row in link_rows(works.store, "priority")} == {PRIORITY_BACKFILL}
    assert drain(works) == {"updated": 3}


def test_marking_goes_on_where_another_process_left_off(project, monkeypatch):
    """A process that ends midway leaves the rest to the next, and nobody is marked twice."""
    monkeypatch.setattr(marking, "STEP", 1)
    project.write_mapping("contacts", NEW)
    works = project.open()

    class Killed(Exception):
        pass

    def die(_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        marking.bring_up_to_date(works, die)
    assert marking.bring_up_to_date(works) == 2


def test_another_comment_or_order_is_not_a_change(project):
    """A mapping that means the same marks nobody."""
    project.write_mapping("contacts", "# the same\n" + OLD)
    assert marking.bring_up_to_date(project.open()) == 0


def test_a_backfill_marks_everybody_again(project):
    """`mark_all` marks whoever the mapping is about, changed or not."""
    works = project.open()
    assert marking.mark_all(works, works.mappings["contacts"], lambda _: None) == 3


def test_a_paused_sync_stays_paused_when_its_mapping_changes(project):
    """What a person has paused goes on when that person says so."""
    schedule.set_paused(project.open(), "contacts", paused=True)
    project.write_mapping("contacts", NEW)
    works = project.open()
    marking.bring_up_to_date(works)
    with works.store.database.read() as connection:
        assert state.list_syncs(connection)["contacts"].paused_at is not None


def test_two_versions_of_a_mapping_do_not_mark_against_each_other_for_ever(project):
    """In a rolling deploy each process marks once for its own version, and then there is peace."""
    old = project.open()
    project.write_mapping("contacts", NEW)
    new = project.open()
    rounds = [(marking.bring_up_to_date(old), marking.bring_up_to_date(new)) for _ in range(3)]
    assert rounds[0] == (0, 3)
    assert rounds[-1] == (0, 0)


def test_a_superseded_process_pushes_nothing(project):
    """Where another process has a newer version of a mapping, the old one leaves the sync alone."""
    old = project.open()
    marking.bring_up_to_date(old)
    project.write_mapping("contacts", NEW)
    new = project.open()
    marking.bring_up_to_date(new)
    assert worker_drain(old, "crm") is False
    assert drain(new) == {"updated": 3}


def test_a_superseded_process_marks_whatever_changes(project):
    """What only the newer version reads is marked by the older process as well."""
    old = project.open()
    marking.bring_up_to_date(old)
    project.write_mapping("contacts", NEW)
    new = project.open()
    marking.bring_up_to_date(new)
    drain(new)
    assert ingest(old, [identify("u1", last_name="Moss")]).marked == 1
    assert drain(new) == {"updated": 1}


def test_what_a_company_is_called_reaches_all_its_people(works_with, crm):
    """One of them says it; everybody's record names the company."""
    works = works_with(mapping("firstname: first_name, company: company_name"))
    acme = {"id": "acme", "name": "Acme"}
    ingest(works, [identify(u, first_name=u, company=acme) for u in ("u1", "u2")])
    let_pass(works.store, 10.0)
    drain(works)
    ingest(works, [identify("u1", company={"id": "acme", "name": "Acme Ltd"})])
    let_pass(works.store, 10.0)
    drain(works)
    held = crm.records["contacts"].values()
    assert [record.fields["company"] for record in held] == ["Acme Ltd", "Acme Ltd"]
