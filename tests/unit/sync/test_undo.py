"""Undo with a CRM in memory: what is put back, what is left alone and why, and what goes on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sqlalchemy import Connection, update

from crmsync.errors import ConfigError, ConnectionHalted, CrmsyncError, OutcomeUnknown, RateLimited
from crmsync.model import CrmId, RunId, RunTrigger, Value
from crmsync.store import known_records, runs, schemas, state
from crmsync.store.tables import links
from crmsync.sync import restoring
from crmsync.sync.command import push_now
from crmsync.sync.context import Works
from crmsync.sync.drain import drain as work
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.push import push
from crmsync.sync.restoring import Report
from crmsync.sync.undo import mapping_of, pause, undo
from crmsync.sync.undo_rounds import UndoTally
from tests.integration import sabotage
from tests.unit.sync.people import held, mapping, seed, writes
from tests.workbench import (
    QUICK,
    ROOMY,
    count_rows,
    drain,
    identify,
    ingest,
    link_rows,
    mark_dirty,
    the_sync,
)

FIELDS = "firstname: first_name, company: company, stage: plan, phone: phone"
PEOPLE = 12
PLACE = ("contacts", "crm", "contacts")
"""Sync, connection, object."""
OTHERS = "another's lease"


def say(works: Works, numbers: range, **traits: object) -> None:
    """Say something of people."""
    ingest(works, [identify(f"u{n}", **{"first_name": f"Ann{n}", **traits}) for n in numbers])


def command_run(works: Works) -> RunId:
    """Push as a command does; return its run."""
    return push_now(works, works.mappings["contacts"], wait=lambda *_: None).run


def begun_run(works: Works) -> RunId:
    """Open a run that several pushes belong to, as the real-time ones of an hour do."""

    def work(connection: Connection) -> RunId:
        now = works.store.database.now(connection)
        return runs.open_run(connection, *PLACE, RunTrigger.REALTIME, now, now)

    return works.store.database.transact(work)


def undone(works: Works, run: RunId, **how: object) -> tuple[UndoTally, list[Report]]:
    """Undo a run; nobody waits."""
    told: list[Report] = []
    how = {"wait": lambda *_: None, **how}
    return undo(works, works.mappings["contacts"], run, tell=told.append, **how), told


def companies(crm) -> list[str | None]:
    """Return what the records hold, in the order in which they were made."""
    return [record.fields.get("company") for record in crm.records["contacts"].values()]


def edit(crm, place: int, **fields: object) -> CrmId:
    """Be a salesperson who changes a record."""
    crm_id = list(crm.records["contacts"])[place]
    return crm.save("contacts", crm_id, fields)


def known(works: Works) -> list[dict[str, Value]]:
    """Return what the records are known to hold, in the order of their links."""
    people = [person for (person,) in link_rows(works.store, "profile_id")]
    with works.store.database.read() as connection:
        found = known_records.known_records(connection, works.store.vault, people)
    return [found[person][0].snapshot for person in people]


@pytest.fixture
def works(works_with, crm) -> Works:
    """Twelve people whose records say Acme."""
    works = works_with(mapping(FIELDS))
    bring_up_to_date(works)
    say(works, range(PEOPLE), company="Acme", plan="free")
    command_run(works)
    return works


@pytest.fixture
def spoilt(works) -> RunId:
    """A run that made them say Oops."""
    say(works, range(PEOPLE), company="Oops")
    return command_run(works)


def test_what_a_run_wrote_is_put_back(works, crm, spoilt):
    """Every field holds again what it held before, in one call, and the snapshot says so."""
    before = writes(crm)
    tally, told = undone(works, spoilt)
    assert companies(crm) == ["Acme"] * PEOPLE
    assert (tally.counts, writes(crm) - before) == ({"restored": PEOPLE}, 1)
    assert {one["company"] for one in known(works)} == {"Acme"}
    assert {one.restored["company"] for one in told} == {("Oops", "Acme")}
    with works.store.database.read() as connection:
        run = runs.get_run(connection, tally.run)
        entries = list(runs.find_entries(connection, works.store.vault, run_id=tally.run))
    assert (run.trigger, run.updated, run.calls) == (RunTrigger.UNDO, PEOPLE, 1)
    assert run.finished_at is not None
    assert {(one.action, one.outcome, *one.fields["company"]) for one in entries} == {
        ("undo", "succeeded", "Oops", "Acme")
    }


def test_what_others_changed_since_is_left_alone(works, crm, spoilt):
    """Two of twelve: they keep what somebody wrote, and the others go back."""
    for place in (3, 7):
        edit(crm, place, company="Theirs")
    tally, told = undone(works, spoilt)
    expected = ["Theirs" if n in {3, 7} else "Acme" for n in range(PEOPLE)]
    assert companies(crm) == expected
    assert tally.counts == {"restored": PEOPLE - 2, "skipped": 2}
    skips = [one.skipped for one in told if one.outcome == "skipped"]
    assert skips == [{"company": restoring.CHANGED_SINCE}] * 2
    with works.store.database.read() as connection:
        failed = [
            one.error["code"]
            for one in runs.find_entries(
                connection, works.store.vault, run_id=tally.run, failed=True
            )
            if one.error
        ]
    assert failed == ["CHANGED_SINCE"] * 2


def test_without_the_comparison_others_are_overwritten(works, crm, spoilt, monkeypatch):
    """The control: what the comparison is there against."""
    edit(crm, 3, company="Theirs")
    sabotage.take_out("no_comparison_before_undo", monkeypatch)
    undone(works, spoilt)
    assert companies(crm)[3] == "Acme"


def test_one_field_may_go_back_and_another_not(works, crm):
    """Each field is decided by itself."""
    say(works, range(1), company="Oops", plan="pro")
    run = command_run(works)
    edit(crm, 0, stage="theirs")
    tally, (report,) = undone(works, run)
    record = held(crm)[0]
    assert (record["company"], record["stage"]) == ("Acme", "theirs")
    assert tally.counts == {"skipped": 1}
    assert (set(report.restored), set(report.skipped)) == ({"company"}, {"stage"})
    with works.store.database.read() as connection:
        told = list(runs.find_entries(connection, works.store.vault, run_id=tally.run))
    assert [(set(one.fields), one.error and one.error["code"]) for one in told] == [
        (set(), "CHANGED_SINCE"),
        ({"company"}, None),
    ]


def test_what_was_written_twice_goes_back_to_before_the_run(works, crm):
    """Within an hour a record is written again and again: what it held before the first counts."""
    run = begun_run(works)
    for name in ("One", "Two", "Three"):
        say(works, range(1), company=name)
        push(the_sync(works), run=run)
    tally, (report,) = undone(works, run)
    assert companies(crm)[0] == "Acme"
    assert report.restored == {"company": ("Three", "Acme")}
    assert tally.counts["restored"] == 1


def test_an_emptied_field_is_filled_again_and_a_filled_one_emptied(works, crm):
    """Nothing is a value like any other."""
    say(works, range(1), company=None, phone="1")
    run = command_run(works)
    undone(works, run)
    record = held(crm)[0]
    assert (record["company"], record.get("phone")) == ("Acme", None)


def test_running_it_again_does_nothing(works, crm, spoilt):
    """What is back already is found so, and costs no write."""
    undone(works, spoilt)
    before = writes(crm)
    tally, _ = undone(works, spoilt)
    assert tally.counts == {"already": PEOPLE}
    assert writes(crm) == before


def test_an_undo_can_be_undone(works, crm, spoilt):
    """It is a run like any other."""
    tally, _ = undone(works, spoilt)
    again, _ = undone(works, tally.run)
    assert companies(crm) == ["Oops"] * PEOPLE
    assert again.counts == {"restored": PEOPLE}


def test_a_later_run_of_ours_is_named(works, crm, spoilt):
    """What we wrote since is changed since too; its run is undone first."""
    say(works, range(4), company="Newer")
    later = command_run(works)
    tally, told = undone(works, spoilt)
    assert companies(crm) == ["Newer"] * 4 + ["Acme"] * 8
    skips = [one.skipped["company"] for one in told if one.skipped]
    assert skips == [restoring.changed_by(later)] * 4
    assert tally.counts == {"restored": 8, "skipped": 4}
    undone(works, later)
    undone(works, spoilt)
    assert companies(crm) == ["Acme"] * PEOPLE


def test_a_created_record_is_left_unless_asked_for(works, crm):
    """It is told; with `delete_created` it is deleted, but for one that somebody changed."""
    say(works, range(PEOPLE, PEOPLE + 3), company="New")
    run = command_run(works)
    tally, told = undone(works, run)
    assert tally.counts == {"skipped": 3}
    assert {one.skipped[restoring.WHOLE] for one in told} == {restoring.CREATED}
    edit(crm, PEOPLE, company="Theirs")
    tally, _ = undone(works, run, delete_created=True)
    assert tally.counts == {"deleted": 2, "skipped": 1}
    assert companies(crm) == ["Acme"] * PEOPLE + ["Theirs"]
    assert count_rows(works.store, links, links.c.crm_id.is_(None)) == 2
    assert drain(works) == {}  # nothing is due by itself
    mark_dirty(works.store, f"u{PEOPLE + 1}")
    assert drain(works) == {"created": 1}


def test_a_record_that_is_gone_is_told(works, crm, spoilt):
    """Deleted in the CRM since: nothing to undo; the others are not held up."""
    crm.records["contacts"].pop(list(crm.records["contacts"])[2])
    tally, told = undone(works, spoilt)
    assert tally.counts == {"restored": PEOPLE - 1, "skipped": 1}
    assert [one.skipped for one in told if one.skipped] == [{restoring.WHOLE: restoring.GONE}]


def test_a_link_that_changed_its_record_is_told(works, crm, spoilt):
    """What the run wrote to is not what its profile goes by now."""
    other = seed(crm, company="Else")
    with works.store.database.engine.begin() as connection:
        connection.execute(update(links).where(links.c.id == 1).values(crm_id=other))
    _, told = undone(works, spoilt)
    assert [one.skipped for one in told if one.skipped] == [{restoring.WHOLE: restoring.MOVED}]


def test_an_erased_link_is_told(works, crm, spoilt):
    """Without a link nobody can say whose it is."""
    with works.store.database.engine.begin() as connection:
        connection.execute(links.delete().where(links.c.id == 1))
    _, told = undone(works, spoilt)
    assert [one.skipped for one in told if one.skipped] == [{restoring.WHOLE: restoring.UNLINKED}]


def test_a_record_found_by_its_key_is_not_guessed_at(works_with, crm):
    """The CRM upserted it, unread: what it held before is not known, so it is not emptied."""
    works = works_with(mapping("email: email, company: company", match="email: email"))
    seed(crm, email="ann@acme.example", company="Theirs")
    ingest(works, [identify("u0", email="ann@acme.example", company="Ours")])
    run = command_run(works)
    _, (report,) = undone(works, run)
    assert report.skipped == {restoring.WHOLE: restoring.UNKNOWN_BEFORE}
    assert held(crm)[0]["company"] == "Ours"


def test_a_field_that_the_crm_lost_is_left_out(works, crm, spoilt):
    """It is told, and the other fields go back."""
    del crm.schemas["contacts"]["company"]
    works.store.database.transact(lambda c: schemas.forget_schema(c, "crm", "contacts"))
    tally, told = undone(works, spoilt)
    assert tally.counts == {"skipped": PEOPLE}
    assert told[0].skipped == {"company": restoring.NO_FIELD}


def test_a_telephone_number_is_compared_by_its_digits(works, crm):
    """The CRM punctuates in its own way; nobody changed anything."""
    crm.schemas["contacts"]["phone"] = dataclasses.replace(
        crm.schemas["contacts"]["phone"], type="phone"
    )
    works.store.database.transact(lambda c: schemas.forget_schema(c, "crm", "contacts"))
    say(works, range(1), phone="+49 30 1")
    drain(works)
    say(works, range(1), phone="+49 30 2")
    run = command_run(works)
    edit(crm, 0, phone="+49 (30) 2")
    tally, _ = undone(works, run)
    assert tally.counts == {"restored": 1}
    assert held(crm)[0]["phone"] == "+49 30 1"


def test_the_workers_leave_a_paused_sync_alone(works, crm, spoilt):
    """The pause says why; after it nothing is sent by itself but what is new."""
    mapping_ = works.mappings["contacts"]
    assert pause(works, mapping_, spoilt)
    assert not pause(works, mapping_, spoilt)
    undone(works, spoilt)
    say(works, range(1), plan="pro")
    work(works, "crm")
    assert companies(crm) == ["Acme"] * PEOPLE
    assert held(crm)[0]["stage"] == "free"
    with works.store.database.read() as connection:
        assert state.list_syncs(connection)["contacts"].paused_why == f"undo of run {spoilt}"


def test_what_was_owed_is_still_owed(works, crm, spoilt):
    """A link that was due, or to be verified, is so after an undo."""
    mark_dirty(works.store, "u0")
    before = link_rows(works.store, "due_at", "desired_version", "acked_version")
    undone(works, spoilt)
    assert link_rows(works.store, "due_at", "desired_version", "acked_version") == before
    assert all(token is None for (token,) in link_rows(works.store, "lease_token"))
    assert drain(works) == {"updated": 1}
    assert companies(crm)[0] == "Oops"


def test_who_is_set_aside_stays_so_and_goes_back(works, crm, spoilt):
    """A dead link has a record all the same."""
    with works.store.database.engine.begin() as connection:
        dead = {"state": "dead", "error_class": "rejected", "error_code": "X", "wake_at": None}
        connection.execute(update(links).where(links.c.id == 1).values(**dead))
    tally, _ = undone(works, spoilt)
    assert tally.counts == {"restored": PEOPLE}
    assert link_rows(works.store, "state", "error_code", "wake_at")[0] == ("dead", "X", None)


def test_a_worker_is_waited_for(works_with, crm):
    """A link that is leased is left until it is free; the others go first."""
    works = works_with(mapping(FIELDS), timing=ROOMY)
    bring_up_to_date(works)
    say(works, range(3), company="Acme")
    drain(works)
    say(works, range(3), company="Oops")
    run = command_run(works)
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
    later = now.replace(year=now.year + 1)
    with works.store.database.engine.begin() as connection:
        leased = {"lease_token": OTHERS, "wake_at": later}
        connection.execute(update(links).where(links.c.id == 2).values(**leased))
    seen: list[list[str | None]] = []

    def wait(_seconds: float, why: str) -> None:
        seen.append(companies(crm))
        assert "a worker" in why
        with works.store.database.engine.begin() as connection:
            freed = {"lease_token": None, "wake_at": None}
            connection.execute(update(links).where(links.c.id == 2).values(**freed))

    tally, _ = undone(works, run, wait=wait)
    assert seen == [["Acme", "Oops", "Acme"]]
    assert tally.counts == {"restored": 3}


def test_a_worker_that_stays_is_told(works_with, crm):
    """After two leases nobody waits any more."""
    works = works_with(mapping(FIELDS), timing=QUICK)
    say(works, range(1), company="Acme")
    drain(works)
    say(works, range(1), company="Oops")
    run = command_run(works)
    with works.store.database.read() as connection:
        now = works.store.database.now(connection)
    with works.store.database.engine.begin() as connection:
        leased = {"lease_token": OTHERS, "wake_at": now.replace(year=now.year + 1)}
        connection.execute(update(links).values(**leased))
    _, (report,) = undone(works, run)
    assert report.skipped == {restoring.WHOLE: restoring.BUSY}


def test_the_crm_asks_for_patience(works, crm, spoilt):
    """A limit is waited out, and the write is made once."""
    crm.failures = [(RateLimited("slow down", retry_after_seconds=2.0), False)]
    waited: list[float] = []
    tally, _ = undone(works, spoilt, wait=lambda seconds, _: waited.append(seconds))
    assert waited == [2.0]
    assert tally.counts == {"restored": PEOPLE}


def test_a_connection_that_needs_a_person_ends_it(works, crm, spoilt):
    """What is left is undone by the same command later."""
    crm.failures = [(ConnectionHalted("no", cause="reauth_required"), False)]
    tally, told = undone(works, spoilt)
    assert tally.rest is not None
    assert told == []
    assert all(token is None for (token,) in link_rows(works.store, "lease_token"))
    tally, _ = undone(works, spoilt)
    assert tally.counts == {"restored": PEOPLE}


def test_a_lost_answer_is_told_and_found_by_running_it_again(works, crm, spoilt, monkeypatch):
    """Nobody knows whether it was done: the next time the record is read first."""

    def lose(*given: Any) -> None:
        restoring.decide(*given)
        crm.failures = [(OutcomeUnknown("no answer"), True)]

    with monkeypatch.context() as patch:
        patch.setattr("crmsync.sync.undo_rounds.decide", lose)
        tally, told = undone(works, spoilt)
    assert tally.counts == {"skipped": PEOPLE}
    assert {one.skipped[restoring.WHOLE] for one in told} == {restoring.LOST}
    assert all(at is not None for (at,) in link_rows(works.store, "verify_at"))
    sent = writes(crm)
    tally, _ = undone(works, spoilt)
    assert tally.counts == {"already": PEOPLE}
    assert writes(crm) == sent
    assert {one["company"] for one in known(works)} == {"Acme"}


def test_a_refused_value_is_told_and_sets_nothing_aside(works, crm, spoilt):
    """The old value does not pass any more: that is the CRM's word, and the link stays in step."""
    holder = seed(crm, our_ref="x")
    crm.schemas["contacts"]["company"] = dataclasses.replace(
        crm.schemas["contacts"]["company"], unique=True
    )
    crm.save("contacts", holder, {"company": "Acme"})
    tally, told = undone(works, spoilt)
    assert tally.counts == {"skipped": PEOPLE}
    assert told[0].skipped[restoring.WHOLE].code == "CONFLICT"
    assert {one for (one,) in link_rows(works.store, "state")} == {"active"}


def test_page_after_page(works, crm, monkeypatch):
    """Each record is undone once, with all its entries, wherever a page ends."""
    monkeypatch.setattr("crmsync.sync.undo.PAGE", 5)
    run = begun_run(works)
    for some in (range(PEOPLE), range(0, PEOPLE, 3)):
        say(works, some, company=f"Oops {len(some)}")
        push(the_sync(works), run=run)
    tally, told = undone(works, run)
    assert tally.counts == {"restored": PEOPLE}
    assert len({one.profile_id for one in told}) == PEOPLE
    assert companies(crm) == ["Acme"] * PEOPLE


def test_stopped_in_the_middle_it_goes_on(works, crm, spoilt, monkeypatch):
    """What was not begun is given back, and undone the next time."""
    monkeypatch.setattr("crmsync.sync.undo.PAGE", 5)
    asked = iter([True, True])
    tally, _ = undone(works, spoilt, go_on=lambda: next(asked, False))
    assert tally.counts.total() < PEOPLE
    assert all(token is None for (token,) in link_rows(works.store, "lease_token"))
    undone(works, spoilt)
    assert companies(crm) == ["Acme"] * PEOPLE


def test_a_lease_that_was_lost_is_verified(works, crm, spoilt, monkeypatch):
    """Whoever took the link over reads the record again: it was written behind its back."""

    def steal(*given: Any) -> None:
        with works.store.database.engine.begin() as connection:
            connection.execute(update(links).values(lease_token=OTHERS))
        restoring.decide(*given)

    monkeypatch.setattr("crmsync.sync.undo_rounds.decide", steal)
    undone(works, spoilt)
    rows = link_rows(works.store, "lease_token", "verify_at")
    assert all(holder == OTHERS and at is not None for holder, at in rows)
    assert {one["company"] for one in known(works)} == {"Oops"}


def test_what_cannot_be_undone_says_so(works, spoilt):
    """A run that read the CRM wrote nothing there; a run without a mapping waits for its file."""
    with works.store.database.read() as connection:
        run = runs.get_run(connection, spoilt)
    with pytest.raises(CrmsyncError, match="read back"):
        mapping_of(works, dataclasses.replace(run, trigger=RunTrigger.PULL))
    with pytest.raises(ConfigError, match="no mapping leads to crm leads"):
        mapping_of(works, dataclasses.replace(run, object_type="leads"))
