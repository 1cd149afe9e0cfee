"""Reading back where two things meet: a write under way, a merge, a webhook, a limit of the CRM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.connectors.memory import Memory
from crmsync.errors import BatchRejected
from crmsync.model import Deal, Owner
from crmsync.planning.reading import Flips
from crmsync.store import hints, link_records, profiles
from crmsync.store.links import LinkState
from crmsync.store.tables import directories as directories_table
from crmsync.store.tables import field_flips, links, sync_log
from crmsync.store.tables import hints as hints_table
from crmsync.sync import marking, outcomes
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from crmsync.sync.subjects import next_pull
from tests.unit.sync.people import NAMES, held, make_due, mapping, seed, writes
from tests.unit.sync.test_pull import (
    CONTACTS,
    DEALS,
    LEADS,
    TWO_WAY,
    push_all,
    pushed,
    sales,
    settle,
    traits,
)
from tests.workbench import (
    ROOMY,
    count_rows,
    identify,
    ingest,
    let_pass,
    link_rows,
    the_sync,
)

__all__ = ["sales"]


def in_store(works, work):
    """Run something in a transaction."""
    return works.store.database.transact(work)


def change(works, table, **values):
    """Set columns of all rows of a table."""
    in_store(works, lambda c: c.execute(table.update().values(**values)))


def test_what_is_taken_and_makes_another_field_differ_is_sent(works_with, sales):
    """The record's new last name belongs into its greeting."""
    greeting = 'company: {template: "{first_name} {last_name}"}'
    works = works_with(mapping(f"{TWO_WAY}, {greeting}"))
    record = pushed(works, first_name="Ann", last_name="Lee")
    sales.edit("contacts", record, lastname="Lind")
    pull(works, "crm")
    let_pass(works.store, 10.0)
    push(the_sync(works))
    assert held(sales)[0]["company"] == "Ann Lind"


def test_a_record_found_after_its_deals_is_told_of_them(works_with, sales):
    """Nothing but deals is read back, and the person is linked later than the deal was read."""
    works = works_with(mapping(f"email: email, {NAMES}", "email: email", deals=DEALS))
    record = seed(sales, email="ann@acme.example")
    sales.deal(Deal("d1", (record,), fields={"stage": "s1", "owner": "18"}))
    pull(works, "crm")
    ingest(works, [identify("u1", email="ann@acme.example", first_name="Ann")])
    make_due(works)
    drain(works, "crm")
    drain(works, "crm")
    assert traits(works)["deal_stage"] == "Negotiation"
    assert count_rows(works.store, hints_table) == 0
    assert next_wake_seconds(works, "crm") > 0.0


def test_what_nobody_reads_any_more_keeps_nobody_awake(works_with, sales):
    """A mapping that read back was taken away; what was to be read is left over."""
    works = works_with(mapping(TWO_WAY))
    pull(works, "crm")
    in_store(
        works,
        lambda c: hints.ask(c, "crm", {("leads", "1")}, works.store.database.now(c)),
    )
    assert drain(works, "crm") is False


def test_a_deal_that_changes_while_a_write_is_under_way_is_not_forgotten(works_with, sales):
    """What is under way is not what the deal says by now, although the record still holds that."""
    works = works_with(mapping("firstname: first_name, stage: deal_stage", deals=DEALS))
    record = pushed(works, first_name="Ann", deal_stage="Closed")
    ingest(works, [identify("u1", deal_stage="Won")])
    make_due(works)

    real = Memory.write

    def meanwhile(self, batch):
        results = real(self, batch)
        sales.deal(Deal("d1", (record,), fields={"stage": "s2"}))
        pull(works, "crm")
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "write", meanwhile)
        push(the_sync(works))
    let_pass(works.store, 10.0)
    push(the_sync(works))
    assert traits(works)["deal_stage"] == "Closed"
    assert held(sales)[0]["stage"] == "Closed"


BY_EMAIL, BY_ID = "ann@acme.example", "u2"


@pytest.mark.parametrize("seen_by", ["pull", "push"])
@pytest.mark.parametrize(("stays", "goes"), [(BY_EMAIL, BY_ID), (BY_ID, BY_EMAIL)])
def test_two_profiles_in_one_record_become_one_by_a_call(works_with, sales, seen_by, stays, goes):
    """What the log advises works: the one person is linked to the record that is there."""
    works = works_with(mapping(TWO_WAY))
    people = [identify(one, first_name="Ann") for one in (BY_EMAIL, BY_ID)]
    ingest(works, people)
    make_due(works)
    push(the_sync(works))
    settle(works)
    records = dict(link_rows(works.store, "profile_id", "crm_id"))
    with works.store.database.read() as connection:
        record, lost = (records[profiles.find(connection, one).id] for one in (stays, goes))
    sales.merge("contacts", record, lost)
    if seen_by == "pull":
        pull(works, "crm")
    else:
        ingest(works, [identify(goes, first_name="Anne")])
        make_due(works)
        push(the_sync(works))
        push(the_sync(works))
    assert count_rows(works.store, links, links.c.state == LinkState.CONFLICT) == 1
    ingest(works, [identify(BY_ID, email=BY_EMAIL, first_name="Annie")])
    for _ in range(3):
        let_pass(works.store, 200.0)
        push(the_sync(works))
    assert link_rows(works.store, "crm_id", "state") == [(record, LinkState.ACTIVE)]
    assert sales.records["contacts"][record].fields["firstname"] == "Annie"


def test_one_id_that_the_crm_refuses_holds_up_nothing(works_with, sales, monkeypatch):
    """Neither the other records that were told of, nor what changed besides."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    pull(works, "crm")
    told = {("contacts", "not an id"), ("contacts", record)}
    in_store(works, lambda c: hints.ask(c, "crm", told, works.store.database.now(c)))
    sales.edit("contacts", record, owner="18")
    real = Memory.read

    def picky(self, object_type, keys, fields):
        if any(key.value == "not an id" for key in keys):
            raise BatchRejected("malformed id", code="MALFORMED_ID", hint="")
        return real(self, object_type, keys, fields)

    monkeypatch.setattr(Memory, "read", picky)
    pulled = pull(works, "crm")
    assert pulled.rest is None
    assert traits(works)["contact_owner"] == "ada@acme.example"
    assert count_rows(works.store, hints_table) == 0


def test_their_value_that_cannot_be_read_is_not_written_over(works_with, sales):
    """It is theirs, whether or not the mapping knows it."""
    plan = "stage: {from: plan, map: {free: lead, pro: customer}, conflict: theirs}"
    works = works_with(mapping(f"firstname: first_name, {plan}"))
    record = pushed(works, first_name="Ann", plan="free")
    sales.edit("contacts", record, stage="partner")
    pull(works, "crm")
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "CANNOT_READ_BACK") == 1
    ingest(works, [identify("u1", first_name="Anna")])
    make_due(works)
    push(the_sync(works))
    assert held(sales)[0]["stage"] == "partner"
    assert held(sales)[0]["firstname"] == "Anna"


def test_who_was_set_aside_long_ago_is_still_read(works_with, sales):
    """Nothing of ours can be under way any more, although nobody has looked since."""
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    change(works, links, state=LinkState.DEAD, verify_at=long_ago, wake_at=None, due_at=None)
    sales.edit("contacts", record, lastname="Lind")
    pull(works, "crm")
    assert traits(works)["last_name"] == "Lind"
    assert count_rows(works.store, hints_table) == 0


def test_a_field_that_goes_back_and_forth_is_frozen_however_slow_the_poll(works_with, sales):
    """Each turn is seen only when our own write has settled."""
    works = works_with(
        mapping(
            "lastname: {from: last_name, transform: upper}", drift="reassert", pull="{o: owner}"
        ),
        timing={"pull_seconds": 300, "settle_seconds": 300},
    )
    record = pushed(works, last_name="Lee")
    for _ in range(6):
        sales.edit("contacts", record, lastname="lee")
        pull(works, "crm")
        push(the_sync(works))
        settle(works)
        _turn_back(works, timedelta(seconds=610))
    assert count_rows(works.store, field_flips, field_flips.c.frozen_at.is_not(None)) == 1
    assert writes(sales) == 3


def _turn_back(works, by):
    with works.store.database.read() as connection:
        rows = connection.execute(field_flips.select()).all()
    for row in rows:
        change(works, field_flips, since=row.since - by)


def test_an_owner_who_has_just_joined_is_found(works_with, sales):
    """The list of users is asked for again before somebody's record is set aside."""
    works = works_with(mapping("firstname: first_name, owner: rep"))
    pushed(works, first_name="Ann", rep="ada@acme.example")
    change(works, directories_table, read_at=datetime.now(UTC) - timedelta(hours=1))
    sales.owners.append(Owner("20", "new@acme.example", "New"))
    ingest(works, [identify("u1", rep="new@acme.example")])
    make_due(works)
    push(the_sync(works))
    assert held(sales)[0]["owner"] == "20"


def test_an_older_view_of_a_deal_does_not_replace_a_newer_one(works_with, sales):
    """An index that lags lists it as it was before."""
    works = works_with(mapping(NAMES, deals=DEALS))
    record = pushed(works, first_name="Ann")
    old = Deal("d1", (record,), fields={"stage": "s1", "owner": "18"})
    sales.deal(old)
    before = sales.deals["d1"]
    sales.deal(Deal("d1", (record,), fields={"stage": "s2", "owner": "18"}))
    pull(works, "crm")
    sales.deals["d1"] = before
    pull(works, "crm", anew=True)
    assert traits(works)["deal_stage"] == "Closed"


def test_long_lists_of_one_kind_do_not_keep_others_waiting(works_with, sales):
    """The subjects of a connection share the time of a slice."""
    works = works_with(mapping(TWO_WAY, deals=DEALS))
    record = pushed(works, first_name="Ann", last_name="Lee")
    for n in range(250):
        sales.save("contacts", None, {"firstname": f"Ann{n}"})
    sales.deal(Deal("d1", (record,), fields={"stage": "s1", "owner": "18"}))
    pulled = pull(works, "crm", seconds=0.0)
    assert pulled.records < 250
    assert traits(works)["deal_stage"] == "Negotiation"


def test_a_process_with_older_files_leaves_reading_to_the_newer_one(new_project, sales):
    """Two that ask for other fields would each read everything again, in turn, for ever."""
    project = new_project(mappings={"contacts": mapping(TWO_WAY)}, timing=ROOMY)
    old = project.open()
    marking.bring_up_to_date(old)
    pull(old, "crm", due_only=True)
    more = mapping(f"{TWO_WAY}, phone: {{from: phone, conflict: newest}}")
    project.write_mapping("contacts", more)
    new = project.open()
    marking.bring_up_to_date(new)
    pull(new, "crm", due_only=True)
    before = sales.calls["changes"]
    assert next_pull(old, "crm") is None
    pull(old, "crm", due_only=True)
    pull(new, "crm", due_only=True)
    assert sales.calls["changes"] == before


def test_the_record_of_somebody_who_was_merged_meanwhile_is_read_again(works_with, sales):
    """Whose deal it is was looked up before the profiles were locked."""
    works = works_with(mapping(NAMES, deals=DEALS))
    record = pushed(works, first_name="Ann")
    sales.deal(Deal("d1", (record,), fields={"stage": "s1", "owner": "18"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "load_for_change", lambda *_: {})
        pull(works, "crm")
    assert "deal_stage" not in traits(works)
    let_pass(works.store, 200.0)
    pull(works, "crm", due_only=True)
    assert traits(works)["deal_stage"] == "Negotiation"


def test_a_lead_that_converts_is_taken_on_although_others_push_meanwhile(works_with, sales):
    """Whoever looks at the contact between the reading and the settling sees a lead in the way."""
    works = works_with(others={"contacts": CONTACTS, "leads": LEADS})
    sales.schemas["leads"] = dict(sales.schemas["contacts"])
    ingest(works, [identify("u1", first_name="Ann")])
    push_all(works)
    [lead] = sales.records["leads"]
    sales.convert("leads", lead, sales.save("contacts", None, {"firstname": "Ann"}))
    ingest(works, [identify("u1", first_name="Anna")])
    let_pass(works.store, 10.0)
    push(the_sync(works, "leads"))
    real = outcomes.over

    def meanwhile(d):
        push(the_sync(works, "contacts"))
        return real(d)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "over", meanwhile)
        push(the_sync(works, "leads"))
    push(the_sync(works, "contacts"))
    assert [one["firstname"] for one in held(sales)] == ["Anna"]


def test_three_syncs_that_keep_from_each_other_do_not_wait_in_a_ring(works_with, sales):
    """One of them decides first."""
    ring = {"a": "b", "b": "c", "c": "a"}
    works = works_with(
        others={
            name: mapping(NAMES, object=name, unless_linked=other) for name, other in ring.items()
        }
    )
    sales.schemas |= {name: dict(sales.schemas["contacts"]) for name in ring}
    ingest(works, [identify("u1", first_name="Ann")])
    for _ in range(3):
        push_all(works)
    assert len(held(sales, "a")) == 1
    assert count_rows(works.store, links, links.c.due_at.is_not(None)) == 0


def test_what_a_forgotten_link_had_frozen_is_forgotten_with_it(works_with, sales):
    """SQLite gives its id to the next one."""
    works = works_with(mapping(TWO_WAY))
    pushed(works, first_name="Ann", last_name="Lee")
    [(link,)] = link_rows(works.store, "id")
    now = datetime.now(UTC)
    kept = {(link, "lastname"): Flips(5, now, b"", now)}
    in_store(works, lambda c: link_records.save_flips(c, kept))
    in_store(works, lambda c: link_records.forget(c, [link]))
    assert count_rows(works.store, field_flips) == 0
