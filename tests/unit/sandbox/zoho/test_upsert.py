"""Upsert: what matches, what collides, what is told about each record."""

from __future__ import annotations

import pytest

LI = {"Last_Name": "Li", "Email": "li@x.io"}
MA = {"Last_Name": "Ma", "Email": "ma@x.io"}


def actions(entries):
    """What happened to each record."""
    return [entry.get("action") or entry["code"] for entry in entries]


def ids(entries):
    """The id of each record."""
    return [entry["details"]["id"] for entry in entries]


def test_a_record_is_made_and_then_changed(api, control, ext_id):
    """The answer tells what was done, by which field, and by whom."""
    (made,) = api.upsert("Contacts", {**LI, ext_id: "p-1"}, duplicate_check_fields=[ext_id])
    assert (made["action"], made["duplicate_field"]) == ("insert", None)
    assert (made["code"], made["message"], made["status"]) == ("SUCCESS", "record added", "success")
    assert made["details"]["$approval_state"] == "approved"
    control.advance(60)
    change = {ext_id: "p-1", "Email": "new@x.io"}
    (changed,) = api.upsert("Contacts", change, duplicate_check_fields=[ext_id])
    assert (changed["action"], changed["duplicate_field"]) == ("update", ext_id)
    assert changed["message"] == "record updated"
    assert ids([changed]) == ids([made])
    assert changed["details"]["Created_Time"] == made["details"]["Created_Time"]
    assert changed["details"]["Modified_Time"] > made["details"]["Modified_Time"]
    held = control.record("Contacts", made["details"]["id"])["properties"]
    assert (held["Last_Name"], held["Email"], held[ext_id]) == ("Li", "new@x.io", "p-1")


def test_check_fields_are_tried_in_the_order_given(api, ext_id):
    """The first that finds a record wins; without any the system's own field comes first."""
    by_email, by_id = ids(api.upsert("Contacts", LI, {**MA, ext_id: "p-2"}))
    row = {"Email": "li@x.io", ext_id: "p-2"}
    refused = api.upsert("Contacts", row, duplicate_check_fields=["Email", ext_id])
    assert refused[0]["code"] == "DUPLICATE_DATA"
    (found,) = api.upsert("Contacts", row, duplicate_check_fields=[ext_id, "Email"])
    assert (found["duplicate_field"], found["details"]["id"]) == (ext_id, by_id)
    # Two records hold the address now; the key of another is still found.
    (found,) = api.upsert("Contacts", {"Last_Name": "X", ext_id: "p-2"})
    assert found["details"]["id"] == by_id
    assert by_email != by_id


def test_the_systems_field_is_first_where_none_is_named(api, ext_id):
    """Then all unique ones."""
    first, _ = ids(api.upsert("Contacts", LI, {**MA, ext_id: "p-2"}))
    (found,) = api.upsert("Contacts", {"Email": "LI@x.io", "Title": "Dr"})
    assert (found["duplicate_field"], found["details"]["id"]) == ("Email", first)


def test_a_match_by_one_field_can_collide_on_another(api, ext_id):
    """DUPLICATE_DATA names the field, its place and the record that holds the value."""
    _, other = ids(api.upsert("Contacts", {**LI, ext_id: "p-1"}, {**MA, ext_id: "p-2"}))
    ok, refused = api.upsert(
        "Contacts", MA, {**LI, ext_id: "p-2"}, duplicate_check_fields=["Email"]
    )
    assert ok["action"] == "update"
    assert (refused["code"], refused["status"]) == ("DUPLICATE_DATA", "error")
    details = refused["details"]
    assert (details["api_name"], details["json_path"]) == (ext_id, f"$.data[1].{ext_id}")
    assert details["duplicate_record"]["id"] == other
    assert details["duplicate_record"]["module"]["api_name"] == "Contacts"


@pytest.mark.parametrize("names", [["Phone"], ["Nope"], ["Email", "Last_Name"], "Email"])
def test_only_the_systems_field_and_unique_ones_may_check(api, control, names):
    """Anything else refuses the whole call."""
    body = {"data": [LI], "duplicate_check_fields": names}
    response = api.call("POST", "/Contacts/upsert", body)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_DATA")
    assert "duplicate_check_fields" in response.json()["details"]["json_path"]
    assert control.about()["objects"]["Contacts"] == 0


@pytest.mark.parametrize(
    ("module", "row", "name"),
    [
        ("Leads", {"Last_Name": "Li", "Company": "X", "Email": "a@x.io"}, "Email"),
        ("Contacts", {"Last_Name": "Li", "Email": "a@x.io"}, "Email"),
        ("Accounts", {"Account_Name": "X"}, "Account_Name"),
        (
            "Deals",
            {"Deal_Name": "D", "Stage": "Qualification", "Pipeline": "Standard"},
            "Deal_Name",
        ),
    ],
)
def test_each_module_has_a_field_of_its_own(api, module, row, name):
    """The system finds duplicates by it, without regard to case."""
    assert actions(api.upsert(module, row)) == ["insert"]
    (found,) = api.upsert(module, {**row, name: row[name].upper()})
    assert (found["action"], found["duplicate_field"]) == ("update", name)


def test_one_record_sent_twice_is_written_twice(api, control, ext_id):
    """Both rows succeed with one id, and the last wins."""
    (record_id,) = ids(api.upsert("Contacts", {**LI, ext_id: "p-1"}))
    rows = [{ext_id: "p-1", "Title": title} for title in ("A", "B")]
    both = api.upsert("Contacts", *rows, duplicate_check_fields=[ext_id])
    assert ids(both) == [record_id, record_id]
    assert control.record("Contacts", record_id)["properties"]["Title"] == "B"


@pytest.mark.parametrize(
    ("new_key_twice", "outcomes"),
    [
        ("two", {"by_email": ["insert", "insert"], "by_id": ["insert", "DUPLICATE_DATA"]}),
        ("one", {"by_email": ["insert", "update"], "by_id": ["insert", "update"]}),
    ],
)
def test_a_new_key_sent_twice_is_a_danger(api, control, ext_id, new_key_twice, outcomes):
    """By the system's field it makes two records; a unique field refuses the second."""
    control.settings(new_key_twice=new_key_twice)
    row = {"Last_Name": "Q", ext_id: "q"}
    assert {
        "by_email": actions(api.upsert("Contacts", LI, LI, duplicate_check_fields=["Email"])),
        "by_id": actions(api.upsert("Contacts", row, row, duplicate_check_fields=[ext_id])),
    } == outcomes


def test_several_records_with_the_key_are_an_ambiguity_or_the_oldest(api, control):
    """The field of the system does not keep values from repeating."""
    first, _ = ids(api.write("POST", "/Contacts", LI, LI))
    refused = api.call("POST", "/Contacts/upsert", {"data": [LI]})
    assert refused.status_code == 400
    assert refused.json()["data"][0]["code"] == "AMBIGUITY_DURING_PROCESSING"
    control.settings(ambiguous_match="first")
    assert ids(api.upsert("Contacts", LI)) == [first]


def test_two_calls_at_once_can_make_two_records_by_a_field_that_is_not_unique(api, control, ext_id):
    """A match may lag behind; a unique field holds nevertheless."""
    control.settings(match_lag_seconds=5)
    assert actions(api.upsert("Contacts", LI)) == ["insert"]
    assert actions(api.upsert("Contacts", LI)) == ["insert"]
    row = {"Last_Name": "Q", ext_id: "q"}
    both = [actions(api.upsert("Contacts", row, duplicate_check_fields=[ext_id])) for _ in "ab"]
    assert both == [["insert"], ["update"]]
    control.advance(6)
    control.settings(ambiguous_match="first")
    assert actions(api.upsert("Contacts", LI)) == ["update"]


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([LI, MA], 200),
        ([LI, {"Email": "x@x.io"}], 207),
        ([{"Email": "x@x.io"}, {"Last_Name": 5}], 400),
    ],
)
def test_the_status_sums_up_and_the_order_is_kept(api, rows, status):
    """All failed is a 400 with `data`; a part failed is a 207 or, as seen too, a 200."""
    response = api.call("POST", "/Contacts/upsert", {"data": rows})
    assert response.status_code == status
    assert [entry["status"] for entry in response.json()["data"]] == [
        "success" if "Last_Name" in row and row["Last_Name"] != 5 else "error" for row in rows
    ]


def test_a_mixed_answer_has_one_of_two_statuses(api, control):
    """As at Zoho, nobody can judge by it."""
    control.settings(mixed_status="any")
    body = {"data": [LI, {}]}
    seen = {api.call("POST", "/Contacts/upsert", body).status_code for _ in range(20)}
    assert seen == {200, 207}
    control.settings(mixed_status="202")
    assert api.call("POST", "/Contacts/upsert", body).status_code == 202


@pytest.mark.parametrize(
    ("trigger", "ran"),
    [
        ({}, ["workflow", "approval", "blueprint"]),
        ({"trigger": None}, ["workflow", "approval", "blueprint"]),
        ({"trigger": []}, []),
        ({"trigger": ["approval"]}, ["approval"]),
    ],
)
def test_workflows_run_unless_told_otherwise(api, control, trigger, ran):
    """What ran is remembered with each write."""
    (record_id,) = ids(api.upsert("Contacts", LI, **trigger))
    held = control.record("Contacts", record_id)
    assert held["triggers"] == [ran]
    assert held["workflow_runs"] == ("workflow" in ran)


@pytest.mark.parametrize("trigger", ["workflow", ["mail"]])
def test_an_unknown_trigger_refuses_the_call(api, trigger):
    """It has to be a list of known words."""
    response = api.call("POST", "/Contacts/upsert", {"data": [LI], "trigger": trigger})
    assert (response.status_code, response.json()["details"]["api_name"]) == (400, "trigger")


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        ({}, "MANDATORY_NOT_FOUND", {"api_name": "data", "json_path": "$.data"}),
        ({"data": []}, "MANDATORY_NOT_FOUND", {"api_name": "data", "json_path": "$.data"}),
        (
            {"data": {}},
            "INVALID_DATA",
            {"expected_data_type": "jsonarray", "api_name": "data", "json_path": "$.data"},
        ),
        (
            {"data": [LI] * 101},
            "LIMIT_EXCEEDED",
            {"limit": 100, "api_name": "data", "json_path": "$.data"},
        ),
        ([], "INVALID_DATA", {"expected_data_type": "jsonobject"}),
    ],
)
def test_a_wrong_body_refuses_the_call(api, control, body, code, details):
    """The error stands at the top, not in `data`."""
    response = api.call("POST", "/Contacts/upsert", body)
    refusal = response.json()
    assert (response.status_code, refusal["code"], refusal["details"]) == (400, code, details)
    assert control.about()["objects"]["Contacts"] == 0


@pytest.mark.parametrize(
    ("sent", "details"),
    [
        (b"{not json", {"expected_data_type": "jsonobject"}),
        (
            b'{"data": ["x"]}',
            {"expected_data_type": "jsonobject", "api_name": "data", "json_path": "$.data[0]"},
        ),
    ],
)
def test_what_is_no_json_is_told(api, sent, details):
    """So are records that are no objects."""
    response = api.call("POST", "/Contacts/upsert", data=sent)
    assert (response.status_code, response.json()["details"]) == (400, details)


def test_a_hundred_records_fit(api):
    """Answered one by one, in order."""
    rows = [{"Last_Name": "L", "Email": f"a{n}@x.io"} for n in range(100)]
    assert actions(api.upsert("Contacts", *rows)) == ["insert"] * 100


def test_newer_records_can_be_left_alone(api, control):
    """If-Unmodified-Since refuses the call with 412 when a target is newer."""
    (entry,) = api.upsert("Contacts", LI)
    since = entry["details"]["Modified_Time"]
    control.advance(60)
    api.upsert("Contacts", {**LI, "Title": "new"})
    body = {"data": [{**LI, "Title": "late"}]}
    response = api.call("POST", "/Contacts/upsert", body, headers={"If-Unmodified-Since": since})
    assert (response.status_code, response.json()["code"]) == (412, "ALREADY_MODIFIED")
    held = control.record("Contacts", entry["details"]["id"])
    assert held["properties"]["Title"] == "new"
    now = {"If-Unmodified-Since": held["modified_at"]}
    assert api.call("POST", "/Contacts/upsert", body, headers=now).status_code == 200


def test_an_unknown_module_is_named_by_its_place(api):
    """Names are case-sensitive."""
    for module in ("contacts", "Nope"):
        response = api.call("POST", f"/{module}/upsert", {"data": [LI]})
        assert response.status_code == 400
        assert response.json() == {
            "code": "INVALID_MODULE",
            "details": {"resource_path_index": 0},
            "message": "the module name given seems to be invalid",
            "status": "error",
        }
