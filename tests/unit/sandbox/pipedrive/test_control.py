"""What tests see and do past the API."""

from __future__ import annotations

import pytest
import requests

from crmsync.sandbox import ControlFailed
from tests.sandboxes import running
from tests.unit.sandbox.pipedrive.conftest import Api


def test_held_records_have_their_history(api, control):
    """Each value with when and by whom; a write of the same value is none."""
    code = api.field("F")["field_code"]
    person = str(api.person(custom_fields={code: "1"}))
    control.edit("persons", person, name="Bob", custom_fields={code: "1"})
    record = control.record("persons", person)
    assert record["properties"]["name"] == "Bob"
    assert record["properties"]["custom_fields"] == {code: "1"}
    assert [(e["value"], e["sourceType"]) for e in record["history"]["name"]] == [
        ("Bob", "app"),
        ("Ann Lee", "api"),
    ]
    assert len(record["history"][f"custom_fields.{code}"]) == 1
    assert record["writes"] == 2
    assert (record["archived_at"], record["merged_into"]) == (None, None)


def test_histories_can_be_switched_off(api, control):
    """For long benchmarks."""
    control.settings(keep_history=False)
    assert control.record("persons", str(api.person()))["history"] == {}


def test_records_are_seeded_and_edited(control):
    """In the shape of v2's bodies, under v2's rules."""
    assert control.seed("persons", [{"name": "A"}, {"name": "B"}]) == ["1", "2"]
    control.edit("persons", "2", name="C")
    assert [r["properties"]["name"] for r in control.records("persons")] == ["A", "C"]
    assert [r["id"] for r in control.records("persons", ["2"])] == ["2"]
    for wrong in ({"name": 5}, {"title": "A"}):
        with pytest.raises(ControlFailed, match="Validation failed"):
            control.seed("persons", [wrong])
    with pytest.raises(ControlFailed, match="Person not found"):
        control.edit("persons", "9", name="C")
    with pytest.raises(ControlFailed, match="there are: persons, organizations, deals"):
        control.seed("contacts", [{}])
    with pytest.raises(ControlFailed, match="no persons with id 9"):
        control.records("persons", ["9"])


def test_a_deletion_is_taken_back(api, control):
    """Within 30 days."""
    person = str(api.person())
    control.act("delete", object_type="persons", id=person)
    assert control.about()["objects"]["persons"] == 0
    control.act("restore", object_type="persons", id=person)
    assert api.ok("GET", f"persons/{person}")["is_deleted"] is False
    with pytest.raises(ControlFailed, match="no deleted record"):
        control.act("restore", object_type="persons", id=person)


@pytest.mark.parametrize(
    ("action", "details", "words"),
    [
        ("delete", {"object_type": "persons", "id": "9"}, "no live record with id 9"),
        ("merge", {"object_type": "deals", "id": "1", "merge_with_id": "2"}, "Deal not found"),
        ("delete_field", {"object_type": "persons", "name": "F"}, "no custom field F"),
        ("fields", {"object_type": "leads"}, "no object type leads"),
        ("deactivate_user", {"id": 1}, "no user with id 1"),
        ("add_stage", {"pipeline_id": 9, "name": "S"}, "Pipeline not found"),
    ],
)
def test_an_action_is_refused(control, action, details, words):
    """With a sentence, not with silence."""
    with pytest.raises(ControlFailed, match=words):
        control.act(action, **details)


def test_a_snapshot_is_restored_elsewhere(api, control):
    """Records, deletions, fields with their codes and options; search knows all at once."""
    field = api.field("Tier", "enum", ("Gold",))
    values = {field["field_code"]: field["options"][0]["id"]}
    api.person(emails=[{"value": "a@x.io"}], custom_fields=values)
    api.ok("DELETE", f"persons/{api.person()}")
    api.deal(person_id=1)
    snapshot, held = control.snapshot(), control.records("persons")
    with running("pipedrive", seed=5, limits=False, search_lag_seconds=60) as other:
        other.control.restore(snapshot)
        copy = Api(other.url)
        assert copy.ok("GET", "persons") == api.ok("GET", "persons")
        assert other.control.about()["objects"] == {"persons": 1, "organizations": 0, "deals": 1}
        assert [r["archived_at"] for r in other.control.records("persons")] == [
            r["archived_at"] for r in held
        ]
        assert len(copy.ok("GET", "persons/search?term=a@x.io")["items"]) == 1
        assert copy.person("New") == 3
        copy.ok("PATCH", "persons/1", {"custom_fields": values})
        assert copy.field("T", "enum", ("A",))["options"][0]["id"] > field["options"][0]["id"]
        copy.session.close()


def test_a_reset_opens_a_new_company(api, control):
    """No records, no fields, and the seed's first random code again."""
    first = api.field("F")
    api.person()
    control.reset()
    assert control.about()["objects"] == {"persons": 0, "organizations": 0, "deals": 0}
    assert control.act("fields", object_type="persons") == []
    assert api.field("F") == first
    assert api.person() == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "ERR_SCHEMA_VALIDATION_FAILED"),
        (401, "unauthorized access"),
        (403, "Scope and URL mismatch"),
        (429, "Rate limit exceeded"),
        (500, "ERR_UNKNOWN"),
        (502, "<title>502 Bad gateway"),
        (503, "<title>503"),
    ],
)
def test_failures_on_order_have_pipedrives_words(api, control, status, words):
    """The gateway in front speaks HTML."""
    control.fault("answer", status=status)
    response = api.call("GET", "persons")
    assert response.status_code == status
    assert words in response.text


def test_a_late_create_lands_late(api, control):
    """The client is told nothing, the record appears when it is due."""
    control.fault("late", seconds=30, method="POST", times=1)
    with pytest.raises(requests.ConnectionError):
        api.person()
    assert control.about()["objects"]["persons"] == 0
    control.advance(30)
    assert control.about()["objects"]["persons"] == 1
