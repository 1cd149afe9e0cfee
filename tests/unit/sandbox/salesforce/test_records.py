"""Records one at a time."""

from __future__ import annotations

import pytest


def test_a_record_is_created_read_changed_and_deleted(api):
    """201, 200, 204 and 204, as the REST guide has them."""
    created = api.call("POST", "sobjects/Contact", {"LastName": "Li", "FirstName": "Ann"})
    assert created.status_code == 201
    answer = created.json()
    assert answer == {"id": answer["id"], "success": True, "errors": []}
    read = api.read("Contact", answer["id"])
    assert read["attributes"] == {
        "type": "Contact",
        "url": f"/services/data/v59.0/sobjects/Contact/{answer['id']}",
    }
    assert (read["Name"], read["Email"], read["IsDeleted"]) == ("Ann Li", None, False)
    assert read["CreatedDate"].endswith(".000+0000")
    changed = api.call("PATCH", f"sobjects/Contact/{answer['id']}", {"FirstName": None})
    assert (changed.status_code, changed.content) == (204, b"")
    assert api.read("Contact", answer["id"])["Name"] == "Li"
    assert api.call("DELETE", f"sobjects/Contact/{answer['id']}").status_code == 204


def test_a_deleted_record_is_not_found_by_readers_and_deleted_for_writers(api):
    """A GET says NOT_FOUND, a write ENTITY_IS_DELETED, both under 404."""
    path = f"sobjects/Contact/{api.create('Contact', LastName='Li')}"
    api.ok("DELETE", path)
    assert api.refused("GET", path) == (404, "NOT_FOUND")
    assert api.refused("PATCH", path, {"Title": "x"}) == (404, "ENTITY_IS_DELETED")
    assert api.refused("DELETE", path) == (404, "ENTITY_IS_DELETED")


def test_ids_have_18_characters_and_are_found_by_15(api):
    """The short form names the same record."""
    record_id = api.create("Contact", LastName="Li")
    assert len(record_id) == 18
    assert api.read("Contact", record_id[:15])["Id"] == record_id
    wrong = record_id[:15] + "AAB"
    assert api.refused("PATCH", f"sobjects/Contact/{wrong}", {}) == (400, "MALFORMED_ID")


def test_a_read_can_name_its_fields(api):
    """Only those come, and an unknown one fails."""
    record_id = api.create("Contact", LastName="Li")
    asked = api.ok("GET", f"sobjects/Contact/{record_id}?fields=Id,email")
    assert set(asked) == {"attributes", "Id", "Email"}
    path = f"sobjects/Contact/{record_id}?fields=Nope"
    assert api.refused("GET", path) == (400, "INVALID_FIELD")


def test_an_upsert_creates_then_updates(api):
    """201 and then 200, both with a body; field names in any case."""
    path = "sobjects/Contact/Ext__c/p-1"
    first = api.call("PATCH", path, {"lastname": "Li"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    second = api.call("PATCH", path, {"LASTNAME": "Lo"})
    assert (second.status_code, second.json()["created"]) == (200, False)
    read = api.ok("GET", path)
    assert (read["LastName"], read["Ext__c"]) == ("Lo", "p-1")


def test_an_old_version_answers_an_update_with_nothing(api):
    """Before 46.0 an upsert that updated is a bare 204."""
    path = "/services/data/v45.0/sobjects/Contact/Ext__c/p-1"
    assert api.call("PATCH", path, {"LastName": "Li"}).status_code == 201
    again = api.call("PATCH", path, {"LastName": "Li"})
    assert (again.status_code, again.content) == (204, b"")


def test_keys_are_compared_without_case(api):
    """`abc` and `ABC` are one record."""
    api.ok("PATCH", "sobjects/Contact/Ext__c/abc", {"LastName": "Li"})
    assert api.call("PATCH", "sobjects/Contact/Ext__c/ABC", {}).status_code == 200


@pytest.mark.parametrize("key", ["a/b", "a.b", "ä ö", "50%", "a+b", "a?b#c"])
def test_keys_are_percent_encoded(api, key):
    """Whatever is in a key survives the path when it is encoded."""
    encoded = "".join(f"%{byte:02X}" for byte in key.encode())
    api.ok("PATCH", f"sobjects/Contact/Ext__c/{encoded}", {"LastName": "Li"})
    assert api.query("SELECT Ext__c FROM Contact")["records"][0]["Ext__c"] == key


def test_a_bare_slash_is_not_part_of_a_key(api):
    """A key with a slash that was not encoded is another path, where there is nothing."""
    path = "sobjects/Contact/Ext__c/a/b"
    assert api.refused("PATCH", path, {"LastName": "Li"}) == (404, "NOT_FOUND")


def test_update_only_never_creates(api):
    """404 while there is none, 200 once there is."""
    path = "sobjects/Contact/Ext__c/p-1"
    assert api.refused("PATCH", f"{path}?updateOnly=true", {"LastName": "Li"})[0] == 404
    api.ok("PATCH", path, {"LastName": "Li"})
    assert api.call("PATCH", f"{path}?updateOnly=true", {"LastName": "Lo"}).status_code == 200


def test_several_matches_are_a_300(api, sandbox):
    """A key that is not unique can match twice: nothing is written, the addresses come back."""
    sandbox.control.act("add_field", object_type="Contact", name="Loose__c", external_id=True)
    for name in ("Li", "Lo"):
        api.create("Contact", LastName=name, Loose__c="x")
    for method, body in (("PATCH", {"LastName": "Changed"}), ("GET", None)):
        response = api.call(method, "sobjects/Contact/Loose__c/X", body)
        assert response.status_code == 300
        assert [url.partition("/sobjects/")[0] for url in response.json()] == [
            "/services/data/v59.0"
        ] * 2
    rows = api.query("SELECT LastName FROM Contact ORDER BY LastName")["records"]
    assert [row["LastName"] for row in rows] == ["Li", "Lo"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("sobjects/Contact/Ext__c/p", {"Ext__c": "p", "LastName": "Li"}, "INVALID_FIELD"),
        ("sobjects/Contact/Ext__c/p", {"Id": "003", "LastName": "Li"}, "INVALID_FIELD"),
        ("sobjects/Contact/Email/a@x.io", {"LastName": "Li"}, "NOT_FOUND"),
        ("sobjects/Contact/Nope__c/p", {"LastName": "Li"}, "NOT_FOUND"),
        ("sobjects/Nope/Ext__c/p", {"LastName": "Li"}, "NOT_FOUND"),
    ],
)
def test_an_upsert_names_its_key_in_the_path_only(api, path, body, code):
    """Neither the key nor an id stands in the body, and the key is an external id."""
    assert api.refused("PATCH", path, body)[1] == code


def test_a_create_has_no_id(api):
    """An id in a create is refused."""
    body = {"Id": "0035e0000000001AAA", "LastName": "Li"}
    expected = (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert api.refused("POST", "sobjects/Contact", body) == expected


def test_a_parent_is_named_by_its_external_id(api):
    """The relationship takes the parent's key in place of its id; an unknown one fails."""
    account = api.create("Account", Name="X", AccExt__c="A-1")
    contact = api.create("Contact", LastName="Li", Account={"AccExt__c": "a-1"})
    assert api.read("Contact", contact)["AccountId"] == account
    response = api.call("POST", "sobjects/Contact", {"LastName": "L", "Account": {"AccExt__c": ""}})
    assert response.json()[0]["errorCode"] == "INVALID_FIELD"
    body = {"LastName": "L", "Account": {"AccExt__c": "A-2"}}
    assert api.call("POST", "sobjects/Contact", body).json()[0]["message"] == (
        "Foreign key external ID: A-2 not found for field AccExt__c in entity Account"
    )


@pytest.mark.parametrize(
    ("account_id", "code"),
    [
        ("0035e0000000001AAA", "MALFORMED_ID"),
        ("nonsense", "MALFORMED_ID"),
        ("0015e0000000009AAA", "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_references_are_checked(api, account_id, code):
    """An id of another type, no id, and an id nobody has are different errors."""
    body = {"LastName": "Li", "AccountId": account_id}
    assert api.refused("POST", "sobjects/Contact", body)[1] == code


def test_a_deleted_parent_is_refused(api):
    """By another code than one that never was."""
    account = api.create("Account", Name="X")
    api.ok("DELETE", f"sobjects/Account/{account}")
    body = {"LastName": "Li", "AccountId": account}
    assert api.refused("POST", "sobjects/Contact", body) == (404, "ENTITY_IS_DELETED")


def test_some_references_are_written_once(api):
    """A contact role stays with its opportunity."""
    contact = api.create("Contact", LastName="L")
    deal = api.create("Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-01")
    role = api.create("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    body = {"OpportunityId": deal}
    expected = (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert api.refused("PATCH", f"sobjects/OpportunityContactRole/{role}", body) == expected


def test_an_inactive_owner_is_refused(api):
    """Records are not given to users who are gone."""
    users = api.query("SELECT Id FROM User WHERE IsActive = false")["records"]
    body = {"LastName": "Li", "OwnerId": users[0]["Id"]}
    assert api.refused("POST", "sobjects/Contact", body) == (400, "INACTIVE_OWNER_OR_USER")


def test_deleting_an_account_deletes_its_children(api):
    """Contacts and opportunities go with it."""
    account = api.create("Account", Name="X")
    contact = api.create("Contact", LastName="Li", AccountId=account)
    api.ok("DELETE", f"sobjects/Account/{account}")
    assert api.refused("GET", f"sobjects/Contact/{contact}")[0] == 404


def test_an_opportunity_follows_its_stage(api):
    """Probability, closedness and the date of the change come from the stage."""
    opportunity = api.create(
        "Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-01"
    )
    api.ok("PATCH", f"sobjects/Opportunity/{opportunity}", {"StageName": "Closed Won"})
    read = api.read("Opportunity", opportunity)
    assert (read["IsClosed"], read["IsWon"], read["Probability"]) == (True, True, 100)
    assert read["LastStageChangeDate"].endswith("+0000")


def test_an_address_is_shown_whole_and_written_in_parts(api):
    """The compound is read-only and null while every part is."""
    contact = api.create("Contact", LastName="Li")
    assert api.read("Contact", contact)["MailingAddress"] is None
    api.ok("PATCH", f"sobjects/Contact/{contact}", {"MailingCity": "Ulm"})
    assert api.read("Contact", contact)["MailingAddress"]["city"] == "Ulm"
    body = {"MailingAddress": {"city": "Bonn"}}
    path = f"sobjects/Contact/{contact}"
    assert api.refused("PATCH", path, body)[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_some_objects_are_only_read(api):
    """Users and stages are not made through these calls."""
    expected = (400, "INVALID_TYPE_FOR_OPERATION")
    assert api.refused("POST", "sobjects/OpportunityStage", {"MasterLabel": "x"}) == expected


def test_what_is_not_json_is_refused(api):
    """A body that cannot be read is a JSON_PARSER_ERROR."""
    for body in (b"{", b"", b"[]"):
        response = api.call("POST", "sobjects/Contact", data=body)
        assert response.status_code == 400
        assert response.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
