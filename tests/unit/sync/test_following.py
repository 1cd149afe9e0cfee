"""What a pull makes of records that moved, of names that changed, and of what does not fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crmsync.errors import BatchRejected, ConfigError
from crmsync.model import Deal, Directory, FieldSchema, FieldType, Hint, Owner, Stage
from crmsync.store import hints, profiles
from crmsync.store.links import LinkState
from crmsync.store.tables import directories, links
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from tests.unit.sync.people import NAMES, held, make_due, mapping
from tests.workbench import count_rows, identify, ingest, let_pass, link_rows, the_sync

DAY = datetime(2026, 1, 1, tzinfo=UTC)
LONG = 10_000.0
"""More seconds than anything waits for."""
OWNED = mapping(NAMES, pull="{contact_owner: owner}")
WITH_DEALS = mapping(NAMES, deals="{pull: {deal_stage: stage}}")


@pytest.fixture
def sales(crm):
    """The CRM, with an owner field, a user and stages."""
    owner = FieldSchema("owner", "Owner", FieldType.REFERENCE, directory=Directory.OWNERS)
    crm.schemas["contacts"]["owner"] = owner
    crm.owners = [Owner("18", "ada@acme.example", "Ada")]
    crm.stages = [Stage("s1", "Negotiation"), Stage("s2", "Closed")]
    return crm


def sent(works, *users):
    """Send some people; return their records' ids, once nothing of ours is under way."""
    ingest(works, [identify(user, first_name=user, email=f"{user}@x.io") for user in users])
    push_all(works)
    let_pass(works.store, LONG)
    return [crm_id for (crm_id,) in link_rows(works.store, "crm_id")]


def push_all(works):
    """Send everything, due or not."""
    for name in works.mappings:
        let_pass(works.store, 10.0)
        push(the_sync(works, name))


def traits(works, user="u1"):
    """What is known of a person."""
    with works.store.database.read() as connection:
        return profiles.find(connection, user).traits


def listed_alone(sales, survivor, *losers):
    """Merge records as HubSpot lists it: only the survivor, with the ids of those before."""
    for loser in losers:
        sales.merge("contacts", survivor, loser)
        del sales.records["contacts"][loser]


def with_two_records(works):
    """Make a person of two who had a record each; return both ids, the primary one first."""
    ingest(works, [identify("ann@x.io", first_name="Ann"), identify("u1", first_name="u1")])
    push_all(works)
    ingest(works, [identify("u1", email="ann@x.io")])
    push_all(works)
    let_pass(works.store, LONG)
    rows = link_rows(works.store, "is_primary", "crm_id")
    return [crm_id for _, crm_id in sorted(rows, reverse=True)]


# --- merges -------------------------------------------------------------------------------


def test_two_people_whose_records_became_a_third_do_not_stop_the_pull(works_with, sales):
    """One of them follows, the other one waits for a person, and the rest is read."""
    works = works_with(OWNED)
    one, two, three = sent(works, "u1", "u2", "u3")
    survivor = sales.save("contacts", None, {"firstname": "A."})
    listed_alone(sales, survivor, one, two)
    sales.edit("contacts", three, owner="18")
    pulled = pull(works, "crm")
    assert pulled.counts["RECORD_TAKEN"] == 1
    rows = link_rows(works.store, "crm_id", "state", "error_code")
    assert rows[0][:2] == (survivor, LinkState.ACTIVE)
    assert rows[1] == (None, LinkState.CONFLICT, "RECORD_TAKEN")
    assert traits(works, "u3")["contact_owner"] == "ada@acme.example"


@pytest.mark.parametrize("keeps", ["primary", "second", "third"])
def test_somebody_merges_the_two_records_of_one_person(works_with, sales, keeps):
    """Whichever of them stays: one link, to that one, and no conflict is left."""
    works = works_with(OWNED)
    primary, second = with_two_records(works)
    if keeps == "third":
        survivor = sales.save("contacts", None, {"firstname": "A."})
        listed_alone(sales, survivor, primary, second)
    elif keeps == "primary":
        survivor = primary
        sales.merge("contacts", primary, second)
    else:
        survivor = second
        sales.merge("contacts", second, primary)
    pull(works, "crm")
    assert link_rows(works.store, "crm_id", "state") == [(survivor, LinkState.ACTIVE)]


def test_somebody_deletes_one_of_the_two_records_of_a_person(works_with, sales):
    """The conflict is over."""
    works = works_with(OWNED)
    primary, second = with_two_records(works)
    sales.delete("contacts", second)
    pull(works, "crm")
    assert link_rows(works.store, "crm_id", "state") == [(primary, LinkState.ACTIVE)]


def test_what_the_record_that_stayed_says_is_taken(works_with, sales):
    """Its owner and its deals, though it changed before it was ours and not since."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}", deals="{pull: {s: stage}}"))
    [record] = sent(works, "u1")
    [our_id] = [r.fields["crmsync_id"] for r in sales.records["contacts"].values()]
    winner = sales.save("contacts", None, {"firstname": "u1", "owner": "18"})
    sales.deal(Deal("d1", (winner,), created_at=DAY, fields={"stage": "s1"}))
    pull(works, "crm")
    sales.merge("contacts", winner, record)
    # HubSpot fills the survivor's empty fields from the other, so that nothing is left to write;
    # Salesforce lists the one that is gone on a page of its own.
    survivor = sales.records["contacts"].pop(winner)
    pull(works, "crm")
    kept = {**survivor.fields, "lastname": None, "crmsync_id": our_id}
    sales.records["contacts"][winner] = replace(survivor, fields=kept)
    for _ in range(3):
        push_all(works)
        let_pass(works.store, LONG)
        pull(works, "crm")
    assert traits(works)["contact_owner"] == "ada@acme.example"
    assert traits(works)["s"] == "Negotiation"


def test_what_the_record_that_stayed_held_is_nobodys_change(works_with, sales):
    """It is on the same page; before it is read as ours, nothing of it can be drift."""
    works = works_with(OWNED)
    [record] = sent(works, "u1")
    pull(works, "crm")
    winner = sales.save("contacts", None, {"firstname": "A."})
    sales.merge("contacts", winner, record)
    pulled = pull(works, "crm")
    assert (pulled.counts["RECORD_MERGED"], pulled.counts["drifted"]) == (1, 0)


def test_a_merge_that_only_a_webhook_tells_of_waits_for_our_write(works_with, sales):
    """While something of ours is under way it is put off, and what it became is not forgotten."""
    works = works_with(OWNED)
    [record] = sent(works, "u1")
    pull(works, "crm")
    winner = sales.save("contacts", None, {"firstname": "A."})
    sales.delete("contacts", record)
    told = Hint("contacts", record, DAY, "e1", successor=winner)
    database = works.store.database
    database.transact(
        lambda c: hints.take(c, "crm", [told], database.now(c), database.now(c)),
    )
    with database.engine.begin() as connection:
        connection.execute(links.update().values(verify_at=DAY, wake_at=None))
    sales.records["contacts"].pop(record)
    pull(works, "crm")
    assert link_rows(works.store, "crm_id") == [(record,)]
    with database.engine.begin() as connection:
        connection.execute(links.update().values(verify_at=None))
    let_pass(works.store, LONG)
    pull(works, "crm")
    assert link_rows(works.store, "crm_id", "state") == [(winner, LinkState.ACTIVE)]


def test_a_pair_that_the_crm_does_not_merge_holds_up_nobody(works_with, sales):
    """It waits for a person, and the sync goes on."""
    works = works_with(mapping(NAMES, on_merge="merge_in_crm"))
    with_two_records(works)
    sales.fail_next(BatchRejected("too many merges", code="MERGE_LIMIT"))
    drain(works, "crm")
    rows = sorted(link_rows(works.store, "state", "error_code"))
    assert rows == [(LinkState.ACTIVE, None), (LinkState.CONFLICT, "MERGE_LIMIT")]
    ingest(works, [identify("u1", first_name="Anna")])
    let_pass(works.store, 10.0)
    drain(works, "crm")
    assert "Anna" in [one["firstname"] for one in held(sales)]


def test_the_contact_that_a_lead_became_is_read_back(works_with, sales):
    """Its owner was set when it was made, before it was anybody's."""
    sales.schemas["leads"] = dict(sales.schemas["contacts"])
    contacts = mapping(NAMES, pull="{contact_owner: owner}", unless_linked="leads")
    leads = mapping(NAMES, object="leads", pull="{lead_owner: owner}")
    works = works_with(others={"contacts": contacts, "leads": leads})
    sent(works, "u1")
    pull(works, "crm")
    [lead] = sales.records["leads"]
    [our_id] = [r.fields["crmsync_id"] for r in sales.records["leads"].values()]
    copied = {"firstname": "u1", "crmsync_id": our_id, "owner": "18"}
    contact = sales.save("contacts", None, copied)
    pull(works, "crm")
    sales.convert("leads", lead, contact)
    for _ in range(3):
        pull(works, "crm")
        push_all(works)
        let_pass(works.store, LONG)
    assert traits(works)["contact_owner"] == "ada@acme.example"


# --- names --------------------------------------------------------------------------------


def test_a_renamed_stage_is_taken_though_no_deal_changed(works_with, sales):
    """When everything is read again: the CRM moves no deal's time for it."""
    works = works_with(WITH_DEALS)
    [record] = sent(works, "u1")
    sales.deal(Deal("d1", (record,), created_at=DAY, fields={"stage": "s1"}))
    pull(works, "crm")
    sales.stages = [Stage("s1", "Bargaining")]
    with works.store.database.engine.begin() as connection:
        connection.execute(directories.update().values(read_at=DAY))
    pull(works, "crm", anew=True)
    assert traits(works)["deal_stage"] == "Bargaining"


# --- what does not fit --------------------------------------------------------------------


def test_a_field_that_is_gone_rests_its_reading_alone(works_with, sales):
    """It is not asked for again and again, and what is sent goes on."""
    works = works_with(OWNED)
    sent(works, "u1")
    sales.fail_next(ConfigError("contacts have no field 'owner'"))
    sales.edit("contacts", link_rows(works.store, "crm_id")[0][0], owner="18")
    pulled = pull(works, "crm", due_only=True)
    assert "'owner'" in pulled.rest.message
    before = sales.calls["changes"]
    assert next_wake_seconds(works, "crm") > 0
    ingest(works, [identify("u1", first_name="Anna")])
    make_due(works)
    drain(works, "crm")
    assert [one["firstname"] for one in held(sales)] == ["Anna"]
    assert sales.calls["changes"] == before


def test_who_asks_by_hand_does_not_wait_for_the_rest(works_with, sales):
    """They have cured it."""
    works = works_with(OWNED)
    [record] = sent(works, "u1")
    sales.fail_next(ConfigError("contacts have no field 'owner'"))
    sales.edit("contacts", record, owner="18")
    assert pull(works, "crm").rest is not None
    pull(works, "crm")
    assert traits(works)["contact_owner"] == "ada@acme.example"


def test_another_object_is_read_though_one_does_not_fit(works_with, sales):
    """A field of the records is gone; their deals are read."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}", deals="{pull: {s: stage}}"))
    [record] = sent(works, "u1")
    sales.deal(Deal("d1", (record,), created_at=DAY, fields={"stage": "s1"}))
    sales.fail_next(ConfigError("contacts have no field 'owner'"))
    sales.edit("contacts", record, owner="18")
    assert pull(works, "crm").rest is not None
    assert traits(works)["s"] == "Negotiation"


def test_a_deal_that_was_deleted_no_longer_speaks(works_with, sales):
    """The one before it does, from what is kept; and where none is left, nothing is said."""
    works = works_with(WITH_DEALS)
    [record] = sent(works, "u1")
    later = DAY + timedelta(days=1)
    sales.deal(Deal("d1", (record,), created_at=DAY, fields={"stage": "s1"}))
    sales.deal(Deal("d2", (record,), created_at=later, fields={"stage": "s2"}))
    pull(works, "crm")
    assert traits(works)["deal_stage"] == "Closed"
    for deal, wanted in (("d2", "Negotiation"), ("d1", None)):
        sales.deal(Deal(deal, is_deleted=True))
        pull(works, "crm")
        assert traits(works).get("deal_stage") == wanted
    assert count_rows(works.store, links, links.c.state == LinkState.ACTIVE) == 1
