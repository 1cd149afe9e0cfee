"""What salespeople do in the simulated Zoho CRM, as it comes back to people's profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmsync.model import FieldSchema, FieldType
from crmsync.store import profiles
from crmsync.sync.pull import pull
from tests.sandboxes import running
from tests.workbench import (
    KEY,
    ROOMY,
    TOKEN,
    crowd,
    drain,
    ingest,
    let_pass,
    new_project,
    the_sync,
)

__all__ = ["new_project"]

MAPPING = f"""
connection: crm
source: profiles
object: Contacts
match: {{{KEY}: profile_id}}
fields: {{Email: email, First_Name: first_name, Last_Name: last_name}}
pull: {{zoho_owner: Owner}}
deals:
  pick: latest_open
  none_open: latest_closed
  pull: {{zoho_stage: Stage, zoho_deal_owner: Owner, zoho_amount: Amount}}
"""
DEAL = {"Deal_Name": "D", "Stage": "Qualification", "Pipeline": "Standard", "Amount": 12.5}
BEN = "ben@org.example"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is shown here is the CRM's."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def zoho():
    """The control of a simulated Zoho CRM of the largest edition."""
    with running("zoho", access_tokens=[TOKEN], tier="ultimate") as started:
        yield started.control


@pytest.fixture
def works(zoho, new_project):
    """A project with ten people, who are contacts in Zoho."""
    project = new_project(zoho.url, mappings={"contacts": MAPPING}, connector="zoho", timing=ROOMY)
    works = project.open()
    key = FieldSchema(KEY, "crmsync id", FieldType.TEXT, unique=True)
    the_sync(works).connector.create_field("Contacts", key)
    ingest(works, crowd(10, "Li"))
    drain(works)
    # What a write of ours may still change is not judged yet.
    let_pass(works.store, 10 * ROOMY["settle_seconds"])
    return works


def traits(works, name):
    """What is known of one person."""
    with works.store.database.read() as connection:
        return profiles.find(connection, name).traits


def contact_of(zoho, first_name):
    """The id of a person's contact."""
    held = {one["properties"]["First_Name"]: one["id"] for one in zoho.records("Contacts")}
    return held[first_name]


def calls(zoho):
    """The calls since this was last asked, settings apart."""
    entries = zoho.ledger(bodies=False)
    zoho.clear_ledger()
    return sorted(e["path"] for e in entries if "settings" not in e["path"])


def test_owner_stage_and_amount_come_back(zoho, works):
    """By e-mail and label; and what nobody touched costs four calls and changes nothing."""
    contact = contact_of(zoho, "Ann3")
    ben = next(o.id for o in the_sync(works).connector.owners() if o.email == BEN)
    zoho.edit("Contacts", contact, Owner={"id": ben})
    own = {"Contact_Name": {"id": contact}, "Owner": {"id": ben}}
    [deal] = zoho.seed("Deals", [{**DEAL, **own}])
    pull(works, "crm")
    found = traits(works, "u3")
    assert (found["zoho_owner"], found["zoho_deal_owner"]) == (BEN, BEN)
    assert (found["zoho_stage"], found["zoho_amount"]) == ("Qualification", 12.5)
    assert traits(works, "u4")["zoho_owner"] == "ada@org.example"
    zoho.edit("Deals", deal, Stage="Closed Won")
    pull(works, "crm")
    assert traits(works, "u3")["zoho_stage"] == "Closed Won"
    zoho.clear_ledger()
    pulled = pull(works, "crm")
    assert pulled.rest is None
    assert calls(zoho) == [
        "/crm/v8/Contacts/deleted",
        "/crm/v8/Deals/deleted",
        "/crm/v8/coql",
        "/crm/v8/coql",
    ]


def test_a_field_deleted_in_zoho_stops_the_pull_and_is_named(zoho, works):
    """Its trait stays as it is."""
    pull(works, "crm")
    zoho.act("remove_field", module="Deals", api_name="Amount")
    the_sync(works).connector.describe_deals()
    pulled = pull(works, "crm")
    assert pulled.rest is not None
    assert "Amount" in str(pulled.rest)
