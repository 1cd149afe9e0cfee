"""People are tied to companies in the fewest calls; a trait goes on to another CRM, never back.

Over HTTP, in each of the four simulated CRMs.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from crmsync.sync.pull import pull
from crmsync.sync.push import push
from tests.crms import CRMS, HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm
from tests.integration.selling import Office, make_key, office, two_way
from tests.sandboxes import running
from tests.workbench import (
    KEY,
    ROOMY,
    identify,
    ingest,
    let_pass,
    link_rows,
    new_project,
    the_sync,
)

__all__ = ["new_project"]

every_crm = pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)
ASSOCIATE = "/crm/v4/associations/*"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is shown here is the CRMs'."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


# --- people and companies -----------------------------------------------------------------


def firms_of(crm: Crm) -> Crm:
    """Return the CRM's other object, as a mapping of companies has it."""
    fields = {crm.sales.firm_name: "name"}
    return replace(crm, object_type=crm.sales.firms, fields=fields)


def tying(crm: Crm) -> dict[str, str]:
    """Return a mapping of people that ties them to the one of companies."""
    firms = firms_of(crm).mapping({crm.key: "profile_id"}, source="companies")
    return {
        crm.name: crm.mapping(crm.by_key, associate={crm.sales.firms: "firms"}),
        "firms": firms,
    }


def tied_office(new_project, crm: Crm):
    """Open an office of people and companies."""
    both = [f"{kind}.{KEY}__c" for kind in ("Contact", "Account")]
    settings = {"external_id_fields": both} if crm is SALESFORCE else {}
    return office(new_project, crm, tying(crm), **settings)


def staff(people: int, firms: int):
    """Return people who work for so many companies, in turn."""
    return [
        identify(
            f"u{n}", first_name=f"Ann{n}", last_name="Lee", company={"name": f"Firm {n % firms}"}
        )
        for n in range(people)
    ]


def firm_ids(desk: Office) -> list[str]:
    """Return the companies' records."""
    rows = link_rows(desk.works.store, "object_type", "crm_id")
    return sorted(crm_id for kind, crm_id in rows if kind == desk.crm.sales.firms)


def tied(desk: Office) -> list[str]:
    """Return the company's record of everybody who has one."""
    crm = desk.crm
    people = [
        crm_id
        for kind, crm_id in link_rows(desk.works.store, "object_type", "crm_id")
        if kind == crm.object_type
    ]
    if crm.sales.firm is None:
        kinds = {"object_type": "contacts", "to": "companies"}
        found = [list(desk.control.act("associations", id=one, **kinds)) for one in people]
        return [firm for firms in found for firm in firms]
    pages = desk.connector.changes(crm.object_type, None, [crm.sales.firm])
    held = {r.crm_id: r.fields[crm.sales.firm] for page in pages for r in page.records}
    return [str(held[one]) for one in people if held[one] is not None]


def send_in_turn(desk: Office, *syncs: str) -> None:
    """Push some syncs, in this order, everything being due."""
    for sync in syncs:
        let_pass(desk.works.store, 10.0)
        push(the_sync(desk.works, sync))


@every_crm
@pytest.mark.parametrize("people_first", [True, False])
def test_people_are_tied_to_their_companies_whatever_comes_first(new_project, crm, people_first):
    """Everybody to their own; then nothing more is sent."""
    with tied_office(new_project, crm) as desk:
        make_key(desk.connector, crm, crm.sales.firms)
        ingest(desk.works, staff(6, 2))
        order = (crm.name, "firms") if people_first else ("firms", crm.name)
        for _ in range(3):
            send_in_turn(desk, *order)
        assert len(firm_ids(desk)) == 2
        assert sorted(tied(desk)) == sorted(firm_ids(desk) * 3)
        desk.control.clear_ledger()
        send_in_turn(desk, *order)
        assert (desk.writes(), desk.control.calls(path=ASSOCIATE)) == (0, 0)


@pytest.mark.parametrize("crm", [HUBSPOT, SALESFORCE, ZOHO], ids=lambda crm: crm.name)
def test_ties_cost_the_fewest_calls(new_project, crm):
    """A field of the record goes with the write; HubSpot's are a call for 2,000."""
    with tied_office(new_project, crm) as desk:
        make_key(desk.connector, crm, crm.sales.firms)
        ingest(desk.works, staff(200, 2))
        send_in_turn(desk, "firms")
        desk.control.clear_ledger()
        send_in_turn(desk, crm.name, crm.name)
        records_per_call = 200 if crm is SALESFORCE else 100
        assert desk.writes() == 200 / records_per_call
        assert desk.control.calls(path=ASSOCIATE) == (1 if crm.sales.firm is None else 0)
        assert len(tied(desk)) == 200


def test_people_of_one_account_are_sent_side_by_side(new_project):
    """Salesforce locks the account: two calls at once that hold its people would fail some."""
    crm = SALESFORCE
    with tied_office(new_project, crm) as desk:
        ingest(desk.works, staff(600, 3))
        send_in_turn(desk, "firms")
        desk.control.clear_ledger()
        send_in_turn(desk, crm.name)
        [call] = desk.control.ledger(method="POST", path="*/composite")
        parts = [part["body"]["records"] for part in call["body"]["compositeRequest"]]
        accounts = [[record["AccountId"] for record in part] for part in parts]
        assert [len(set(part)) for part in accounts] == [1, 1, 1]
        assert len({account for part in accounts for account in part}) == 3


# --- from one CRM to another --------------------------------------------------------------


FROM_TO = [(HUBSPOT, SALESFORCE), (SALESFORCE, ZOHO), (ZOHO, PIPEDRIVE), (PIPEDRIVE, HUBSPOT)]


@pytest.mark.parametrize(("source", "other"), FROM_TO, ids=lambda crm: crm.name)
def test_what_one_crm_says_is_sent_to_another_and_never_back(new_project, source, other):
    """A number that somebody changed there is written here, and there nothing is."""
    told = replace(other, fields={**other.fields, other.sales.phone: "phone"})
    with ExitStack() as stack:
        controls = {
            crm: stack.enter_context(running(crm.name, limits=False, **crm.settings)).control
            for crm in (source, other)
        }
        project = new_project(
            connections={crm.name: crm.connection(c.url) for crm, c in controls.items()},
            mappings={source.name: two_way(source), other.name: told.mapping(other.by_key)},
            timing=ROOMY,
        )
        works = project.open()
        here, there = (Office(crm, controls[crm], project, works) for crm in (other, source))
        for desk in (here, there):
            make_key(desk.connector, desk.crm, desk.crm.object_type)
        ingest(works, [identify("u0", first_name="Ann0", last_name="Lee")])
        there.push()
        rows = dict(link_rows(works.store, "connection", "crm_id"))
        pull(works, source.name)
        there.call(rows[source.name], "+1 212 555 0199")
        for control in controls.values():
            control.clear_ledger()
        for _ in range(3):
            pull(works, source.name)
            there.push()
        assert (there.writes(), here.writes()) == (0, 1)
        [held] = here.connector.changes(other.object_type, None, [other.sales.phone])
        assert held.records[0].fields[other.sales.phone] == "+1 212 555 0199"
