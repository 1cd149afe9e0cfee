"""Records a hundred at a time."""

from __future__ import annotations

import pytest

CONTACTS = "/crm/v3/objects/contacts"
UPSERT = f"{CONTACTS}/batch/upsert"


def by_email(address, trace_id=None, **properties):
    """Make one input of an upsert by address."""
    item = {"id": address, "idProperty": "email", "properties": {"email": address, **properties}}
    return item if trace_id is None else {**item, "objectWriteTraceId": trace_id}


def contacts(control):
    """Return how many there are."""
    return control.about()["objects"]["contacts"]


def test_an_upsert_creates_and_updates(api, control):
    """`new` tells which; the address is matched without case and kept in lower case."""
    known = api.contact("a@x.io")
    inputs = [by_email("A@X.io", "1", firstname="A"), by_email("b@x.io", "2")]
    response = api.call("POST", UPSERT, {"inputs": inputs})
    assert response.status_code == 200
    results = {one["objectWriteTraceId"]: one for one in response.json()["results"]}
    assert (results["1"]["id"], results["1"]["new"], results["2"]["new"]) == (known, False, True)
    assert results["1"]["properties"]["email"] == "a@x.io"
    assert contacts(control) == 2


def test_without_trace_ids_one_bad_input_rejects_all(api, control):
    """Nothing is written, and the answer names the bad value."""
    response = api.call("POST", UPSERT, {"inputs": [by_email("a@x.io"), by_email("bad")]})
    assert response.status_code == 400
    assert "INVALID_EMAIL" in response.json()["message"]
    assert contacts(control) == 0


@pytest.mark.parametrize("trace_ids", [("1", None), ("1", "1")])
def test_trace_ids_must_be_there_and_differ(api, control, trace_ids):
    """A missing or repeated trace id makes the batch all or nothing."""
    inputs = [by_email("a@x.io", trace_ids[0]), by_email("bad", trace_ids[1])]
    assert api.call("POST", UPSERT, {"inputs": inputs}).status_code == 400
    assert contacts(control) == 0


def test_with_trace_ids_each_input_stands_for_itself(api, control):
    """A 207 lists the bad input by its trace id alone; the good one is written."""
    inputs = [by_email("a@x.io", "1"), by_email("bad", "2")]
    response = api.call("POST", UPSERT, {"inputs": inputs})
    body = response.json()
    assert (response.status_code, body["numErrors"]) == (207, 1)
    assert body["errors"][0]["context"] == {"objectWriteTraceId": ["2"]}
    assert [one["objectWriteTraceId"] for one in body["results"]] == ["1"]
    assert contacts(control) == 1


@pytest.mark.parametrize("trace_ids", [(None, None), ("1", "2")])
def test_an_address_twice_rejects_all(api, control, trace_ids):
    """Duplicates are a whole 400, trace ids or not, in whatever case."""
    inputs = [by_email("a@x.io", trace_ids[0]), by_email("A@x.io", trace_ids[1])]
    response = api.call("POST", UPSERT, {"inputs": inputs})
    assert response.status_code == 400
    assert response.json()["context"] == {"ids": ["a@x.io"]}
    assert response.json()["message"].startswith("Duplicate IDs found in batch input: [a@x.io]")
    assert contacts(control) == 0


@pytest.mark.parametrize("call", ["create", "read", "update", "upsert", "archive"])
def test_a_hundred_and_one_inputs_are_too_many(api, call):
    """The limit holds for every batch."""
    inputs = [by_email(f"{n}@x.io") for n in range(101)]
    assert api.call("POST", f"{CONTACTS}/batch/{call}", {"inputs": inputs}).status_code == 400


def test_results_come_in_another_order(api):
    """Answers are shuffled unless that is switched off."""
    inputs = [by_email(f"{n}@x.io") for n in range(50)]
    results = api.ok("POST", UPSERT, {"inputs": inputs})["results"]
    assert [one["properties"]["email"] for one in results] != [item["id"] for item in inputs]


def test_results_can_lack_trace_ids(api, control):
    """A switch leaves the address as the only link to the input."""
    control.settings(trace_ids_in_results=False)
    (result,) = api.ok("POST", UPSERT, {"inputs": [by_email("a@x.io", "1")]})["results"]
    assert "objectWriteTraceId" not in result


def test_an_empty_success_did_nothing(api, control):
    """The rare 200 without results and errors leaves everything as it was."""
    control.settings(empty_success_probability=1.0)
    body = api.ok("POST", UPSERT, {"inputs": [by_email("a@x.io", "1")]})
    assert body["results"] == []
    assert contacts(control) == 0


@pytest.mark.parametrize(
    ("object_type", "name"),
    [("companies", "domain"), ("deals", "dealname"), ("contacts", "firstname"), ("contacts", "x")],
)
def test_upserts_need_a_unique_property(api, object_type, name):
    """Any other property is a whole 400 that names it."""
    item = {"id": "x", "idProperty": name, "properties": {name: "x"}}
    response = api.call("POST", f"/crm/v3/objects/{object_type}/batch/upsert", {"inputs": [item]})
    assert response.status_code == 400
    assert (
        f"non-unique 0-{['contacts', 'companies', 'deals'].index(object_type) + 1} property "
        in (response.json()["message"])
    )


def test_a_custom_unique_property_finds_and_guards(api, control):
    """Records are upserted by it, and no two can hold one value."""
    definition = {
        "name": "crmsync_id",
        "label": "crmsync",
        "type": "string",
        "fieldType": "text",
        "groupName": "companyinformation",
        "hasUniqueValue": True,
    }
    api.ok("POST", "/crm/v3/properties/companies", definition)
    item = {"id": "k1", "idProperty": "crmsync_id", "properties": {"name": "X"}}
    path = "/crm/v3/objects/companies"
    first = api.ok("POST", f"{path}/batch/upsert", {"inputs": [item]})["results"][0]
    again = api.ok("POST", f"{path}/batch/upsert", {"inputs": [item]})["results"][0]
    assert (first["new"], again["new"], again["id"]) == (True, False, first["id"])
    assert control.record("companies", first["id"])["properties"]["crmsync_id"] == "k1"
    response = api.call("POST", path, {"properties": {"crmsync_id": "k1"}})
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "CONFLICTING_UNIQUE_VALUE"
    by_key = {"inputs": [{"id": "k1"}], "idProperty": "crmsync_id", "properties": ["name"]}
    assert api.ok("POST", f"{path}/batch/read", by_key)["results"][0]["id"] == first["id"]


@pytest.mark.parametrize(("choice", "status"), [("apply", 200), ("refuse", 400)])
def test_two_addresses_of_one_contact(api, control, choice, status):
    """A primary and a secondary address in one batch are applied in turn or refused, as set."""
    control.settings(same_record_twice=choice)
    contact = api.contact("a@x.io", hs_additional_emails="b@x.io")
    inputs = [by_email("a@x.io", "1", firstname="A"), by_email("b@x.io", "2", lastname="B")]
    assert api.call("POST", UPSERT, {"inputs": inputs}).status_code == status
    held = control.record("contacts", contact)["properties"]
    assert held["email"] == "a@x.io"
    assert ("lastname" in held) == (status == 200)


def test_created_twins_conflict(api, control):
    """Of two new contacts with one address in a batch, the second is a conflict."""
    items = [
        {"properties": {"email": "a@x.io"}, "objectWriteTraceId": trace_id} for trace_id in "12"
    ]
    response = api.call("POST", f"{CONTACTS}/batch/create", {"inputs": items})
    assert response.status_code == 207
    (error,) = response.json()["errors"]
    assert (error["category"], error["context"]) == ("CONFLICT", {"objectWriteTraceId": ["2"]})
    assert contacts(control) == 1


def test_update_answers_are_spare(api):
    """A contact's batch update shows what was sent, without create date and record id."""
    contact = api.contact("a@x.io", firstname="A")
    body = {"inputs": [{"id": contact, "properties": {"jobtitle": "CTO"}}]}
    (result,) = api.ok("POST", f"{CONTACTS}/batch/update", body)["results"]
    assert result["id"] == contact
    assert not {"createdate", "hs_object_id", "firstname"} & set(result["properties"])
    assert result["properties"]["jobtitle"] == "CTO"


@pytest.mark.parametrize(
    ("traced", "choice", "status"),
    [(True, "reject", 207), (False, "reject", 400), (False, "partial", 207)],
)
def test_an_unknown_id_in_an_update(api, control, traced, choice, status):
    """With trace ids it is one error of a 207; without, the whole batch or not, as set."""
    control.settings(missing_without_trace_ids=choice)
    contact = api.contact("a@x.io")
    inputs = [{"id": record_id, "properties": {"firstname": "A"}} for record_id in (contact, "1")]
    if traced:
        inputs = [{**item, "objectWriteTraceId": item["id"]} for item in inputs]
    response = api.call("POST", f"{CONTACTS}/batch/update", {"inputs": inputs})
    assert response.status_code == status
    written = "firstname" in control.record("contacts", contact)["properties"]
    assert written is (status == 207)


def test_missing_records_of_a_read_are_listed(api):
    """A batch read is a 207 naming the ids that do not exist."""
    contact = api.contact("a@x.io")
    body = {"inputs": [{"id": contact}, {"id": "1"}]}
    response = api.call("POST", f"{CONTACTS}/batch/read", body)
    assert response.status_code == 207
    (error,) = response.json()["errors"]
    assert (error["category"], error["context"]) == ("OBJECT_NOT_FOUND", {"ids": ["1"]})
    assert [one["id"] for one in response.json()["results"]] == [contact]


def test_an_unknown_property_in_a_batch_read_is_named(api):
    """The 207 names the property and no ids."""
    body = {"inputs": [{"id": api.contact("a@x.io")}], "properties": ["nope"]}
    response = api.call("POST", f"{CONTACTS}/batch/read", body)
    assert response.status_code == 207
    assert "nope" in response.json()["errors"][0]["message"]
    assert "ids" not in response.json()["errors"][0]["context"]


def test_a_secondary_address_finds_the_contact(api):
    """Reading by address looks at all of a contact's addresses."""
    contact = api.contact("a@x.io", hs_additional_emails="b@x.io")
    body = {"inputs": [{"id": "B@x.io"}], "idProperty": "email", "properties": ["email"]}
    assert api.ok("POST", f"{CONTACTS}/batch/read", body)["results"][0]["id"] == contact


def test_archiving_unknown_ids_is_no_error(api, control):
    """A batch archive is a 204 whatever it names."""
    contact = api.contact("a@x.io")
    body = {"inputs": [{"id": contact}, {"id": "1"}]}
    assert api.call("POST", f"{CONTACTS}/batch/archive", body).status_code == 204
    assert contacts(control) == 0


def test_a_property_that_went_away_fails_the_batch_by_name(api, control):
    """Field drift between two runs is a 400 that names the property or the option."""
    control.act("archive_property", object_type="contacts", name="jobtitle")
    control.act("remove_option", object_type="contacts", name="lifecyclestage", value="lead")
    for name, value, code in (
        ("jobtitle", "CTO", "PROPERTY_DOESNT_EXIST"),
        ("lifecyclestage", "lead", "INVALID_OPTION"),
    ):
        body = {"inputs": [by_email("a@x.io", **{name: value})]}
        errors = api.call("POST", UPSERT, body).json()["errors"]
        assert [(e["code"], e["context"]["propertyName"]) for e in errors] == [(code, [name])]


def test_the_same_seed_gives_the_same_answers(api, control):
    """Order, ids and tokens repeat after a reset."""
    runs = []
    for _ in range(2):
        control.reset()
        inputs = [by_email(f"{n}@x.io") for n in range(20)]
        response = api.call("POST", UPSERT, {"inputs": inputs})
        ids = [one["id"] for one in response.json()["results"]]
        runs.append((ids, response.headers["X-HubSpot-Correlation-Id"]))
    assert runs[0] == runs[1]
