"""Records one at a time."""

from __future__ import annotations

import pytest

CONTACTS = "/crm/v3/objects/contacts"
COMPANIES = "/crm/v3/objects/companies"


def test_reads_give_default_properties_as_strings_or_null(api):
    """Without `properties` the default ones come back, never set ones as null."""
    contact = api.contact("Ann@X.io")
    record = api.ok("GET", f"{CONTACTS}/{contact}")
    properties = record["properties"]
    assert set(properties) == {
        "createdate",
        "email",
        "firstname",
        "lastname",
        "lastmodifieddate",
        "hs_object_id",
    }
    assert (properties["email"], properties["firstname"]) == ("ann@x.io", None)
    assert (record["id"], record["archived"]) == (contact, False)


def test_a_cleared_property_reads_back_empty(api):
    """A value cleared with an empty string is "", one never set is null."""
    contact = api.contact("a@x.io", firstname="Ann")
    api.ok("PATCH", f"{CONTACTS}/{contact}", {"properties": {"firstname": ""}})
    asked = {"properties": "firstname,lastname,nonsense"}
    properties = api.ok("GET", f"{CONTACTS}/{contact}", params=asked)["properties"]
    assert (properties["firstname"], properties["lastname"]) == ("", None)
    assert "nonsense" not in properties


@pytest.mark.parametrize("address", ["a@x.io", "A@X.IO", "b@x.io"])
def test_an_address_belongs_to_one_contact(api, address):
    """A second contact with the address, also a secondary one, is a 409 naming the first."""
    contact = api.contact("a@x.io", hs_additional_emails="b@x.io")
    response = api.call("POST", CONTACTS, {"properties": {"email": address}})
    assert response.status_code == 409
    assert response.json()["category"] == "CONFLICT"
    assert response.json()["message"] == f"Contact already exists. Existing ID: {contact}"


def test_wrong_values_are_all_named(api):
    """One 400 names every wrong property, hidden in the message and in the details."""
    wrong = {"email": "no", "nope": "1", "lifecyclestage": "Lead", "createdate": "2026-01-01"}
    response = api.call("POST", CONTACTS, {"properties": wrong})
    body = response.json()
    assert response.status_code == 400
    assert body["message"].startswith('Property values were not valid: [{"isValid":false')
    assert {error["code"] for error in body["errors"]} == {
        "INVALID_EMAIL",
        "PROPERTY_DOESNT_EXIST",
        "INVALID_OPTION",
        "READ_ONLY_VALUE",
    }


def test_an_empty_update_is_refused(api):
    """A PATCH without properties is a 400."""
    contact = api.contact("a@x.io")
    response = api.call("PATCH", f"{CONTACTS}/{contact}", {"properties": {}})
    assert response.status_code == 400
    assert "No properties found to update" in response.json()["message"]


def test_multiple_options_replace_or_append(api):
    """A leading semicolon appends to what is there; otherwise the value replaces it."""
    contact = api.contact("a@x.io", hs_buying_role="CHAMPION;BLOCKER")
    path, shown = f"{CONTACTS}/{contact}", {"properties": "hs_buying_role"}
    api.ok("PATCH", path, {"properties": {"hs_buying_role": ";END_USER"}})
    assert (
        api.ok("GET", path, params=shown)["properties"]["hs_buying_role"]
        == "CHAMPION;BLOCKER;END_USER"
    )
    api.ok("PATCH", path, {"properties": {"hs_buying_role": "OTHER"}})
    assert api.ok("GET", path, params=shown)["properties"]["hs_buying_role"] == "OTHER"


@pytest.mark.parametrize(("choice", "status"), [("ignore", 200), ("error", 400)])
def test_the_lifecycle_only_moves_forward(api, control, choice, status):
    """A backward move is dropped or refused, as set; after clearing anything goes."""
    control.settings(lifecycle_backward=choice)
    contact = api.contact("a@x.io", lifecyclestage="customer")
    path = f"{CONTACTS}/{contact}"
    back = {"properties": {"lifecyclestage": "lead"}}
    assert api.call("PATCH", path, back).status_code == status
    assert control.record("contacts", contact)["properties"]["lifecyclestage"] == "customer"
    api.ok("PATCH", path, {"properties": {"lifecyclestage": ""}})
    api.ok("PATCH", path, back)
    assert control.record("contacts", contact)["properties"]["lifecyclestage"] == "lead"


def test_creating_a_company_copies_its_domain(api):
    """The website of a new company is its domain."""
    made = api.ok("POST", COMPANIES, {"properties": {"domain": "x.io"}})
    assert made["properties"]["website"] == "x.io"


def test_two_companies_may_share_a_domain(api):
    """The domain is not unique for the API."""
    ids = {api.ok("POST", COMPANIES, {"properties": {"domain": "x.io"}})["id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_stage_must_belong_to_its_pipeline(api):
    """A label, or a stage of another pipeline, is an invalid option."""
    for stage in ("Closed Won", "107000002"):
        properties = {"dealname": "d", "pipeline": "default", "dealstage": stage}
        response = api.call("POST", "/crm/v3/objects/deals", {"properties": properties})
        assert response.status_code == 400
        assert response.json()["errors"][0]["code"] == "INVALID_OPTION"


def test_a_deal_knows_whether_it_is_won(api):
    """Closing is computed from the stage."""
    made = api.ok(
        "POST", "/crm/v3/objects/deals", {"properties": {"dealname": "d", "dealstage": "closedwon"}}
    )
    assert made["properties"]["hs_is_closed_won"] == "true"


def test_records_are_given_to_owner_ids_only(api, control):
    """A user id, and the id of an owner who left, are refused."""
    owner = api.ok("GET", "/crm/v3/owners/")["results"][0]
    api.contact("a@x.io", hubspot_owner_id=owner["id"])
    for wrong in (str(owner["userId"]), "41629782", "nobody"):
        body = {"properties": {"email": "b@x.io", "hubspot_owner_id": wrong}}
        assert api.call("POST", CONTACTS, body).status_code == 400
    control.act("deactivate_owner", id=owner["id"])
    body = {"properties": {"email": "b@x.io", "hubspot_owner_id": owner["id"]}}
    assert api.call("POST", CONTACTS, body).status_code == 400


def test_a_new_contact_is_touched_once_more_by_itself(api, control):
    """Seconds after a create the modification time moves; after an update it does not."""
    contact = api.contact("a@x.io")
    path = f"{CONTACTS}/{contact}"
    first = api.ok("GET", path)["updatedAt"]
    control.advance(5)
    second = api.ok("GET", path)
    assert second["updatedAt"] > first
    assert second["properties"]["lastmodifieddate"] == second["updatedAt"]
    updated = api.ok("PATCH", path, {"properties": {"firstname": "A"}})["updatedAt"]
    control.advance(5)
    assert api.ok("GET", path)["updatedAt"] == updated


@pytest.mark.parametrize("name", ["contacts", "0-1", "CONTACT", "contact"])
def test_a_type_has_several_names(api, name):
    """Plural, singular, upper case and id are the same type; others are none."""
    contact = api.contact("a@x.io")
    assert api.ok("GET", f"/crm/v3/objects/{name}/{contact}")["id"] == contact
    assert api.ok("GET", f"/crm/objects/2026-09/{name}/{contact}")["id"] == contact


def test_an_unknown_type_cannot_be_inferred(api):
    """The text of the 400 names it."""
    response = api.call("GET", "/crm/v3/objects/widgets")
    assert response.status_code == 400
    assert response.json()["message"] == "Unable to infer object type from: widgets"
    assert response.json()["correlationId"] == response.headers["X-HubSpot-Correlation-Id"]


def test_malformed_json_is_placed(api):
    """The 400 says in which line and column, and has no category."""
    response = api.session.post(f"{api.url}{CONTACTS}", data=b'{\n "properties": x}', timeout=10)
    assert response.status_code == 400
    assert "Invalid input JSON on line 2, column" in response.json()["message"]
    assert "category" not in response.json()


def test_lists_are_paged_in_order_of_ids(api, control):
    """Each page tells where the next begins; the last does not."""
    ids = control.seed("contacts", [{"email": f"{n}@x.io"} for n in range(5)])
    first = api.ok("GET", CONTACTS, params={"limit": 3})
    second = api.ok("GET", CONTACTS, params={"limit": 3, "after": first["paging"]["next"]["after"]})
    assert [record["id"] for record in first["results"] + second["results"]] == ids
    assert "paging" not in second
    assert api.call("GET", CONTACTS, params={"limit": 101}).status_code == 400


def test_an_archived_record_is_found_for_ninety_days(api, control):
    """It is a 404 unless archived ones are asked for, and gone when its time is up."""
    contact = api.contact("a@x.io")
    path = f"{CONTACTS}/{contact}"
    assert api.call("DELETE", path).status_code == 204
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).status_code == 404
    archived = {"archived": "true"}
    assert api.ok("GET", path, params=archived)["archived"] is True
    assert len(api.ok("GET", CONTACTS, params=archived)["results"]) == 1
    assert api.contact("a@x.io") != contact
    control.advance(91 * 86_400)
    assert api.call("GET", path, params=archived).status_code == 404


def test_a_record_can_be_restored_while_its_values_are_free(api, control):
    """Restoring fails when another contact has taken the address."""
    contact = api.contact("a@x.io")
    api.call("DELETE", f"{CONTACTS}/{contact}")
    control.act("restore", object_type="contacts", id=contact)
    assert api.ok("GET", f"{CONTACTS}/{contact}")["archived"] is False
    api.call("DELETE", f"{CONTACTS}/{contact}")
    api.contact("a@x.io")
    with pytest.raises(Exception, match="already exists"):
        control.act("restore", object_type="contacts", id=contact)


def test_a_merge_makes_a_third_record(api, control):
    """Old ids work one at a time, answer with the new id, and fail in batch updates."""
    first, second = api.contact("a@x.io", firstname="A"), api.contact("b@x.io", lastname="B")
    body = {"primaryObjectId": first, "objectIdToMerge": second}
    survivor = api.ok("POST", f"{CONTACTS}/merge", body)["id"]
    assert survivor not in (first, second)
    asked = {"properties": "firstname,lastname,email,hs_additional_emails,hs_merged_object_ids"}
    assert api.ok("GET", f"{CONTACTS}/{second}")["id"] == survivor
    read = api.ok("GET", f"{CONTACTS}/{first}", params=asked)
    assert read["id"] == survivor
    assert (
        read["properties"]
        | {
            "firstname": "A",
            "lastname": "B",
            "email": "a@x.io",
            "hs_additional_emails": "b@x.io",
            "hs_merged_object_ids": f"{first};{second}",
        }
        == read["properties"]
    )
    api.ok("PATCH", f"{CONTACTS}/{first}", {"properties": {"jobtitle": "CTO"}})
    update = {"inputs": [{"id": first, "properties": {"jobtitle": "CEO"}}]}
    assert api.call("POST", f"{CONTACTS}/batch/update", update).status_code == 400
    merged = {entry["id"]: entry["merged_into"] for entry in control.records("contacts")}
    assert merged == {first: survivor, second: survivor, survivor: None}


def test_a_merge_can_keep_the_primary_id(api, control):
    """With the beta switched on, the survivor is the primary record."""
    control.settings(merge_keeps_primary_id=True)
    first, second = api.contact("a@x.io"), api.contact("b@x.io")
    body = {"primaryObjectId": first, "objectIdToMerge": second}
    assert api.ok("POST", f"{CONTACTS}/merge", body)["id"] == first
    assert api.ok("GET", f"{CONTACTS}/{second}")["id"] == first


def test_an_erased_address_never_comes_back(api):
    """After a GDPR delete nobody can be created with the address."""
    contact = api.contact("a@x.io")
    body = {"objectId": "A@x.io", "idProperty": "email"}
    assert api.call("POST", f"{CONTACTS}/gdpr-delete", body).status_code == 204
    assert api.call("GET", f"{CONTACTS}/{contact}").status_code == 404
    again = {"properties": {"email": "a@x.io"}}
    assert api.call("POST", CONTACTS, again).status_code == 400


def test_history_lists_changes_newest_first(api, control):
    """Each change has its source; a write of the same value is none."""
    contact = api.contact("a@x.io", firstname="A")
    path = f"{CONTACTS}/{contact}"
    api.ok("PATCH", path, {"properties": {"firstname": "A"}})
    control.edit("contacts", contact, firstname="B")
    read = api.ok("GET", path, params={"propertiesWithHistory": "firstname"})
    entries = read["propertiesWithHistory"]["firstname"]
    assert [(entry["value"], entry["sourceType"]) for entry in entries] == [
        ("B", "CRM_UI"),
        ("A", "INTEGRATION"),
    ]


def test_a_touch_moves_the_time_and_nothing_else(api, control):
    """Internal updates bump the modification time of an otherwise unchanged record."""
    control.settings(settling_seconds=0)
    contact = api.contact("a@x.io")
    control.advance(1)
    before = control.record("contacts", contact)
    control.act("touch", object_type="contacts", id=contact)
    after = control.record("contacts", contact)
    assert after["modified_at"] > before["modified_at"]
    assert after["properties"]["email"] == before["properties"]["email"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CONTACTS, []),
        (CONTACTS, {"properties": []}),
        (CONTACTS, {"properties": {"email": {"x": 1}}}),
        (CONTACTS, {"properties": {}, "associations": ["x"]}),
        (f"{CONTACTS}/batch/read", {"inputs": "x"}),
        (f"{CONTACTS}/batch/read", {"inputs": ["x"]}),
        (f"{CONTACTS}/batch/read", {"inputs": [{"id": []}]}),
        (f"{CONTACTS}/batch/update", {"inputs": [{"id": "1", "properties": None}]}),
        (f"{CONTACTS}/merge", {"primaryObjectId": "1"}),
        ("/crm/v4/associations/contacts/companies/batch/create", {"inputs": [{"from": "x"}]}),
        ("/crm/v4/associations/contacts/companies/batch/read", {}),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused(api, path, body):
    """It is a 400, and the connection goes on."""
    assert api.call("POST", path, body).status_code == 400
    assert api.call("GET", CONTACTS).status_code == 200
