"""What salespeople change comes back: taken by value, by the field's owner, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crmsync.errors import ConfigError
from crmsync.model import Deal, DealStatus, Directory, FieldSchema, FieldType, Owner, Stage
from crmsync.store import profiles
from crmsync.store.links import LinkState
from crmsync.store.tables import links, sync_log
from crmsync.sync.drain import next_wake_seconds
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from tests.unit.sync.people import NAMES, held, make_due, mapping, writes
from tests.workbench import ROOMY, count_rows, identify, ingest, let_pass, link_rows, the_sync

OWNER = FieldSchema("owner", "Owner", FieldType.REFERENCE, directory=Directory.OWNERS)
TWO_WAY = "firstname: first_name, lastname: {from: last_name, conflict: newest}"


@pytest.fixture
def sales(crm):
    """The CRM, with an owner field, users and stages."""
    crm.schemas["contacts"]["owner"] = OWNER
    crm.owners = [Owner("18", "Ada@acme.example", "Ada"), Owner("19", "", "Bob", is_active=False)]
    crm.stages = [Stage("s1", "Negotiation"), Stage("s2", "Closed")]
    return crm


def pushed(works, **traits):
    """Send one person; return the id of their record."""
    ingest(works, [identify("u1", **traits)])
    make_due(works)
    push(the_sync(works))
    [(_, crm_id)] = link_rows(works.store, "id", "crm_id")
    settle(works)
    return crm_id


def settle(works):
    """Let enough time pass that nothing of ours can be under way."""
    earlier = timedelta(days=1)
    rows = link_rows(works.store, "id", "written_at")
    with works.store.database.engine.begin() as connection:
        for link, at in rows:
            change = links.update().where(links.c.id == link)
            connection.execute(change.values(written_at=at and at - earlier))


def traits(works):
    """Return the traits of the only person."""
    with works.store.database.read() as connection:
        return profiles.find(connection, "u1").traits


def test_an_owner_comes_back_by_e_mail(works_with, sales):
    """A person sees who it is, not the CRM's id."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, owner="18")
    pulled = pull(works, "crm")
    assert traits(works)["contact_owner"] == "ada@acme.example"
    assert pulled.counts["taken"] == 1


def test_who_left_is_known_by_name(works_with, sales):
    """An inactive user without an e-mail still owns records."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, owner="19")
    pull(works, "crm")
    assert traits(works)["contact_owner"] == "Bob"


def test_an_owner_who_does_not_exist_is_told_and_the_rest_goes_on(works_with, sales):
    """The trait stays as it was; another field of the same record is taken."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner, stage_of: stage}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, owner="77", stage="hot")
    pull(works, "crm")
    assert traits(works)["stage_of"] == "hot"
    assert "contact_owner" not in traits(works)
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "UNKNOWN_NAME") == 1


def test_an_echo_of_our_own_write_changes_nothing(works_with, sales):
    """The record's time moved, its values did not."""
    works = works_with(mapping(TWO_WAY))
    pushed(works, first_name="Ann", last_name="Lee")
    before = writes(sales)
    pulled = pull(works, "crm")
    push(the_sync(works))
    assert pulled.counts == {"unchanged": 1}
    assert writes(sales) == before


def test_a_two_way_field_is_taken_and_not_sent_back(works_with, sales):
    """Their change alone: it becomes ours, and nothing is written."""
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    before = writes(sales)
    sales.edit("contacts", record, lastname="Lind")
    pull(works, "crm")
    make_due(works)
    push(the_sync(works))
    assert traits(works)["last_name"] == "Lind"
    assert writes(sales) == before


def test_of_two_changes_the_newest_holds(works_with, sales):
    """Ours is newer: it is sent, theirs is not taken."""
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    sales.edit("contacts", record, lastname="Lind")
    ingest(works, [identify("u1", last_name="Long")])
    pull(works, "crm")
    make_due(works)
    push(the_sync(works))
    assert traits(works)["last_name"] == "Long"
    assert held(sales)[0]["lastname"] == "Long"


def test_a_field_of_ours_that_others_change_is_told(works_with, sales):
    """It is not taken, and not overwritten until our value changes."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, firstname="Anna")
    pull(works, "crm")
    make_due(works)
    push(the_sync(works))
    assert traits(works)["first_name"] == "Ann"
    assert held(sales)[0]["firstname"] == "Anna"
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "DRIFT") == 1


def test_a_mapping_may_ask_for_its_value_again(works_with, sales):
    """`drift: reassert` overwrites what somebody else wrote."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}", drift="reassert"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, firstname="Anna")
    pull(works, "crm")
    push(the_sync(works))
    assert held(sales)[0]["firstname"] == "Ann"


def test_what_was_just_written_is_read_again_before_it_is_believed(works_with, sales):
    """A list that lags may show the value from before our write."""
    works = works_with(mapping(TWO_WAY))
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee")])
    make_due(works)
    push(the_sync(works))
    [(record, *_)] = link_rows(works.store, "crm_id")
    sales.edit("contacts", record, lastname="Lind")
    pulled = pull(works, "crm")
    assert pulled.counts["later"] == 1
    assert traits(works)["last_name"] == "Lee"


DEALS = "{pull: {deal_stage: stage, deal_owner: owner}}"


def test_the_latest_open_deal_speaks_for_a_person(works_with, sales):
    """Chosen from all deals, not from the page just read; by label, not by id."""
    works = works_with(mapping(NAMES, deals=DEALS))
    record = pushed(works, first_name="Ann")
    day = datetime(2026, 1, 1, tzinfo=UTC)
    first = {"stage": "s2", "owner": "18"}
    sales.deal(Deal("d1", (record,), created_at=day, fields={**first, "stage": "s1"}))
    pull(works, "crm")
    late = day + timedelta(days=1)
    sales.deal(Deal("d2", (record,), DealStatus.WON, created_at=late, fields=first))
    pull(works, "crm")
    assert traits(works)["deal_stage"] == "Negotiation"
    assert traits(works)["deal_owner"] == "ada@acme.example"


def test_a_deleted_record_is_not_sent_again(works_with, sales):
    """`suppress`, the default."""
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    sales.delete("contacts", record)
    pull(works, "crm")
    ingest(works, [identify("u1", last_name="Long")])
    make_due(works)
    push(the_sync(works))
    assert link_rows(works.store, "state") == [(LinkState.SUPPRESSED,)]
    assert held(sales) == [{}]


def test_a_deleted_record_is_made_again_where_the_mapping_says_so(works_with, sales):
    """`recreate`: one new record."""
    works = works_with(mapping(TWO_WAY, on_delete="recreate"))
    record = pushed(works, first_name="Ann", last_name="Lee")
    sales.delete("contacts", record)
    pull(works, "crm")
    push(the_sync(works))
    assert [one["lastname"] for one in held(sales) if one] == ["Lee"]


def test_a_merge_that_leaves_no_trace_is_followed_by_our_keys(works_with, sales):
    """What seems deleted may be another record by now, which has our key or the e-mail."""
    keys = "crmsync_id: profile_id, email: email"
    works = works_with(mapping(f"email: email, {TWO_WAY}", keys))
    record = pushed(works, first_name="Ann", email="ann@acme.example")
    sales.delete("contacts", record)
    other = sales.save("contacts", None, {"email": "ann@acme.example"})
    pull(works, "crm")
    push(the_sync(works))
    [(crm_id, profile, state)] = link_rows(works.store, "crm_id", "profile_id", "state")
    assert (crm_id, state) == (other, LinkState.ACTIVE)
    assert sales.records["contacts"][other].fields["crmsync_id"] == profile


def test_a_merged_record_is_followed_with_its_key(works_with, sales):
    """The link moves to the record that stayed, and our match key is written there."""
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    other = sales.save("contacts", None, {"firstname": "A."})
    sales.merge("contacts", other, record)
    pull(works, "crm")
    make_due(works)
    push(the_sync(works))
    [(crm_id, profile)] = link_rows(works.store, "crm_id", "profile_id")
    assert crm_id == other
    assert sales.records["contacts"][other].fields["crmsync_id"] == profile


def test_a_field_that_goes_back_and_forth_is_frozen(works_with, sales):
    """A workflow that lower-cases what we upper-case is not fought for ever."""
    works = works_with(
        mapping(
            "lastname: {from: last_name, transform: upper}", drift="reassert", pull="{o: owner}"
        )
    )
    record = pushed(works, last_name="Lee")
    for _ in range(8):
        sales.edit("contacts", record, lastname="lee")
        pull(works, "crm")
        push(the_sync(works))
        settle(works)
    assert writes(sales) == 3
    assert held(sales)[0]["lastname"] == "lee"
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "FROZEN") == 1


def test_a_write_that_finds_its_record_deleted_follows_the_mapping(works_with, sales):
    """Nothing is read back here: the refusal itself shows it."""
    works = works_with(mapping(NAMES, on_delete="recreate"))
    record = pushed(works, first_name="Ann")
    sales.delete("contacts", record)
    ingest(works, [identify("u1", first_name="Anna")])
    make_due(works)
    push(the_sync(works))
    push(the_sync(works))
    assert [one["firstname"] for one in held(sales) if one] == ["Anna"]


def test_a_write_that_finds_its_record_merged_follows_it(works_with, sales):
    """The link moves to the winner, and the change and the key are written there."""
    works = works_with(mapping(NAMES))
    record = pushed(works, first_name="Ann")
    other = sales.save("contacts", None, {"firstname": "A."})
    sales.merge("contacts", other, record)
    ingest(works, [identify("u1", first_name="Anna")])
    make_due(works)
    push(the_sync(works))
    push(the_sync(works))
    assert sales.records["contacts"][other].fields["firstname"] == "Anna"
    assert link_rows(works.store, "crm_id") == [(other,)]


LEADS = mapping(NAMES, object="leads")
CONTACTS = mapping(NAMES, unless_linked="leads")


def test_a_person_is_a_lead_or_a_contact_and_not_both(works_with, sales):
    """`unless_linked`: the contacts mapping leaves alone who has a lead."""
    works = works_with(others={"contacts": CONTACTS, "leads": LEADS})
    sales.schemas["leads"] = dict(sales.schemas["contacts"])
    ingest(works, [identify("u1", first_name="Ann")])
    push_all(works)
    assert len(held(sales, "leads")) == 1
    assert held(sales, "contacts") == []


def test_a_converted_lead_lives_on_as_the_contact_it_became(works_with, sales):
    """The lead's link ends, the contacts mapping takes on the new contact, no third record."""
    works = works_with(others={"contacts": CONTACTS, "leads": LEADS})
    sales.schemas["leads"] = dict(sales.schemas["contacts"])
    ingest(works, [identify("u1", first_name="Ann")])
    push_all(works)
    [lead] = sales.records["leads"]
    contact = sales.save("contacts", None, {"firstname": "Ann"})
    sales.convert("leads", lead, contact)
    ingest(works, [identify("u1", first_name="Anna")])
    for _ in range(4):
        push_all(works)
    assert [one["firstname"] for one in held(sales)] == ["Anna"]
    assert len(held(sales, "leads")) == 1


def test_a_person_is_tied_to_the_company_whatever_comes_first(works_with, sales):
    """One more call for all new ties; none when nothing changed."""
    people = mapping(NAMES, associate="{companies: firms}")
    firms = mapping("name: name", "name: name", source="companies", object="companies")
    works = works_with(others={"people": people, "firms": firms})
    sales.schemas["companies"] = {"name": FieldSchema("name", "Name", FieldType.TEXT, unique=True)}
    ingest(works, [identify("u1", first_name="Ann", company={"name": "Acme"})])
    push(the_sync(works, "people"))
    push_all(works)
    push_all(works)
    [company] = sales.records["companies"]
    [contact] = sales.records["contacts"]
    assert sales.ties == {("contacts", contact, "companies", company)}
    before = writes(sales)
    push_all(works)
    assert writes(sales) == before


def test_an_owner_is_sent_by_id(works_with, sales):
    """We know the e-mail, the CRM wants its own id."""
    works = works_with(mapping("firstname: first_name, owner: rep"))
    pushed(works, first_name="Ann", rep="ADA@acme.example")
    assert held(sales)[0]["owner"] == "18"


def test_an_owner_who_left_is_refused_by_name_of_the_field(works_with, sales):
    """Nothing is assigned to somebody else in silence."""
    works = works_with(mapping("firstname: first_name, owner: rep"))
    ingest(works, [identify("u1", first_name="Ann", rep="gone@acme.example")])
    make_due(works)
    push(the_sync(works))
    assert link_rows(works.store, "error_code", "error_field") == [("NO_SUCH_OWNER", "owner")]


def push_all(works):
    """Send everything of every sync, due or not."""
    for name in works.mappings:
        let_pass(works.store, 10.0)
        push(the_sync(works, name))


def test_what_is_wrong_with_a_value_is_told_once(works_with, sales):
    """The same record is read again by each poll; the log is not filled with it."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, firstname="Anna", owner="77")
    for _ in range(3):
        pull(works, "crm", anew=True)
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "DRIFT") == 1
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "UNKNOWN_NAME") == 1
    sales.edit("contacts", record, firstname="Annie")
    pull(works, "crm")
    assert count_rows(works.store, sync_log, sync_log.c.error_code == "DRIFT") == 2


def test_the_bell_is_rung_for_what_came_back(new_project, sales):
    """Another mapping reads the trait: it is sent at once, not when somebody looks around."""
    rung = []
    others = {"contacts": mapping(TWO_WAY), "leads": mapping(NAMES, object="leads")}
    works = new_project(mappings=others, timing=ROOMY).open(ring=rung.append)
    sales.schemas["leads"] = dict(sales.schemas["contacts"])
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee")])
    push_all(works)
    settle(works)
    [record] = sales.records["contacts"]
    sales.edit("contacts", record, phone="030")
    rung.clear()
    pull(works, "crm")
    assert rung == []
    sales.edit("contacts", record, lastname="Lind")
    pull(works, "crm")
    assert rung == ["crm"]


def test_a_connection_that_cannot_be_opened_rests(works_with, sales):
    """It is told once; nothing turns in circles, nothing is raised."""
    works = works_with(mapping(TWO_WAY))

    def closed(_mapping):
        raise ConfigError("no such credentials")

    pulled = pull(replace(works, open_sync=closed), "crm", due_only=True)
    assert pulled.rest.cause == "misconfigured"
    assert next_wake_seconds(works, "crm") > 0


def test_a_conversion_is_noticed_although_nothing_else_is_read_back(works_with, sales):
    """The contacts mapping takes on converted leads: so leads are looked at."""
    works = works_with(others={"contacts": CONTACTS, "leads": LEADS})
    sales.schemas["leads"] = dict(sales.schemas["contacts"])
    ingest(works, [identify("u1", first_name="Ann")])
    push_all(works)
    settle(works)
    [lead] = sales.records["leads"]
    contact = sales.save("contacts", None, {"firstname": "A."})
    sales.convert("leads", lead, contact)
    pull(works, "crm")
    push_all(works)
    assert [one["firstname"] for one in held(sales)] == ["Ann"]
