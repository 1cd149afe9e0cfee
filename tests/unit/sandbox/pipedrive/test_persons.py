"""Persons and organizations, one at a time: what is kept, and what is refused as a whole."""

from __future__ import annotations

import pytest
import requests

ADA, DAN = 18_270_001, 18_270_004


def test_a_create_answers_200_with_everything(api):
    """The answer has what was sent, what was made of it, and all custom fields."""
    tier = api.field("Tier")["field_code"]
    organization = api.ok("POST", "organizations", {"name": "X"})["id"]
    body = {
        "name": "Ann van Lee",
        "org_id": organization,
        "emails": [{"value": "ann@x.io"}, {"value": "a@x.io", "label": "home"}],
        "phones": [{"value": "+44123", "primary": True, "label": "mobile"}],
    }
    person = api.ok("POST", "persons", body)
    assert person["id"] == 1
    assert (person["first_name"], person["last_name"]) == ("Ann", "van Lee")
    assert person["emails"] == [
        {"value": "ann@x.io", "primary": True, "label": "work"},
        {"value": "a@x.io", "primary": False, "label": "home"},
    ]
    assert (person["org_id"], person["owner_id"]) == (organization, ADA)
    assert person["add_time"] == person["update_time"]
    assert person["update_time"].endswith("Z")
    assert "." not in person["update_time"]
    assert person["is_deleted"] is False
    assert person["custom_fields"] == {tier: None}
    assert "job_title" not in person


def test_nothing_is_unique(api, control):
    """The same create twice makes two persons."""
    body = {"name": "Ann", "emails": [{"value": "ann@x.io"}]}
    first, second = api.ok("POST", "persons", body)["id"], api.ok("POST", "persons", body)["id"]
    assert first != second
    assert control.about()["objects"]["persons"] == 2


def test_a_lost_answer_makes_a_duplicate(api, control):
    """A create that timed out and was applied, sent again, is there twice."""
    control.fault("drop", when="after", method="POST", path="*/persons", times=1)
    with pytest.raises(requests.ConnectionError):
        api.person()
    api.person()
    assert [record["properties"]["name"] for record in control.records("persons")] == [
        "Ann Lee"
    ] * 2


def test_a_patch_changes_what_it_names(api, control):
    """The rest stays; the modification time moves."""
    person = api.ok("POST", "persons", {"name": "Ann Lee", "phones": [{"value": "1"}]})
    control.advance(5)
    after = api.ok("PATCH", f"persons/{person['id']}", {"name": "Ann"})
    assert (after["first_name"], after["last_name"]) == ("Ann", None)
    assert after["phones"] == person["phones"]
    assert after["add_time"] == person["add_time"]
    assert after["update_time"] > person["update_time"]


def test_a_patch_of_emails_replaces_them_all(api, control):
    """Who sends one address wipes the others, unless the sandbox is set otherwise."""
    emails = [{"value": "a@x.io"}, {"value": "b@x.io"}]
    person = api.person(emails=emails)
    after = api.ok("PATCH", f"persons/{person}", {"emails": [{"value": "c@x.io"}]})
    assert [one["value"] for one in after["emails"]] == ["c@x.io"]
    control.settings(emails_patch="add")
    after = api.ok("PATCH", f"persons/{person}", {"emails": [{"value": "d@x.io"}]})
    assert [(one["value"], one["primary"]) for one in after["emails"]] == [
        ("d@x.io", True),
        ("c@x.io", False),
    ]
    assert api.ok("GET", f"persons/{person}") == after


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "name: Parameter 'name' is required"),
        ({"name": ""}, "name: Expected a value that is not empty"),
        ({"name": 5}, "name: Expected 'string' as value"),
        ({"name": "x" * 256}, "name: Expected at most 255 characters"),
        ({"name": "A", "owner_id": "18"}, "owner_id: Expected 'integer' as value"),
        ({"name": "A", "owner_id": 18.0}, "owner_id: Expected 'integer' as value"),
        ({"name": "A", "owner_id": True}, "owner_id: Expected 'integer' as value"),
        ({"name": "A", "owner_id": None}, "owner_id: Expected 'integer' as value"),
        ({"name": "A", "owner_id": 5}, "owner_id: User with id 5 was not found"),
        ({"name": "A", "owner_id": DAN}, "owner_id: User with id 18270004 was not found"),
        ({"name": "A", "org_id": 77}, "org_id: Organization with id 77 was not found"),
        ({"name": "A", "visible_to": 2}, "visible_to: Expected one of 1, 3, 5, 7"),
        ({"name": "A", "label_ids": ["2"]}, "label_ids: Expected 'integer' as value"),
        ({"name": "A", "emails": "a@x.io"}, "emails: Expected 'array' as value"),
        ({"name": "A", "emails": ["a@x.io"]}, "emails: Expected 'object' as value"),
        ({"name": "A", "emails": [{}]}, "emails: Parameter 'value' is required"),
        ({"name": "A", "emails": [{"value": "a", "x": 1}]}, "emails: Parameter 'x' is not allowed"),
        (
            {"name": "A", "emails": [{"value": "a", "primary": 1}]},
            "emails: Expected 'boolean' as value",
        ),
        (
            {
                "name": "A",
                "phones": [{"value": "1", "primary": True}, {"value": "2", "primary": True}],
            },
            "phones: Expected at most one item to be primary",
        ),
        ({"name": "A", "email": "a@x.io"}, "email: Parameter 'email' is not allowed"),
        ({"name": "A", "first_name": "A"}, "first_name: Parameter 'first_name' is not allowed"),
        ({"name": "A", "a" * 40: 1}, f"Parameter '{'a' * 40}' is not allowed for this request"),
        ({"name": "A", "custom_fields": []}, "custom_fields: Expected 'object' as value"),
        ({"name": "A", "custom_fields": {"b" * 40: 1}}, f"Parameter 'custom_fields.{'b' * 40}'"),
        ({"name": "A", "add_time": "2026-01-01T00:00:00.5Z"}, "add_time: Expected a time"),
        ([], "body: Expected 'object' as value"),
    ],
)
def test_a_person_is_refused(api, control, body, words):
    """Anything wrong is a 400 that names it, and nothing is created."""
    assert words in api.refused("POST", "persons", body)
    assert control.about()["objects"]["persons"] == 0


def test_all_offenders_are_named(api):
    """A refusal joins what is wrong with semicolons."""
    words = api.refused("POST", "persons", {"x": 1, "owner_id": "1", "custom_fields": {"y": 1}})
    assert words == (
        "Validation failed: x: Parameter 'x' is not allowed for this request; "
        "owner_id: Expected 'integer' as value; name: Parameter 'name' is required; "
        "custom_fields.y: Parameter 'custom_fields.y' is not allowed for this request"
    )


def test_a_refused_patch_changes_nothing(api, control):
    """One wrong value refuses the right ones too."""
    person = api.person()
    api.refused("PATCH", f"persons/{person}", {"name": "Bob", "owner_id": "1"})
    api.refused("PATCH", f"persons/{person}", {"name": "Bob", "add_time": "2026-01-01T00:00:00Z"})
    api.refused("PATCH", f"persons/{person}", {})
    record = control.record("persons", str(person))
    assert (record["properties"]["name"], record["writes"]) == ("Ann Lee", 1)


def test_contact_sync_fields_need_contact_sync(api, control):
    """Without it they are a 403; with it they are kept and shown."""
    body = {"name": "A", "job_title": "CTO"}
    response = api.call("POST", "persons", body)
    assert response.status_code == 403
    assert "job_title" in response.json()["error"]
    control.settings(contact_sync=True)
    person = api.ok("POST", "persons", body)
    assert (person["job_title"], person["birthday"], person["im"]) == ("CTO", None, [])


def test_a_deactivated_owner_may_be_assignable(api, control):
    """The choice has a switch; what was theirs stays theirs."""
    person = api.person(owner_id=ADA + 1)
    control.act("deactivate_user", id=ADA + 1)
    assert api.ok("GET", f"persons/{person}")["owner_id"] == ADA + 1
    assert "owner_id" in api.refused("PATCH", f"persons/{person}", {"owner_id": ADA + 1})
    control.settings(deactivated_owner_assignable=True)
    api.ok("PATCH", f"persons/{person}", {"owner_id": DAN})


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"", 400),
    ],
)
def test_a_body_is_json_and_says_so(api, headers, data, status):
    """Another media type is a 415, broken JSON a 400."""
    assert api.call("POST", "persons", data=data, headers=headers).status_code == status


def test_an_address_is_written_whole(api):
    """A PATCH of an address needs its value, and the parts left out become null."""
    address = {"value": "1 Main St", "country": "UK", "postal_code": "N1"}
    made = api.ok("POST", "organizations", {"name": "X", "address": address})
    assert made["address"]["country"] == "UK"
    path = f"organizations/{made['id']}"
    assert "'value' is required" in api.refused("PATCH", path, {"address": {"country": "UK"}})
    after = api.ok("PATCH", path, {"address": {"value": "2 Main St"}})
    assert (after["address"]["value"], after["address"]["country"]) == ("2 Main St", None)
    assert api.ok("PATCH", path, {"address": None})["address"] is None


@pytest.mark.parametrize(
    "body",
    [{"annual_revenue": "5"}, {"website": 5}, {"emails": []}, {"industry": 1.5}],
)
def test_an_organization_is_refused(api, body):
    """Organizations have keys of their own, checked as strictly."""
    api.refused("POST", "organizations", {"name": "X", **body})


def test_a_deletion_is_soft_for_thirty_days(api, control):
    """A deleted person says so when read by id, cannot be written, and is gone a month later."""
    person = api.person()
    control.advance(10)
    assert api.ok("DELETE", f"persons/{person}") == {"id": person}
    read = api.ok("GET", f"persons/{person}")
    assert read["is_deleted"] is True
    assert read["update_time"] > read["add_time"]
    assert api.call("PATCH", f"persons/{person}", {"name": "B"}).status_code == 404
    assert api.call("DELETE", f"persons/{person}").status_code == 404
    assert api.ok("GET", "persons") == []
    assert control.record("persons", str(person))["archived_at"] == read["update_time"]
    control.advance(30 * 86_400)
    response = api.call("GET", f"persons/{person}")
    assert (response.status_code, response.json()["success"]) == (404, False)


def test_a_deleted_record_may_be_missing(api, control):
    """The other reading has a switch."""
    control.settings(deleted_reads="missing")
    person = api.person()
    api.ok("DELETE", f"persons/{person}")
    assert api.call("GET", f"persons/{person}").status_code == 404


def test_an_id_is_a_number(api):
    """Anything else in its place is a validation error."""
    assert "id: Expected 'integer'" in api.refused("GET", "persons/ann")
    assert api.call("GET", "persons/99").status_code == 404
