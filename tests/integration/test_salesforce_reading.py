"""What salespeople do in the simulated Salesforce, as it comes back to people's profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmsync.store import profiles
from crmsync.sync.pull import pull
from tests.sandboxes import running
from tests.workbench import (
    KEY,
    ROOMY,
    TOKEN,
    crowd,
    drain,
    identify,
    ingest,
    let_pass,
    link_rows,
    new_project,
)

__all__ = ["new_project"]

CONTACTS = f"""
connection: crm
source: profiles
object: Contact
match: {{{KEY}__c: profile_id}}
fields: {{Email: email, FirstName: first_name, LastName: last_name, AccountId: account}}
pull: {{sf_owner: OwnerId}}
deals:
  pick: latest_open
  none_open: latest_closed
  pull: {{sf_stage: StageName, sf_deal_owner: OwnerId, sf_amount: Amount}}
"""
LEADS = f"""
connection: crm
source: profiles
object: Lead
match: {{{KEY}__c: profile_id}}
fields: {{FirstName: first_name, LastName: last_name, Company: company}}
pull: {{sf_rating: Title}}
"""
DEAL = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-02-28", "Amount": 12.5}
ADA, BEN = "ada.sales@acme.example", "ben.sales@acme.example"
RECORDS = "/services/data/v59.0/[cq]*"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is shown here is the CRM's."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def salesforce():
    """The control of a simulated org with our fields."""
    keys = [f"Contact.{KEY}__c", f"Lead.{KEY}__c"]
    with running(
        "salesforce", limits=False, access_tokens=[TOKEN], external_id_fields=keys
    ) as started:
        yield started.control


@pytest.fixture
def works(salesforce, new_project):
    """A project with ten people, who are contacts in Salesforce."""
    project = new_project(
        salesforce.url, mappings={"contacts": CONTACTS}, connector="salesforce", timing=ROOMY
    )
    works = project.open()
    ingest(works, crowd(10, "Li"))
    drain(works)
    settle(works)
    return works


def settle(works):
    """Let the time pass in which a write of ours may still change what is read."""
    let_pass(works.store, 10 * ROOMY["settle_seconds"])


def traits(works, name):
    """What is known of one person."""
    with works.store.database.read() as connection:
        return profiles.find(connection, name).traits


def contact_of(salesforce, first_name):
    """The id of a person's contact."""
    held = {one["properties"]["FirstName"]: one["id"] for one in salesforce.records("Contact")}
    return held[first_name]


def user_of(salesforce, email):
    """The id of a salesperson."""
    return next(u["id"] for u in salesforce.records("User") if u["properties"]["Email"] == email)


def sell(salesforce, contact, **fields):
    """Make a deal with a contact on it."""
    [deal] = salesforce.seed("Opportunity", [{**DEAL, **fields}])
    salesforce.seed("OpportunityContactRole", [{"OpportunityId": deal, "ContactId": contact}])
    return deal


def test_owner_stage_and_amount_come_back(salesforce, works):
    """By e-mail and label; and what nobody touched costs two calls and changes nothing."""
    contact, ben = contact_of(salesforce, "Ann3"), user_of(salesforce, BEN)
    salesforce.edit("Contact", contact, OwnerId=ben)
    deal = sell(salesforce, contact, OwnerId=user_of(salesforce, ADA))
    pull(works, "crm")
    found = traits(works, "u3")
    assert (found["sf_owner"], found["sf_deal_owner"]) == (BEN, ADA)
    assert (found["sf_stage"], found["sf_amount"]) == ("Prospecting", 12.5)
    assert "sf_stage" not in traits(works, "u4")
    salesforce.edit("Opportunity", deal, StageName="Closed Won")
    pull(works, "crm")
    assert traits(works, "u3")["sf_stage"] == "Closed Won"
    before = salesforce.calls(path=RECORDS)
    pulled = pull(works, "crm")
    assert pulled.rest is None
    assert salesforce.calls(path=RECORDS) - before == 2


def test_a_person_joins_a_deal_that_is_long_there(salesforce, works):
    """A contact role is no change of the deal."""
    deal = sell(salesforce, contact_of(salesforce, "Ann3"))
    pull(works, "crm")
    role = {"OpportunityId": deal, "ContactId": contact_of(salesforce, "Ann5")}
    salesforce.seed("OpportunityContactRole", [role])
    pull(works, "crm")
    assert traits(works, "u5")["sf_stage"] == "Prospecting"


def test_a_merged_contact_is_followed(salesforce, works):
    """Its person is the survivor from now on: no second record is made."""
    loser = contact_of(salesforce, "Ann3")
    [winner] = salesforce.seed("Contact", [{"LastName": "Typed by hand"}])
    salesforce.act("merge", object_type="Contact", winner=winner, loser=loser)
    pull(works, "crm")
    settle(works)
    ingest(works, [identify("u3", first_name="Ann3", last_name="Wu")])
    settle(works)
    drain(works)
    held = salesforce.record("Contact", winner)["properties"]
    assert (held["LastName"], held["FirstName"]) == ("Wu", "Ann3")
    assert salesforce.about()["objects"]["Contact"] == 10


def test_a_write_that_finds_a_merged_contact_follows_it(salesforce, works):
    """Also where no pull came before."""
    loser = contact_of(salesforce, "Ann3")
    [winner] = salesforce.seed("Contact", [{"LastName": "Typed by hand"}])
    salesforce.act("merge", object_type="Contact", winner=winner, loser=loser)
    ingest(works, [identify("u3", first_name="Ann3", last_name="Wu")])
    for _ in range(4):
        settle(works)
        drain(works)
    assert salesforce.record("Contact", winner)["properties"]["LastName"] == "Wu"
    assert salesforce.about()["objects"]["Contact"] == 10


def test_a_reference_that_is_gone_is_a_dead_letter(salesforce, works):
    """Salesforce says of the contact that it is deleted, and means its account."""
    [account] = salesforce.seed("Account", [{"Name": "Acme"}])
    salesforce.act("delete", object_type="Account", id=account)
    ingest(works, [identify("u3", first_name="Ann3", last_name="Li", account=account)])
    for _ in range(12):
        settle(works)
        drain(works)
    contact = contact_of(salesforce, "Ann3")
    states = {crm_id: (state, code) for crm_id, state, code in link_rows(
        works.store, "crm_id", "state", "error_code")}  # fmt: skip
    assert states[contact] == ("dead", "ENTITY_IS_DELETED")
    assert salesforce.about()["objects"]["Contact"] == 10


def test_a_field_deleted_in_salesforce_stops_the_pull_and_is_named(salesforce, new_project):
    """The connection goes on; the trait stays as it is."""
    salesforce.act("add_field", object_type="Contact", name="Tier__c")
    mapping = CONTACTS.replace("pull: {sf_owner", "pull: {sf_tier: Tier__c, sf_owner")
    works = new_project(
        salesforce.url, mappings={"contacts": mapping}, connector="salesforce", timing=ROOMY
    ).open()
    ingest(works, crowd(2, "Li"))
    drain(works)
    settle(works)
    salesforce.edit("Contact", contact_of(salesforce, "Ann1"), Tier__c="Gold")
    pull(works, "crm")
    assert traits(works, "u1")["sf_tier"] == "Gold"
    salesforce.act("remove_field", object_type="Contact", name="Tier__c")
    pulled = pull(works, "crm")
    assert "'Tier__c' of Contact" in pulled.rest.message
    assert traits(works, "u1")["sf_tier"] == "Gold"


def test_a_lead_that_was_converted_is_the_contact(salesforce, new_project):
    """Its person goes on by the mapping of contacts, with the deal; no second contact is made."""
    contacts = CONTACTS + "unless_linked: [leads]\n"
    works = new_project(
        salesforce.url, mappings={"contacts": contacts, "leads": LEADS}, connector="salesforce",
        timing=ROOMY,
    ).open()  # fmt: skip
    ingest(works, [identify("u1", first_name="Ann", last_name="Li", company="Acme")])
    drain(works, "leads")
    settle(works)
    [lead] = salesforce.records("Lead")
    made = salesforce.act("convert_lead", id=lead["id"], opportunity="Big")
    for _ in range(3):
        pull(works, "crm")
        settle(works)
        drain(works)
        drain(works, "leads")
    linked = set(link_rows(works.store, "object_type", "crm_id", "state"))
    assert ("Lead", lead["id"], "converted") in linked
    assert ("Contact", made["contact_id"]) in {(kind, crm_id) for kind, crm_id, _ in linked}
    assert salesforce.about()["objects"]["Contact"] == 1
    assert traits(works, "u1")["sf_stage"] == "Prospecting"
