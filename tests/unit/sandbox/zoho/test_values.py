"""What each type of field takes, and how a refusal names what is wrong."""

from __future__ import annotations

import pytest

LI = {"Last_Name": "Li"}
CUSTOM = {
    "Score": ("integer", {}),
    "Big": ("bigint", {}),
    "Rate": ("double", {"decimal_place": 2}),
    "Met": ("datetime", {}),
    "Topics": (
        "multiselectpicklist",
        {"pick_list_values": [{"actual_value": name} for name in ("A", "B", "C")]},
    ),
    "Site": ("website", {}),
    "Notes": ("textarea", {}),
}


@pytest.fixture(autouse=True)
def _custom(control):
    """Contacts with a custom field of each type."""
    for label, (data_type, more) in CUSTOM.items():
        control.act("add_field", module="Contacts", field_label=label, data_type=data_type, **more)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Last_Name", "\u5b8b Li'\u00f6", "\u5b8b Li'\u00f6"),
        ("Title", "", None),
        ("Title", None, None),
        ("Email", "Ann.O'Li+x@mail.x-y.io", "Ann.O'Li+x@mail.x-y.io"),
        ("Phone", "+49 (30) 1234-56 ext. 7", "+49 (30) 1234-56 ext. 7"),
        ("Date_of_Birth", "2000-02-29", "2000-02-29"),
        ("Email_Opt_Out", True, True),
        ("Lead_Source", "Chat", "Chat"),
        ("Lead_Source", "-None-", "-None-"),
        ("Lead_Source", None, None),
        ("Score", 7, 7),
        ("Big", 123456789012345678, "123456789012345678"),
        ("Big", "12", "12"),
        ("Rate", 1.005, 1.0),
        ("Met", "2024-07-16T09:00:00+00:00", "2024-07-16T14:30:00+05:30"),
        ("Topics", ["A", "B"], ["A", "B"]),
        ("Topics", [], None),
        ("Site", "www.x.io/a?b=c", "www.x.io/a?b=c"),
        ("Nope", "lost", None),
        ("Full_Name", "Somebody Else", "Li"),
        ("Modified_Time", "2000-01-01T00:00:00+00:00", None),
    ],
)
def test_values_are_kept(api, control, name, value, kept):
    """Unknown and read-only fields are lost without a word; null and an empty text clear."""
    (entry,) = api.write("POST", "/Contacts", {**LI, name: value})
    assert entry["code"] == "SUCCESS", entry
    assert control.record("Contacts", entry["details"]["id"])["properties"].get(name) == kept


@pytest.mark.parametrize(
    ("name", "value", "details"),
    [
        ("Title", 5, {"expected_data_type": "text"}),
        ("Title", "x" * 101, {"maximum_length": 100}),
        ("Email", "nobody", {"expected_data_type": "email"}),
        ("Email", "a" * 60 + "@" + "x" * 60 + ".io", {"maximum_length": 100}),
        ("Phone", "call me", {"expected_data_type": "phone"}),
        ("Date_of_Birth", "2001-02-29", {"expected_data_type": "date"}),
        ("Date_of_Birth", "", {"expected_data_type": "date"}),
        ("Email_Opt_Out", "true", {"expected_data_type": "boolean"}),
        ("Lead_Source", "Moon", {"expected_data_type": "picklist"}),
        ("Score", "7", {"expected_data_type": "integer"}),
        ("Score", True, {"expected_data_type": "integer"}),
        ("Score", 1_000_000_000, {"maximum_length": 9}),
        ("Rate", "1.5", {"expected_data_type": "double"}),
        ("Met", "2024-07-16T09:00:00Z", {"expected_data_type": "datetime"}),
        ("Met", "2024-07-16T09:00:00.000+00:00", {"expected_data_type": "datetime"}),
        ("Met", "2024-07-16T09:00:00", {"expected_data_type": "datetime"}),
        ("Topics", "A;B", {"expected_data_type": "jsonarray"}),
        ("Topics", ["A", "Z"], {"expected_data_type": "picklist"}),
        ("Site", "not a site", {"expected_data_type": "website"}),
        ("Owner", "554023000000100001", {"expected_data_type": "jsonobject"}),
        ("Owner", {"id": "1"}, {}),
        ("Account_Name", {"id": "1"}, {}),
        ("Account_Name", "X", {"expected_data_type": "jsonobject"}),
    ],
)
def test_values_are_refused(api, control, name, value, details):
    """The details name the field, its place, and the type or the length; nothing is written."""
    refused = api.write("POST", "/Contacts", {**LI}, {**LI, name: value})[1]
    assert (refused["code"], refused["message"]) == ("INVALID_DATA", "invalid data")
    place = {"api_name": name, "json_path": f"$.data[1].{name}"}
    assert refused["details"] == {**details, **place}
    assert control.about()["objects"]["Contacts"] == 1


@pytest.mark.parametrize(
    ("module", "row", "name"),
    [
        ("Contacts", {"First_Name": "Ann"}, "Last_Name"),
        ("Contacts", {"Last_Name": ""}, "Last_Name"),
        ("Contacts", {"Last_Name": None}, "Last_Name"),
        ("Leads", {"Last_Name": "Li"}, "Company"),
        ("Accounts", {"Phone": "1"}, "Account_Name"),
        ("Deals", {"Deal_Name": "D", "Pipeline": "Standard"}, "Stage"),
        ("Deals", {"Deal_Name": "D", "Stage": "Qualification"}, "Pipeline"),
    ],
)
def test_mandatory_fields_are_named(api, module, row, name):
    """Those of the layout too."""
    (refused,) = api.write("POST", f"/{module}", row)
    assert refused == {
        "code": "MANDATORY_NOT_FOUND",
        "details": {"api_name": name, "json_path": f"$.data[0].{name}"},
        "message": "required field not found",
        "status": "error",
    }


def test_an_update_may_leave_mandatory_fields_out_but_not_clear_them(api):
    """Omitted keeps, null clears."""
    record_id = api.contact()
    (ok,) = api.write("PUT", f"/Contacts/{record_id}", {"First_Name": "Ann"})
    assert ok["code"] == "SUCCESS"
    (refused,) = api.write("PUT", f"/Contacts/{record_id}", {"Last_Name": None})
    assert refused["code"] == "MANDATORY_NOT_FOUND"


def test_the_first_fault_is_told_or_all_of_them(api, control):
    """Newer answers nest them."""
    row = {"Last_Name": 5, "Email": "nobody"}
    assert api.write("POST", "/Contacts", row)[0]["details"]["api_name"] == "Last_Name"
    control.settings(several_faults="all")
    (refused,) = api.write("POST", "/Contacts", row)
    assert refused["code"] == "MULTIPLE_OR_MULTI_ERRORS"
    named = [fault["details"]["api_name"] for fault in refused["details"]["errors"]]
    assert named == ["Last_Name", "Email"]


def test_choices_about_values_have_switches(api, control):
    """A datetime in Z, and values outside a picklist, can be taken."""
    control.settings(zulu_accepted=True, unknown_picklist_value="keep")
    row = {**LI, "Met": "2024-07-16T09:00:00Z", "Lead_Source": "Moon", "Topics": ["Z"]}
    assert api.write("POST", "/Contacts", row)[0]["code"] == "SUCCESS"


def test_values_can_be_appended(api, control):
    """`$append_values` adds to a multi-select in place of replacing it."""
    record_id = api.contact(Topics=["A"])
    rows = ({"Topics": ["B"], "$append_values": {"Topics": True}}, {"Topics": ["C"]})
    kept = []
    for row in rows:
        api.write("PUT", f"/Contacts/{record_id}", row)
        kept.append(control.record("Contacts", record_id)["properties"]["Topics"])
    assert kept == [["A", "B"], ["C"]]


def test_an_account_named_is_found_or_made(api, control):
    """By id it must exist; by name it comes into being, unless that is switched off."""
    record_id = api.contact(Account_Name={"name": "Acme"})
    api.contact(Account_Name={"name": "ACME"})
    (account,) = control.records("Accounts")
    held = control.record("Contacts", record_id)["properties"]
    assert held["Account_Name"] == {"id": account["id"]}
    control.settings(lookup_by_name="refuse")
    (refused,) = api.write("POST", "/Contacts", {**LI, "Account_Name": {"name": "Acme"}})
    assert refused["code"] == "INVALID_DATA"


def test_a_refused_record_makes_no_account(api, control):
    """Nothing is left of a record that was not written."""
    api.write("POST", "/Contacts", {"Account_Name": {"name": "Acme"}})
    assert control.about()["objects"]["Accounts"] == 0


def test_records_are_given_to_active_users_only(api, control):
    """Somebody who left cannot be an owner."""
    users = api.get("/users", type="AllUsers").json()["users"]
    outcome = {
        user["status"]: api.write("POST", "/Contacts", {**LI, "Owner": {"id": user["id"]}})[0]
        for user in users
    }
    assert outcome["active"]["code"] == "SUCCESS"
    assert outcome["disabled"]["code"] == "INVALID_DATA"
    control.act("deactivate_user", id=users[1]["id"])
    (refused,) = api.write("POST", "/Contacts", {**LI, "Owner": {"id": users[1]["id"]}})
    assert refused["details"]["api_name"] == "Owner"


def test_no_record_is_without_an_owner(api, control):
    """Null keeps the one there is; a new record goes to who authorised the app."""
    current = api.get("/users", type="CurrentUser").json()["users"][0]["id"]
    for record_id in (api.contact(Owner=None), api.contact()):
        api.write("PUT", f"/Contacts/{record_id}", {"Owner": None})
        held = control.record("Contacts", record_id)["properties"]
        assert held["Owner"] == {"id": current}


def test_a_stage_belongs_to_a_pipeline(api, control):
    """An unknown stage is invalid, one of another pipeline a mismatch."""
    deal = {"Deal_Name": "D", "Pipeline": "Renewals"}
    mismatch = api.write("POST", "/Deals", {**deal, "Stage": "Qualification"})[0]
    assert mismatch["code"] == "MAPPING_MISMATCH"
    assert mismatch["details"]["mapped_field"] == "Pipeline"
    assert api.write("POST", "/Deals", {**deal, "Stage": "Nope"})[0]["code"] == "INVALID_DATA"
    (made,) = api.write("POST", "/Deals", {**deal, "Stage": "Upcoming"})
    held = control.record("Deals", made["details"]["id"])["properties"]
    assert held["Probability"] == 50
    assert held["Stage_Modified_Time"] == made["details"]["Modified_Time"]
