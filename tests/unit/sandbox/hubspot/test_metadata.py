"""Properties, owners and pipelines: what a connector learns about a portal."""

from __future__ import annotations

import pytest

CONTACTS = "/crm/v3/properties/contacts"
NEW = {
    "name": "plan",
    "label": "Plan",
    "type": "enumeration",
    "fieldType": "select",
    "groupName": "contactinformation",
    "options": [{"label": "Pro", "value": "pro", "hidden": False}],
}


def test_definitions_tell_what_may_be_written(api):
    """Read-only and calculated properties, options and references are marked."""
    listed = {one["name"]: one for one in api.ok("GET", CONTACTS)["results"]}
    assert listed["createdate"]["modificationMetadata"]["readOnlyValue"] is True
    assert listed["firstname"]["modificationMetadata"]["readOnlyValue"] is False
    assert listed["hs_email_domain"]["calculated"] is True
    assert listed["lifecyclestage"]["options"][0]["value"] == "subscriber"
    assert listed["hubspot_owner_id"]["referencedObjectType"] == "OWNER"


def test_a_new_property_takes_values_at_once(api):
    """Its options are enforced; after archiving, writes naming it fail."""
    api.ok("POST", CONTACTS, NEW)
    api.contact("a@x.io", plan="pro")
    wrong = {"properties": {"email": "b@x.io", "plan": "free"}}
    assert api.call("POST", "/crm/v3/objects/contacts", wrong).status_code == 400
    assert api.call("DELETE", f"{CONTACTS}/plan").status_code == 204
    gone = {"properties": {"email": "b@x.io", "plan": "pro"}}
    assert api.call("POST", "/crm/v3/objects/contacts", gone).status_code == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "email"}, 409),
        ({"name": "Plan"}, 400),
        ({"groupName": "nope"}, 400),
        ({"type": "money"}, 400),
        ({"hasUniqueValue": True}, 400),
        ({"label": None}, 400),
    ],
)
def test_a_wrong_definition_is_refused(api, change, status):
    """Each mistake has its status."""
    assert api.call("POST", CONTACTS, {**NEW, **change}).status_code == status


def test_ten_unique_properties_are_the_most(api):
    """The eleventh is a 400."""
    unique = {**NEW, "type": "string", "fieldType": "text", "options": [], "hasUniqueValue": True}
    statuses = [
        api.call("POST", CONTACTS, {**unique, "name": f"key{n}"}).status_code for n in range(11)
    ]
    assert statuses == [201] * 10 + [400]


def test_hubspots_own_properties_stay(api):
    """They cannot be archived through the API."""
    assert api.call("DELETE", f"{CONTACTS}/email").status_code == 400


def test_deactivated_owners_are_listed_apart(api):
    """They appear with `archived=true` only, without a user id."""
    active = api.ok("GET", "/crm/v3/owners")["results"]
    (gone,) = api.ok("GET", "/crm/v3/owners/", params={"archived": "true"})["results"]
    assert gone["id"] not in {owner["id"] for owner in active}
    assert (gone["userId"], gone["userIdIncludingInactive"]) == (None, 9586507)
    by_user = api.ok(
        "GET", f"/crm/v3/owners/{active[0]['userId']}", params={"idProperty": "userId"}
    )
    assert by_user["id"] == active[0]["id"]


def test_owners_are_paged(api):
    """Pages join without gap; more than 500 is too many."""
    first = api.ok("GET", "/crm/v3/owners/", params={"limit": 2})
    after = first["paging"]["next"]["after"]
    second = api.ok("GET", "/crm/v3/owners/", params={"limit": 2, "after": after})
    assert len({owner["id"] for owner in first["results"] + second["results"]}) == 3
    assert api.call("GET", "/crm/v3/owners/", params={"limit": 501}).status_code == 400


def test_a_stage_in_use_cannot_be_deleted(api, control):
    """The 400 has a subcategory; ids stay when labels change."""
    control.seed("deals", [{"dealname": "D", "dealstage": "contractsent"}])
    path = "/crm/v3/pipelines/deals/default/stages"
    response = api.call("DELETE", f"{path}/contractsent")
    assert response.json()["subCategory"] == "PipelineError.STAGE_ID_IN_USE"
    assert api.call("DELETE", f"{path}/qualifiedtobuy").status_code == 204
    control.act("rename_stage", id="contractsent", label="Sent")
    stages = {stage["id"]: stage["label"] for stage in api.ok("GET", path)["results"]}
    assert stages["contractsent"] == "Sent"
    assert "qualifiedtobuy" not in stages


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda control: control.act("explode"), "there are: merge"),
        (lambda control: control.act("merge", object_type="contacts"), "missing"),
        (lambda control: control.record("contacts", "1"), "no contacts with id 1"),
        (lambda control: control.records("widgets"), "widgets"),
        (lambda control: control.edit("contacts", "1", email="x"), "no live record"),
        (lambda control: control.seed("contacts", [{"nope": "1"}]), "nope"),
        (lambda control: control.advance(-1), "cannot go back"),
    ],
)
def test_a_wrong_control_is_explained(control, call, words):
    """The control API says what it could not do."""
    with pytest.raises(Exception, match=words):
        call(control)
