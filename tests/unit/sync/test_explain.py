"""Why a value holds: also where it is the CRM's people who said so."""

from __future__ import annotations

import pytest

from crmsync.model import Deal, Owner, Stage
from crmsync.store import profiles
from crmsync.sync.explain import explain
from crmsync.sync.pull import pull
from tests.unit.sync.people import NAMES, mapping
from tests.unit.sync.test_pull import OWNER, TWO_WAY, pushed, settle
from tests.workbench import identify, ingest


@pytest.fixture
def sales(crm):
    """The CRM, with an owner field, users and stages."""
    crm.schemas["contacts"]["owner"] = OWNER
    crm.owners = [Owner("18", "ada@acme.example", "Ada"), Owner("19", "bob@acme.example", "Bob")]
    crm.stages = [Stage("s1", "Negotiation")]
    return crm


def fields(works):
    """Return the stories of the only person's fields; those of a deal by `deal.` and their name."""
    with works.store.database.read() as connection:
        person = profiles.find(connection, "u1")
    (record,) = explain(works, person)
    return {f"{'deal.' if one.is_of_deal else ''}{one.name}": one for one in record.fields}


def test_an_overwritten_trait_names_the_crm_and_both_moments(works_with, sales):
    """When somebody changed it, when it was read back, and what it was before."""
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    for name in ("Lind", "Long"):
        sales.edit("contacts", record, lastname=name)
        pull(works, "crm")
        settle(works)
    one = fields(works)["lastname"]
    (fact,) = one.facts
    assert (fact.value, fact.old, fact.source.origin) == ("Long", "Lind", "connection:crm")
    assert fact.read_at is not None
    assert one.taken is not None
    assert one.taken.fields["lastname"] == ["Lind", "Long"]


def test_a_trait_that_we_sent_last_was_not_read_back(works_with, sales):
    """The story is of the latest value alone."""
    works = works_with(mapping(TWO_WAY))
    pushed(works, first_name="Ann", last_name="Lee")
    ingest(works, [identify("u1", last_name="Long")])
    (fact,) = fields(works)["lastname"].facts
    assert fact.read_at is None
    assert fact.event is not None


def test_owners_of_a_record_and_of_its_deal_are_told_apart_and_by_name(works_with, sales):
    """Fields of one name in two objects; no id of a user is shown."""
    deals = "{pull: {deal_owner: owner, deal_stage: stage}}"
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}", deals=deals))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, owner="18")
    sales.deal(Deal("d1", (record,), fields={"owner": "19", "stage": "s1"}))
    pull(works, "crm")
    told = fields(works)
    assert told["owner"].taken.fields["owner"][1] == "ada@acme.example"
    assert told["deal.owner"].taken.fields["owner"][1] == "bob@acme.example"
    assert told["deal.stage"].facts[0].value == "Negotiation"
    assert not told["owner"].is_pushed


def test_a_field_of_ours_that_somebody_changed_says_so(works_with, sales):
    """With both values; it is no refusal."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, firstname="Zoe")
    pull(works, "crm")
    one = fields(works)["firstname"]
    assert one.noticed.fields["firstname"] == ["Ann", "Zoe"]
    assert one.failed is None
