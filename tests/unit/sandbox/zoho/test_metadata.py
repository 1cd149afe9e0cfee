"""What the settings API tells about modules, fields, layouts, pipelines, users and the org."""

from __future__ import annotations

import pytest

from crmsync.sandbox import ControlFailed


def fields(api, module):
    """The fields of a module, by api_name."""
    listed = api.get("/settings/fields", module=module).json()["fields"]
    return {field["api_name"]: field for field in listed}


def test_modules_are_described(api):
    """All together or one."""
    listed = api.get("/settings/modules").json()["modules"]
    assert [module["api_name"] for module in listed] == ["Leads", "Contacts", "Accounts", "Deals"]
    assert api.get("/settings/modules/Deals").json()["modules"] == [listed[3]]
    assert api.get("/settings/modules/Nope").json()["code"] == "INVALID_MODULE"


@pytest.mark.parametrize(
    ("module", "name", "about"),
    [
        (
            "Contacts",
            "Email",
            {
                "field_label": "Email",
                "data_type": "email",
                "json_type": "string",
                "length": 100,
                "system_mandatory": False,
                "custom_field": False,
                "unique": {},
                "lookup": {},
                "pick_list_values": [],
            },
        ),
        ("Contacts", "Last_Name", {"system_mandatory": True, "length": 80}),
        ("Leads", "Company", {"system_mandatory": False, "length": 200}),
        ("Accounts", "Annual_Revenue", {"data_type": "currency", "decimal_place": 2}),
        ("Contacts", "Owner", {"data_type": "ownerlookup", "json_type": "jsonobject"}),
        ("Contacts", "Modified_Time", {"read_only": True, "data_type": "datetime"}),
    ],
)
def test_fields_are_described(api, module, name, about):
    """Type, length and whether they are mandatory or read-only."""
    field = fields(api, module)[name]
    assert {key: field[key] for key in about} == about
    writable = not field["read_only"]
    assert field["operation_type"]["api_create"] is writable
    assert field["operation_type"]["api_update"] is writable


def test_picklists_and_lookups_are_described(api):
    """Values as shown and as kept; the module a lookup leads to."""
    source = fields(api, "Contacts")["Lead_Source"]["pick_list_values"]
    assert (source[0]["actual_value"], source[0]["display_value"]) == ("-None-", "-None-")
    assert {"Chat", "Partner"} <= {option["actual_value"] for option in source}
    lookup = fields(api, "Deals")["Contact_Name"]["lookup"]
    assert lookup["module"]["api_name"] == "Contacts"
    stages = fields(api, "Deals")["Stage"]["pick_list_values"]
    assert "Upcoming" in {option["actual_value"] for option in stages}


def test_layouts_tell_what_is_required(api):
    """Which `system_mandatory` does not."""
    (layout,) = api.get("/settings/layouts", module="Leads").json()["layouts"]
    required = {f["api_name"] for f in layout["sections"][0]["fields"] if f["required"]}
    assert required == {"Last_Name", "Company"}


def test_pipelines_need_the_layout(api):
    """Two pipelines, each with its stages and what they mean."""
    (layout,) = api.get("/settings/layouts", module="Deals").json()["layouts"]
    listed = api.get("/settings/pipeline", layout_id=layout["id"]).json()["pipeline"]
    assert [(p["display_value"], p["default"]) for p in listed] == [
        ("Standard", True),
        ("Renewals", False),
    ]
    kinds = {stage["actual_value"]: stage["forecast_type"] for stage in listed[1]["maps"]}
    assert kinds == {"Upcoming": "Open", "Closed Won": "Closed Won", "Closed Lost": "Closed Lost"}
    assert api.get("/settings/pipeline", layout_id="1").json()["code"] == "INVALID_DATA"
    missing = api.get("/settings/pipeline").json()
    assert (missing["code"], missing["details"]["param"]) == (
        "REQUIRED_PARAM_MISSING",
        "layout_id",
    )


@pytest.mark.parametrize(
    ("kind", "emails"),
    [
        ("ActiveUsers", ["ada@org.example", "ben@org.example", "cleo@org.example"]),
        ("DeactiveUsers", ["dan@org.example"]),
        ("CurrentUser", ["ada@org.example"]),
        ("AdminUsers", ["ada@org.example"]),
        ("NotConfirmedUsers", []),
    ],
)
def test_users_are_listed_by_type(api, kind, emails):
    """Nobody is a 204."""
    response = api.get("/users", type=kind)
    listed = response.json()["users"] if response.content else []
    assert [user["email"] for user in listed] == emails
    assert response.status_code == (200 if emails else 204)


def test_users_come_in_pages_and_by_id(api):
    """With what is needed to map owners."""
    body = api.get("/users", per_page=3, type="AllUsers").json()
    assert body["info"] == {"per_page": 3, "count": 3, "page": 1, "more_records": True}
    user = body["users"][1]
    assert (user["full_name"], user["status"]) == ("Ben Close", "active")
    assert api.get(f"/users/{user['id']}").json()["users"] == [user]
    assert api.get("/users/1").status_code == 204
    assert api.get("/users", type="Nobody").json()["code"] == "INVALID_DATA"


def test_the_organisation_is_described(api):
    """Its edition and time zone come from the settings."""
    (org,) = api.get("/org").json()["org"]
    assert (org["time_zone"], org["license_details"]["paid_type"]) == ("+05:30", "ultimate")


def test_fields_can_be_added(api):
    """Up to five a call, unique where the type allows it."""
    unique = {"casesensitive": False}
    definitions = [
        {"field_label": "Ext Id", "data_type": "text", "length": 50, "unique": unique},
        {"field_label": "Done", "data_type": "boolean", "unique": unique},
    ]
    response = api.call("POST", "/settings/fields?module=Contacts", {"fields": definitions})
    good, bad = response.json()["fields"]
    assert (response.status_code, good["code"], bad["code"]) == (207, "SUCCESS", "INVALID_DATA")
    field = fields(api, "Contacts")["Ext_Id"]
    assert field["id"] == good["details"]["id"]
    assert (field["unique"], field["custom_field"]) == ({"casesensitive": "false"}, True)
    again = api.call("POST", "/settings/fields?module=Contacts", {"fields": definitions[:1]})
    assert again.json()["fields"][0]["code"] == "DUPLICATE_DATA"
    assert api.get("/settings/fields/1", module="Contacts").status_code == 204
    assert api.get("/settings/fields", module="Contacts", type="unused").status_code == 204
    by_id = api.get(f"/settings/fields/{field['id']}", module="Contacts").json()["fields"]
    assert by_id == [field]


@pytest.mark.parametrize(
    ("definition", "code", "name"),
    [
        ({"data_type": "text"}, "MANDATORY_NOT_FOUND", "field_label"),
        ({"field_label": "A", "data_type": "shape"}, "INVALID_DATA", "data_type"),
        ({"field_label": "A", "data_type": "text", "length": 256}, "INVALID_DATA", "length"),
        ({"field_label": "Last Name", "data_type": "text"}, "DUPLICATE_DATA", "field_label"),
    ],
)
def test_a_wrong_definition_of_a_field_is_refused(api, control, definition, code, name):
    """By the API and by the control API alike."""
    body = {"fields": [definition]}
    response = api.call("POST", "/settings/fields?module=Contacts", body)
    (refused,) = response.json()["fields"]
    assert (response.status_code, refused["code"]) == (400, code)
    assert refused["details"]["api_name"] == name
    given = {"field_label": "", "data_type": "", **definition}
    with pytest.raises(ControlFailed, match=code):
        control.act("add_field", module="Contacts", **given)


@pytest.mark.parametrize("path", ["/settings/fields", "/settings/layouts"])
def test_settings_of_a_module_need_its_name(api, path):
    """Missing or unknown."""
    assert api.get(path).json()["code"] == "REQUIRED_PARAM_MISSING"
    assert api.get(path, module="Nope").json()["code"] == "INVALID_MODULE"
