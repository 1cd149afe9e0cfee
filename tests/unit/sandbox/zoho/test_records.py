"""Inserting, updating, deleting and reading records."""

from __future__ import annotations

import pytest

FIELDS = "Last_Name,Email,Owner,Account_Name,Nope"


def numbers(response):
    """The first names in a list, which the tests number."""
    return [int(record["First_Name"]) for record in response.json()["data"]]


@pytest.fixture
def five(api, control):
    """Five contacts, made a minute apart; returns their ids, oldest first."""
    ids = []
    for number in range(5):
        ids.append(api.contact(First_Name=str(number)))
        control.advance(60)
    return ids


def test_an_insert_sent_again_makes_another(api, control):
    """There is nothing to recognise it by; the status is 201."""
    body = {"data": [{"Last_Name": "Li", "Email": "li@x.io"}]}
    assert [api.call("POST", "/Contacts", body).status_code for _ in range(2)] == [201, 201]
    assert control.about()["objects"]["Contacts"] == 2


def test_an_insert_of_a_taken_unique_value_is_refused(api, ext_id):
    """Upper and lower case are the same value, unless the field says otherwise."""
    row = {"Last_Name": "Li", ext_id: "p-1"}
    first, second = (api.call("POST", "/Contacts", {"data": [row]}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 400)
    assert second.json()["data"][0]["code"] == "DUPLICATE_DATA"
    refused = api.write("POST", "/Contacts", {**row, ext_id: "P-1"})[0]
    assert refused["code"] == "DUPLICATE_DATA"


def test_what_has_no_id_or_no_record_is_refused(api, five):
    """By its place in the path."""
    refused = api.call("PUT", "/Contacts/abc", {"data": [{"Title": "x"}]}).json()
    assert (refused["code"], refused["details"]) == ("INVALID_DATA", {"resource_path_index": 1})
    assert api.get("/Contacts/1/Deals", fields="Deal_Name").status_code == 400
    many = ",".join(map(str, range(101)))
    assert api.call("DELETE", f"/Contacts?ids={many}").json()["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("row", "code", "api_name"),
    [
        ({"Last_Name": "X"}, "MANDATORY_NOT_FOUND", "id"),
        ({"id": "1", "Last_Name": "X"}, "INVALID_DATA", "id"),
    ],
)
def test_an_update_needs_the_id_of_a_record(api, row, code, api_name):
    """Each failure stands at the place of its record."""
    good = {"id": api.contact(), "Last_Name": "New"}
    first, second = api.write("PUT", "/Contacts", good, row)
    assert first["message"] == "record updated"
    assert (second["code"], second["details"]["api_name"]) == (code, api_name)
    assert second["details"]["json_path"] == "$.data[1].id"


def test_records_are_deleted_into_the_recycle_bin(api, control, five):
    """They can no longer be read; what was not there is told."""
    response = api.call("DELETE", f"/Contacts?ids={five[0]},1")
    assert response.status_code == 207
    good, bad = response.json()["data"]
    assert (good["code"], good["message"]) == ("SUCCESS", "record deleted")
    assert (bad["code"], bad["message"]) == ("INVALID_DATA", "record not deleted")
    assert api.call("DELETE", f"/Contacts/{five[1]}").status_code == 200
    assert control.record("Contacts", five[0])["archived_at"] is not None
    assert numbers(api.get("/Contacts", fields="First_Name")) == [4, 3, 2]
    assert api.call("DELETE", "/Contacts").json()["code"] == "REQUIRED_PARAM_MISSING"


def test_a_deleted_record_frees_its_unique_value(api, ext_id):
    """The next upsert makes a new record."""
    row = {"Last_Name": "Li", ext_id: "p-1"}
    (made,) = api.upsert("Contacts", row)
    api.call("DELETE", f"/Contacts/{made['details']['id']}")
    assert api.upsert("Contacts", row)[0]["action"] == "insert"


def test_one_record_is_read_whole(api):
    """Without `fields` it has them all, and its states."""
    record_id = api.contact(Account_Name={"name": "Acme"})
    (record,) = api.get(f"/Contacts/{record_id}").json()["data"]
    assert record["id"] == record_id
    assert record["Account_Name"]["name"] == "Acme"
    assert set(record["Owner"]) == {"name", "id", "email"}
    assert record["Email"] is None
    assert (record["$approval_state"], record["$locked_for_me"]) == ("approved", False)
    assert record["Modified_Time"].endswith("+05:30")


def test_an_unknown_record_is_nothing_or_an_error(api, control):
    """204 without a body; or 400, as some paths have it, and always for what is no id."""
    response = api.get("/Contacts/554023000000999999")
    assert (response.status_code, response.content) == (204, b"")
    assert api.get("/Contacts/abc").json()["code"] == "INVALID_DATA"
    control.settings(unknown_id="400")
    assert api.get("/Contacts/554023000000999999").status_code == 400


def test_a_list_shows_what_is_asked_for(api):
    """Newest first; what is empty is null, what does not exist is left out."""
    record_id = api.contact()
    body = api.get("/Contacts", fields=FIELDS).json()
    (record,) = body["data"]
    assert set(record) == {"id", "Last_Name", "Email", "Owner", "Account_Name"}
    assert (record["id"], record["Email"]) == (record_id, None)
    assert body["info"] == {
        "per_page": 200,
        "count": 1,
        "page": 1,
        "sort_by": "id",
        "sort_order": "desc",
        "more_records": False,
        "next_page_token": None,
        "previous_page_token": None,
        "page_token_expiry": None,
    }


def test_an_empty_list_has_no_body(api):
    """Not even an empty object."""
    for path in ("/Contacts?fields=Email", "/Contacts/deleted"):
        response = api.get(path)
        assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "REQUIRED_PARAM_MISSING"),
        ({"fields": ",".join(f"F{n}" for n in range(51))}, "LIMIT_EXCEEDED"),
        ({"fields": "Email", "per_page": 201}, "INVALID_DATA"),
        ({"fields": "Email", "per_page": 0}, "INVALID_DATA"),
        ({"fields": "Email", "page": 11}, "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
        ({"fields": "Email", "page": 201, "per_page": 10}, "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
        ({"fields": "Email", "sort_by": "Email"}, "INVALID_DATA"),
        ({"fields": "Email", "sort_order": "up"}, "INVALID_DATA"),
        ({"fields": "Email", "page_token": "x"}, "INVALID_DATA"),
        ({"fields": "Email", "page_token": "x", "page": 1}, "AMBIGUITY_DURING_PROCESSING"),
        ({"fields": "Email", "ids": ",".join(map(str, range(101)))}, "LIMIT_EXCEEDED"),
        ({"fields": "Email", "cvid": "1"}, "INVALID_DATA"),
    ],
)
def test_a_wrong_list_is_refused(api, query, code):
    """Each with its own code."""
    response = api.get("/Contacts", **query)
    assert (response.status_code, response.json()["code"]) == (400, code)


def test_pages_follow_each_other_by_number_or_by_token(api, five):
    """Both ways lead to the same records."""
    by_number = [
        numbers(api.get("/Contacts", fields="First_Name", per_page=2, page=page))
        for page in (1, 2, 3)
    ]
    assert by_number == [[4, 3], [2, 1], [0]]
    response = api.get("/Contacts", fields="First_Name", per_page=2)
    by_token = [numbers(response)]
    while token := response.json()["info"]["next_page_token"]:
        response = api.get("/Contacts", fields="First_Name", per_page=2, page_token=token)
        by_token.append(numbers(response))
    assert by_token == by_number
    assert not response.json()["info"]["more_records"]


def test_a_token_is_bound_and_gets_old(api, control, five):
    """It goes with its parameters, and for a day."""
    query = {"fields": "First_Name", "per_page": 2}
    token = api.get("/Contacts", **query).json()["info"]["next_page_token"]
    other = api.get("/Contacts", **{**query, "per_page": 3}, page_token=token)
    assert other.json()["code"] == "TOKEN_BOUND_DATA_MISMATCH"
    control.advance(86_401)
    old = api.get("/Contacts", **query, page_token=token)
    assert old.json()["code"] == "EXPIRED_VALUE"


def test_rows_move_between_pages_when_records_change(api, five):
    """Sorted by modification, one comes twice and one not at all."""
    query = {"fields": "First_Name", "per_page": 2, "sort_by": "Modified_Time"}
    assert numbers(api.get("/Contacts", **query)) == [4, 3]
    api.write("PUT", f"/Contacts/{five[0]}", {"Title": "x"})
    assert numbers(api.get("/Contacts", **query, page=2)) == [3, 2]


def test_only_what_changed_since_is_listed(api, control, five):
    """304 where nothing did; the header is ISO 8601, and later means later."""
    since = control.record("Contacts", five[2])["modified_at"]
    header = {"If-Modified-Since": since}
    assert numbers(api.get("/Contacts", header, fields="First_Name")) == [4, 3]
    last = {"If-Modified-Since": control.record("Contacts", five[4])["modified_at"]}
    response = api.get("/Contacts", last, fields="First_Name")
    assert (response.status_code, response.content) == (304, b"")
    wrong = {"If-Modified-Since": "Tue, 16 Jul 2024 09:00:00 GMT"}
    assert api.get("/Contacts", wrong, fields="First_Name").status_code == 400


def test_records_are_read_by_their_ids(api, five):
    """Those that do not exist are left out."""
    response = api.get("/Contacts", fields="First_Name", ids=f"{five[1]},1,{five[3]}")
    assert numbers(response) == [1, 3][::-1]


def test_the_deleted_are_listed_and_age(api, control, five):
    """From the recycle bin they go for good, and then even from the list."""
    api.call("DELETE", f"/Contacts/{five[0]}")
    control.act("delete", module="Contacts", id=five[1], permanent=True)

    def listed(kind):
        response = api.get("/Contacts/deleted", type=kind)
        return {entry["id"] for entry in response.json()["data"]} if response.content else set()

    assert (listed("all"), listed("recycle")) == ({five[0], five[1]}, {five[0]})
    control.advance(61 * 86_400)
    assert (listed("permanent"), listed("recycle")) == ({five[0], five[1]}, set())
    control.advance(60 * 86_400)
    assert listed("all") == set()
    assert api.get("/Contacts/deleted", type="x").json()["code"] == "INVALID_DATA"


def test_paths_and_methods_that_are_none_are_refused(api):
    """404 for the path, 405 for the method."""
    url = api.url
    assert api.session.get(f"{url}/crm/v9/Contacts", timeout=10).status_code == 404
    response = api.call("PATCH", "/Contacts", {})
    assert (response.status_code, response.json()["code"]) == (405, "INVALID_REQUEST_METHOD")


def test_related_records_are_listed(api, control):
    """The deals of a contact and of its account, and the contacts of a deal with their roles."""
    contact = api.contact(Account_Name={"name": "Acme"})
    other = api.contact("Ma")
    account = control.records("Accounts")[0]["id"]
    deal = {
        "Deal_Name": "D",
        "Stage": "Upcoming",
        "Pipeline": "Renewals",
        "Contact_Name": {"id": contact},
        "Account_Name": {"id": account},
    }
    deal_id = api.write("POST", "/Deals", deal)[0]["details"]["id"]
    for path in (f"/Contacts/{contact}/Deals", f"/Accounts/{account}/Deals"):
        (found,) = api.get(path, fields="Deal_Name,Contact_Name").json()["data"]
        assert found["Contact_Name"] == {"name": "Li", "id": contact}
    assert api.get(f"/Contacts/{other}/Deals", fields="Deal_Name").status_code == 204
    role = api.get("/Contacts/roles").json()["contact_roles"][0]
    (entry,) = api.write(
        "PUT", f"/Deals/{deal_id}/Contact_Roles/{other}", {"Contact_Role": {"id": role["id"]}}
    )
    assert entry["message"] == "relation added"
    roles = api.get(f"/Deals/{deal_id}/Contact_Roles", fields="Last_Name").json()["data"]
    named = {"name": role["name"], "id": role["id"]}
    assert [(one["Last_Name"], one["Contact_Role"]) for one in roles] == [
        ("Li", None),
        ("Ma", named),
    ]
    nobody = api.write("PUT", f"/Deals/{deal_id}/Contact_Roles/1", {"Contact_Role": None})
    assert nobody["details"] == {"resource_path_index": 3}
    path = f"/Deals/{deal_id}/Contact_Roles/{other}"
    (unknown,) = api.write("PUT", path, {"Contact_Role": {"id": "1"}})
    assert unknown["details"]["api_name"] == "Contact_Role"
    assert api.get(f"/Deals/{deal_id}/Nope", fields="Email").json()["code"] == "INVALID_DATA"
