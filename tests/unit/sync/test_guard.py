"""The circuit for people's mistakes, with a CRM in memory: what trips it, and what goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from sqlalchemy import Connection, update

from crmsync.model import RunTrigger
from crmsync.store import holds, state
from crmsync.store.leases import claim
from crmsync.store.links import PRIORITY_BACKFILL, Mark, mark
from crmsync.store.tables import links, runs
from crmsync.sync import guard
from crmsync.sync.command import push_now
from crmsync.sync.drain import drain as work
from crmsync.sync.marking import bring_up_to_date, mark_all
from tests.integration import sabotage
from tests.unit.sync.people import held as records_of
from tests.unit.sync.people import mapping, writes
from tests.workbench import ROOMY, count_rows, drain, identify, ingest, let_pass, link_rows

FIELDS = "firstname: first_name, company: company, stage: plan"
KEYS = "crmsync_id: profile_id, email: email"
WITHIN = datetime(2026, 11, 1, tzinfo=UTC)
"""One hour for all of a test, whatever the clock says."""
TIGHT = "{cleared: 0.2, at_least: 10}"


def people(works, numbers: Sequence[int], **traits: object) -> None:
    """Say something of people."""
    ingest(works, [identify(f"u{n}", **{"first_name": f"Ann{n}", **traits}) for n in numbers])


def held(works) -> holds.Hold | None:
    """Return why the sync is held, if it is."""
    with works.store.database.read() as connection:
        return holds.of(state.list_syncs(connection).get("contacts"))


def pushed(works, **how: object):
    """Push as a command does; nobody waits."""
    return push_now(works, works.mappings["contacts"], wait=lambda *_: None, **how).tally


@pytest.fixture
def crowd(works_with, crm):
    """Forty people whose records hold a company, and a guard that lets ten be cleared."""
    works = works_with(mapping(FIELDS, guard=TIGHT))
    bring_up_to_date(works)
    people(works, range(40), company="Acme", plan="free")
    drain(works)
    return works


def blank(works, count: int) -> None:
    """Have a column come empty for so many."""
    people(works, range(count), company=None)


def test_a_blanked_column_stops_before_anything_is_written(crowd, crm):
    """A run that would empty a field for most people writes nothing, and says so in one line."""
    before = writes(crm)
    blank(crowd, 40)
    with structlog.testing.capture_logs() as lines:
        assert drain(crowd) == {}
        assert drain(crowd) == {}  # the workers leave it alone
    assert [line["event"] for line in lines] == ["held"]
    assert writes(crm) == before
    assert all(record["company"] == "Acme" for record in records_of(crm))
    hold = held(crowd)
    assert hold is not None
    assert hold.message == (
        "would clear `company` in 40 of 40 records (100 %), more than the 20 % of `guard.cleared`"
    )
    assert "Acme" not in str(lines)
    assert "Acme" not in str(hold)
    assert len(hold.examples) == guard.EXAMPLES


def test_without_the_circuit_the_column_is_lost(crowd, crm, monkeypatch):
    """The control: what the circuit is there against."""
    sabotage.take_out("no_guard", monkeypatch)
    blank(crowd, 40)
    drain(crowd)
    assert not any("company" in record for record in records_of(crm))


@pytest.mark.parametrize(
    ("count", "guarded", "trips"),
    [
        (10, TIGHT, False),  # no more than `at_least`
        (11, TIGHT, True),
        (11, "{cleared: 0.3, at_least: 10}", False),  # 27 % of the records
        (11, "{cleared: 1}", False),
        (40, None, False),  # 100 may always be
    ],
)
def test_share_and_number_decide(works_with, crm, count, guarded, trips):
    """More than the share and more than the number: then, and only then, a run is stopped."""
    works = works_with(mapping(FIELDS, **({"guard": guarded} if guarded else {})))
    people(works, range(40), company="Acme")
    drain(works)
    blank(works, count)
    drain(works)
    assert (held(works) is not None) is trips


def test_what_is_due_behind_a_slice_counts(works_with, crm, monkeypatch):
    """The first of many slices trips it: what comes after is taken to be like it."""
    monkeypatch.setattr("crmsync.sync.push.SLICE", 12)
    works = works_with(mapping(FIELDS, guard="{cleared: 0.5, at_least: 10}"))
    people(works, range(40), company="Acme")
    drain(works)
    before = writes(crm)
    blank(works, 40)
    drain(works)
    hold = held(works)
    assert writes(crm) == before
    assert hold is not None
    assert "in about 40 of 40 records" in hold.message


def test_what_was_done_before_counts(crowd, crm, monkeypatch):
    """What is blanked a few people at a time is stopped as well, when the share is reached."""
    monkeypatch.setattr("crmsync.store.runs.window_start", lambda *_: WITHIN)
    for first in range(0, 40, 4):
        people(crowd, range(first, first + 4), company=None)
        drain(crowd)
    emptied = sum("company" not in record for record in records_of(crm))
    assert emptied == 8  # twelve would be more than ten, and more than a fifth
    assert held(crowd) is not None


def test_filling_and_ordinary_changes_pass(crowd, crm):
    """An empty field that is filled is no harm, nor is a new value for everybody."""
    people(crowd, range(40), company="Other", plan="pro")
    assert drain(crowd) == {"updated": 40}
    assert held(crowd) is None


def test_a_share_of_changed_fields_may_be_set(works_with, crm):
    """`changed` in a file holds for every run."""
    works = works_with(mapping(FIELDS), guard={"changed": 0.5, "at_least": 10})
    people(works, range(40), company="Acme")
    drain(works)
    people(works, range(40), company="Other")
    drain(works)
    hold = held(works)
    assert hold is not None
    assert "would change `company` in 40 of 40 records" in hold.message


@pytest.mark.parametrize(("at_least", "trips"), [("500", False), ("10", True)])
def test_a_changed_mapping_may_not_change_everybody(new_project, crm, at_least, trips):
    """Without `changed`, what follows from a new line is judged all the same: above 500 records."""
    text = mapping(FIELDS, guard=f"{{at_least: {at_least}}}")
    project = new_project(mappings={"contacts": text}, timing=ROOMY)
    works = project.open()
    bring_up_to_date(works)
    people(works, range(40), company="Acme")
    drain(works)
    project.write_mapping("contacts", text.replace("company: company", "company: {value: Oops}"))
    works = project.open()
    bring_up_to_date(works)
    drain(works)
    assert (held(works) is not None) is trips
    assert any(record["company"] == "Oops" for record in records_of(crm)) is not trips
    project.write_mapping("contacts", text)  # mended: it goes on by itself
    works = project.open()
    bring_up_to_date(works)
    drain(works)
    assert held(works) is None
    assert all(record["company"] == "Acme" for record in records_of(crm))


def test_records_that_are_found_are_guarded_too(works_with, crm):
    """A first push that would overwrite what a CRM holds already stops as well."""
    for n in range(40):
        crm.save("contacts", None, {"email": f"ann{n}@acme.example", "company": "Theirs"})
    works = works_with(mapping(f"email: email, {FIELDS}", match=KEYS, guard="{at_least: 10}"))
    for n in range(40):
        ingest(works, [identify(f"u{n}", email=f"ann{n}@acme.example", company="Ours")])
    mark_all(works, works.mappings["contacts"], lambda _: None)
    with works.store.database.engine.begin() as connection:
        connection.execute(update(links).values(trigger=RunTrigger.BACKFILL, priority=9))
    drain(works)
    hold = held(works)
    assert hold is not None
    assert "would change `company` in 40 of 40 records" in hold.message
    assert all(record["company"] == "Theirs" for record in records_of(crm))


def test_yes_lets_through_what_was_held_and_no_more(crowd, crm):
    """A person's word allows these fields until the sync is at rest, and not the next mistake."""
    blank(crowd, 40)
    drain(crowd)
    assert pushed(crowd).held is not None  # judged anew, and found the same
    tally = pushed(crowd, yes=True)
    assert tally.counts == {"updated": 40}
    assert tally.held is None
    assert not any("company" in record for record in records_of(crm))
    with crowd.store.database.read() as connection:
        assert holds.allowed(connection, "contacts") == {}  # at rest
    people(crowd, range(40), plan=None)
    assert pushed(crowd).held is not None
    assert all(record["stage"] == "free" for record in records_of(crm))


def test_another_field_is_not_let_through(crowd, crm):
    """What was allowed for one field holds for that one."""
    blank(crowd, 40)
    drain(crowd)
    crowd.store.database.transact(lambda c: holds.let_through(c, "contacts"))
    people(crowd, range(40), plan=None)
    drain(crowd)
    hold = held(crowd)
    assert hold is not None
    assert [name for name, _ in hold.fields] == ["stage"]


def test_what_was_let_through_is_not_held_against_others(crowd, crm):
    """After it, one more person may leave within the same hour."""
    blank(crowd, 30)
    drain(crowd)
    crowd.store.database.transact(lambda c: holds.let_through(c, "contacts"))
    drain(crowd)
    assert count_rows(crowd.store, runs, runs.c.cleared > 0) == 0
    people(crowd, [35], company=None)
    assert drain(crowd) == {"updated": 1}


def test_mended_data_goes_on_with_the_next_push(crowd, crm):
    """Where the column is back, a push finds nothing to stop for."""
    blank(crowd, 40)
    drain(crowd)
    people(crowd, range(40), company="Acme", plan="pro")
    assert drain(crowd) == {}
    assert pushed(crowd).counts == {"updated": 40}
    assert held(crowd) is None


def test_another_guard_judges_anew(new_project, crm):
    """A sync that is held goes on when its file allows more."""
    text = mapping(FIELDS, guard=TIGHT)
    project = new_project(mappings={"contacts": text}, timing=ROOMY)
    works = project.open()
    people(works, range(40), company="Acme")
    drain(works)
    blank(works, 40)
    drain(works)
    project.write_mapping("contacts", text.replace(TIGHT, "{cleared: 1}"))
    assert drain(project.open()) == {"updated": 40}


def test_a_held_sync_is_no_reason_to_wake(crowd):
    """The workers neither push it nor come back for it at once; what it leased is given back."""
    blank(crowd, 40)
    assert work(crowd, "crm") is False
    assert all(token is None for (token,) in link_rows(crowd.store, "lease_token"))
    let_pass(crowd.store, 10.0)
    assert work(crowd, "crm") is False


def test_a_push_that_does_not_trip_asks_nothing(crowd, monkeypatch):
    """Judging costs no look at the database while little is lost."""
    asked = []
    monkeypatch.setattr(guard.Circuit, "_judge", lambda *_, **__: asked.append(1))
    people(crowd, range(40), company="Other")
    drain(crowd)
    blank(crowd, 4)
    people(crowd, range(4, 40), company="More")
    drain(crowd)
    assert asked == []


def test_what_is_due_and_what_others_have_is_foreseen(crowd):
    """What waits for its event or its hour is not; nor is what we have leased ourselves."""
    with crowd.store.database.read() as connection:
        now = crowd.store.database.now(connection)
    people_ = [person for (person,) in link_rows(crowd.store, "profile_id")]
    marks = [Mark("crm", "contacts", person, now, RunTrigger.BACKFILL, 9) for person in people_[:9]]
    marks += [Mark("crm", "contacts", person, None, RunTrigger.EVENT) for person in people_[9:]]

    def work(connection: Connection) -> tuple[tuple[int, int], tuple[int, int]]:
        mark(connection, marks)
        leased = [
            claim(
                connection, crowd.store.vault, "crm", "contacts",
                now=now, lease=timedelta(minutes=1), limit=limit,
            )
            for limit in (2, 3)
        ]  # fmt: skip
        until = now + timedelta(minutes=1)
        return (
            holds.ahead(connection, leased[0], PRIORITY_BACKFILL, now, until),
            holds.ahead(connection, leased[1], PRIORITY_BACKFILL, now, until),
        )

    assert crowd.store.database.transact(work) == ((7, 0), (6, 0))


def test_one_person_does_not_stand_for_a_backfill(crowd, monkeypatch):
    """What is urgent is judged by what is urgent: a backfill behind it is of another kind."""
    monkeypatch.setattr("crmsync.sync.push.SLICE", 1)
    with crowd.store.database.read() as connection:
        now = crowd.store.database.now(connection)
    people_ = [person for (person,) in link_rows(crowd.store, "profile_id")]
    marks = [Mark("crm", "contacts", person, now, RunTrigger.BACKFILL, 9) for person in people_]
    crowd.store.database.transact(lambda c: mark(c, marks))
    blank(crowd, 1)
    assert drain(crowd) == {"updated": 1, "unchanged": 39}


def test_a_slice_of_suspects_stands_for_itself(crowd):
    """Where workers vanished a slice is one record: nothing follows from it for all others."""
    blank(crowd, 1)
    with crowd.store.database.engine.begin() as connection:
        connection.execute(update(links).where(links.c.due_at.is_not(None)).values(crashes=3))
    people(crowd, range(1, 40), plan="pro")
    assert drain(crowd) == {"updated": 40}
