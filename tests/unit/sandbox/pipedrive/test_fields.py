"""Fields: found by name, written by a code that differs from company to company."""

from __future__ import annotations

import re

import pytest

from tests.sandboxes import running
from tests.unit.sandbox.pipedrive.conftest import Api


def test_a_field_gets_a_random_code(api):
    """40 hexadecimal digits; a second field of the name gets another."""
    first, second = api.field("Tier"), api.field("Tier")
    assert re.fullmatch("[0-9a-f]{40}", first["field_code"])
    assert first["field_code"] != second["field_code"]
    assert first == {
        "field_name": "Tier",
        "field_code": first["field_code"],
        "field_type": "varchar",
        "options": None,
        "subfields": None,
        "is_custom_field": True,
        "is_optional_response_field": False,
    }
    assert [f for f in api.ok("GET", "personFields") if f["is_custom_field"]] == [first, second]
    assert api.ok("GET", f"personFields/{first['field_code']}") == first


def test_companies_have_codes_and_options_of_their_own():
    """The same field has another code and other option ids in another company."""
    made = []
    for seed in (1, 2, 1):
        with running("pipedrive", seed=seed) as sandbox:
            made.append(Api(sandbox.url).field("Tier", "enum", ("Gold",)))
    assert made[0]["field_code"] != made[1]["field_code"]
    assert made[0]["options"] != made[1]["options"]
    assert made[0] == made[2]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "field_name: Parameter 'field_name' is required"),
        ({"field_name": "", "field_type": "text"}, "field_name: Expected a value"),
        ({"field_name": "F", "field_type": "boolean"}, "field_type: Expected one of varchar"),
        ({"field_name": "F", "field_type": "enum"}, "options: Parameter 'options' is required"),
        ({"field_name": "F", "field_type": "set", "options": []}, "options: Parameter"),
        ({"field_name": "F", "field_type": "set", "options": ["A"]}, "options: Expected 'array'"),
        ({"field_name": "F", "field_type": "text", "options": [{"label": "A"}]}, "no options"),
        ({"field_name": "F", "field_type": "text", "name": "F"}, "'name' is not allowed"),
    ],
)
def test_a_field_is_refused(api, body, words):
    """There is no boolean and no datetime; options belong to enum and set."""
    assert words in api.refused("POST", "dealFields", body)


def test_the_plan_limits_fields(api, control):
    """One too many is a 403 that names the cap."""
    control.settings(custom_fields_limit=1)
    api.field("F")
    body = {"field_name": "G", "field_type": "text"}
    response = api.call("POST", "organizationFields", body)
    assert response.status_code == 403
    assert response.json()["code"].startswith("feature_capping")


def test_a_renamed_field_keeps_its_code(api, control):
    """By the API or in Pipedrive's own pages."""
    field = api.field("Tier")
    renamed = api.ok("PATCH", f"personFields/{field['field_code']}", {"field_name": "Level"})
    assert renamed == {**field, "field_name": "Level"}
    control.act("rename_field", object_type="persons", name="Level", to="Rank")
    assert control.act("fields", object_type="persons") == [{**field, "field_name": "Rank"}]


def test_a_deleted_field_makes_its_writes_fail(api, control):
    """Its values are gone, and the whole of a write that names it is refused."""
    gone, other = (api.field(name)["field_code"] for name in ("F", "G"))
    person = api.person(custom_fields={gone: "1", other: "2"})
    control.act("delete_field", object_type="persons", name="F")
    assert api.ok("GET", f"persons/{person}")["custom_fields"] == {other: "2"}
    words = api.refused("PATCH", f"persons/{person}", {"custom_fields": {gone: "3", other: "4"}})
    assert gone in words
    assert other not in words
    assert control.record("persons", str(person))["properties"]["custom_fields"] == {other: "2"}
    assert api.call("GET", f"personFields/{gone}").status_code == 404


def test_a_removed_option_makes_its_writes_fail(api, control):
    """Records that have it keep the id; nobody can write it again."""
    field = api.field("Tier", "enum", ("Gold", "Silver"))
    code, gold = field["field_code"], field["options"][0]["id"]
    person = api.person(custom_fields={code: gold})
    control.act("remove_option", object_type="persons", name="Tier", label="Gold")
    assert api.ok("GET", f"persons/{person}")["custom_fields"] == {code: gold}
    assert code in api.refused("POST", "persons", {"name": "B", "custom_fields": {code: gold}})
    new = control.act("add_option", object_type="persons", name="Tier", label="Gold")
    assert new != gold
    api.ok("PATCH", f"persons/{person}", {"custom_fields": {code: new}})


def test_options_are_added_renamed_and_deleted(api):
    """Each call takes a list and returns what it did."""
    code = api.field("Tier", "enum", ("Gold",))["field_code"]
    path = f"personFields/{code}/options"
    added = api.ok("POST", path, [{"label": "Silver"}, {"label": "Bronze"}])
    assert [option["label"] for option in added] == ["Silver", "Bronze"]
    changed = api.ok("PATCH", path, [{"id": added[0]["id"], "label": "Tin"}])
    assert changed == [{"id": added[0]["id"], "label": "Tin"}]
    assert api.ok("DELETE", path, [{"id": added[1]["id"]}]) == [added[1]]
    labels = [o["label"] for o in api.ok("GET", f"personFields/{code}")["options"]]
    assert labels == ["Gold", "Tin"]
    assert api.call("DELETE", path, [{"id": 1}]).status_code == 404
    assert "Expected 'array'" in api.refused("POST", path, {"label": "X"})


def test_pipedrives_own_fields_cannot_be_changed(api):
    """They are listed and no more."""
    assert {f["field_code"] for f in api.ok("GET", "dealFields")} >= {"title", "status", "stage_id"}
    assert api.call("DELETE", "dealFields/title").status_code == 403
    assert api.call("PATCH", "dealFields/title", {"field_name": "T"}).status_code == 403


def test_fields_come_in_pages(api):
    """With a cursor like everything else."""
    first = api.call("GET", "personFields?limit=5").json()
    cursor = first["additional_data"]["next_cursor"]
    rest = api.call("GET", f"personFields?cursor={cursor}").json()
    assert rest["additional_data"]["next_cursor"] is None
    codes = [f["field_code"] for f in first["data"] + rest["data"]]
    assert codes == [f["field_code"] for f in api.ok("GET", "personFields")]
