"""Associations v4."""

from __future__ import annotations

import pytest

BATCH = "/crm/v4/associations/contacts/companies/batch"
PRIMARY = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}


@pytest.fixture
def pair(control):
    """A contact and a company."""
    (contact,) = control.seed("contacts", [{"email": "a@x.io"}])
    (company,) = control.seed("companies", [{"name": "X"}])
    return contact, company


def joined(contact, company, **more):
    """Make one input of a batch."""
    return {"from": {"id": contact}, "to": {"id": company}, **more}


def kinds(control, contact):
    """Return the association types of a contact's companies."""
    return control.act("associations", object_type="contacts", id=contact, to="companies")


def test_default_associations_go_both_ways(api, control, pair):
    """The unlabelled type is stored in both directions; ids are numbers on the wire."""
    contact, company = pair
    answer = api.ok("POST", f"{BATCH}/associate/default", {"inputs": [joined(contact, company)]})
    assert answer["results"][0]["associationSpec"]["associationTypeId"] == 279
    read = api.ok("POST", f"{BATCH}/read", {"inputs": [{"id": contact}]})
    assert read["results"][0]["to"][0]["toObjectId"] == int(company)
    back = api.ok("GET", f"/crm/v4/objects/company/{company}/associations/contact")["results"]
    assert [kind["typeId"] for kind in back[0]["associationTypes"]] == [280]


def test_labels_are_replaced(api, control, pair):
    """Writing labels replaces those of the pair; the unlabelled type stays."""
    contact, company = pair
    label = {"label": "Boss", "name": "boss"}
    api.ok("POST", "/crm/v4/associations/contacts/companies/labels", label)
    boss = {"associationCategory": "USER_DEFINED", "associationTypeId": 1000}
    path = f"{BATCH}/create"
    api.ok("POST", path, {"inputs": [joined(contact, company, types=[PRIMARY])]})
    assert kinds(control, contact) == {company: [1, 279]}
    api.ok("POST", path, {"inputs": [joined(contact, company, types=[boss])]})
    assert kinds(control, contact) == {company: [279, 1000]}
    archive = {"inputs": [joined(contact, company, types=[boss])]}
    assert api.call("POST", f"{BATCH}/labels/archive", archive).status_code == 204
    assert kinds(control, contact) == {company: [279]}


def test_only_one_company_is_primary(api, control, pair):
    """A second primary company demotes the first."""
    contact, first = pair
    (second,) = control.seed("companies", [{"name": "Y"}])
    for company in (first, second):
        body = {"inputs": [joined(contact, company, types=[PRIMARY])]}
        api.ok("POST", f"{BATCH}/create", body)
    assert kinds(control, contact) == {first: [279], second: [1, 279]}


def test_a_missing_record_is_one_error_of_the_batch(api, control, pair):
    """The other pairs are written; one pair alone is a 404."""
    contact, company = pair
    inputs = [joined(contact, company), joined("1", company)]
    response = api.call("POST", f"{BATCH}/associate/default", {"inputs": inputs})
    assert (response.status_code, response.json()["numErrors"]) == (207, 1)
    assert kinds(control, contact) == {company: [279]}
    path = f"/crm/v4/objects/contacts/{contact}/associations/default/companies/1"
    assert api.call("PUT", path).status_code == 404


@pytest.mark.parametrize(("choice", "status"), [("error", 207), ("omit", 200)])
def test_a_record_without_associations(api, control, pair, choice, status):
    """It is an error entry or nothing, as set."""
    control.settings(association_read_misses=choice)
    response = api.call("POST", f"{BATCH}/read", {"inputs": [{"id": pair[0]}]})
    assert response.status_code == status
    assert response.json()["results"] == []


def test_removing_takes_both_directions(api, control, pair):
    """After an archive neither side knows of the other."""
    contact, company = pair
    api.ok("POST", f"{BATCH}/associate/default", {"inputs": [joined(contact, company)]})
    body = {"inputs": [{"from": {"id": contact}, "to": [{"id": company}]}]}
    assert api.call("POST", f"{BATCH}/archive", body).status_code == 204
    path = f"/crm/v4/objects/companies/{company}/associations/contacts"
    assert api.ok("GET", path)["results"] == []


def test_a_record_can_be_created_associated(api, control, pair):
    """A create may name what the record belongs to; a read may ask for it."""
    company = pair[1]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    body = {"properties": {}, "associations": [{"to": {"id": company}, "types": types}]}
    contact = api.ok("POST", "/crm/v3/objects/contacts", body)["id"]
    asked = {"associations": "companies"}
    read = api.ok("GET", f"/crm/v3/objects/contacts/{contact}", params=asked)
    assert read["associations"] == {
        "companies": {"results": [{"id": company, "type": "contact_to_company"}]}
    }


def test_a_merge_moves_associations(api, control, pair):
    """The survivor has what the merged records had."""
    contact, company = pair
    api.ok("POST", f"{BATCH}/associate/default", {"inputs": [joined(contact, company)]})
    survivor = control.act(
        "merge", object_type="contacts", primary=api.contact("b@x.io"), other=contact
    )
    assert kinds(control, survivor) == {company: [279]}


@pytest.mark.parametrize(("call", "limit"), [("associate/default", 2000), ("read", 1000)])
def test_batches_have_their_own_caps(api, call, limit):
    """One input too many is a 400."""
    inputs = [{"id": "1", **joined("1", "1")}] * (limit + 1)
    assert api.call("POST", f"{BATCH}/{call}", {"inputs": inputs}).status_code == 400


def test_a_snapshot_holds_who_is_tied_to_whom(api, control, pair):
    """In both directions."""
    contact, company = pair
    api.ok("POST", f"{BATCH}/associate/default", {"inputs": [joined(contact, company)]})
    snapshot = control.snapshot()
    control.restore(snapshot)
    assert kinds(control, contact) == {company: [279]}
    back = control.act("associations", object_type="companies", id=company, to="contacts")
    assert back == {contact: [280]}
    assert control.snapshot() == snapshot
