"""sObject collections."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.salesforce.conftest import UPSERT, codes, collection


def test_an_upsert_answers_in_order(api):
    """Created and updated ones, each at its place; a failure has no id and its own key."""
    api.create("Contact", LastName="Old", Ext__c="p-2")
    rows = api.upsert(
        {"Ext__c": "p-1", "LastName": "Li"},
        {"Ext__c": "P-2", "LastName": "Lo"},
        {"Ext__c": "p-3", "Email": "a@x.io"},
    )
    assert [row.get("created") for row in rows] == [True, False, None]
    assert rows[2] == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [LastName]",
                "fields": ["LastName"],
            }
        ],
    }


def test_a_call_of_failures_is_a_success(api):
    """HTTP 200 with every row failed."""
    rows = api.upsert({"Ext__c": "p-1", "LastName": ""}, {"Ext__c": "p-2", "Email": "x"})
    assert codes(rows) == ["REQUIRED_FIELD_MISSING", "INVALID_EMAIL_ADDRESS"]


def test_more_than_200_records_are_refused(api):
    """The whole call, with nothing written."""
    records = [{"Ext__c": f"p-{n}", "LastName": "L"} for n in range(201)]
    for method, path in (("PATCH", UPSERT), ("POST", "composite/sobjects")):
        body = collection(*records)
        assert api.refused(method, path, body) == (400, "EXCEEDED_ID_LIMIT")
    assert api.query("SELECT COUNT() FROM Contact")["totalSize"] == 0
    assert codes(api.upsert(*records[:200])) == [None] * 200


def test_one_key_twice_fails_all_its_rows(api):
    """Not only the second; the others are written."""
    rows = api.upsert(
        {"Ext__c": "p-1", "LastName": "A"},
        {"Ext__c": "p-2", "LastName": "B"},
        {"Ext__c": "P-1", "LastName": "C"},
    )
    assert codes(rows) == ["DUPLICATE_VALUE", None, "DUPLICATE_VALUE"]
    assert rows[0]["errors"][0]["message"] == "Duplicate external id specified: p-1"


def test_all_or_none_rolls_everything_back(api):
    """One failure, and the innocent say so."""
    (known,) = api.upsert({"Ext__c": "p-0", "LastName": "Old"})
    rows = api.upsert(
        {"Ext__c": "p-0", "LastName": "New"},
        {"Ext__c": "p-1", "LastName": "L"},
        {"Ext__c": "p-2"},
        allOrNone=True,
    )
    rolled_back = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert codes(rows) == [rolled_back, rolled_back, "REQUIRED_FIELD_MISSING"]
    assert api.query("SELECT COUNT() FROM Contact")["totalSize"] == 1
    assert api.read("Contact", known["id"])["LastName"] == "Old"
    assert codes(api.upsert({"Ext__c": "p-1", "LastName": "L"}, allOrNone=True)) == [None]


@pytest.mark.parametrize("code", ["DUPLICATE_EXTERNAL_ID", "DUPLICATE_VALUE"])
def test_several_matches_fail_the_row(api, sandbox, code):
    """By either of the codes this may have."""
    sandbox.control.settings(several_matches_code=code)
    sandbox.control.act("add_field", object_type="Contact", name="Loose__c", external_id=True)
    for name in ("Li", "Lo"):
        api.create("Contact", LastName=name, Loose__c="x")
    body = collection({"Loose__c": "x", "LastName": "L"}, {"Loose__c": "y", "LastName": "L"})
    rows = api.ok("PATCH", "composite/sobjects/Contact/Loose__c", body)
    assert codes(rows) == [code, None]


def test_a_row_without_its_key_or_with_an_id_fails(api):
    """The key is in the row, the id is not."""
    contact = api.create("Contact", LastName="Li")
    rows = api.upsert(
        {"LastName": "L"}, {"Ext__c": " ", "LastName": "L"}, {"Ext__c": "p", "id": contact}
    )
    assert codes(rows) == ["MISSING_ARGUMENT", "MISSING_ARGUMENT", "INVALID_FIELD"]


@pytest.mark.parametrize(
    ("row", "code", "row_code"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD", "INVALID_FIELD"),
        (
            {"HasOptedOutOfEmail": "yes"},
            "JSON_PARSER_ERROR",
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
        ),
    ],
)
def test_what_does_not_fit_the_type_fails_the_call_or_its_row(api, sandbox, row, code, row_code):
    """Which of the two is not known, so both can be had; nothing is written in the first."""
    good = {"Ext__c": "p-1", "LastName": "L"}
    bad = {"Ext__c": "p-2", "LastName": "L", **row}
    assert api.refused("PATCH", UPSERT, collection(good, bad)) == (400, code)
    assert api.query("SELECT COUNT() FROM Contact")["totalSize"] == 0
    sandbox.control.settings(malformed_rows="record")
    assert codes(api.upsert(good, bad)) == [None, row_code]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "JSON_PARSER_ERROR"),
        ({"records": {}}, "JSON_PARSER_ERROR"),
        ({"records": [{"LastName": "L"}]}, "JSON_PARSER_ERROR"),
        (collection({"Name": "L"}, kind="Nope"), "INVALID_TYPE"),
        (collection({"Name": "L"}, kind="Account"), "INVALID_TYPE"),
    ],
)
def test_a_malformed_body_fails_the_call(api, body, code):
    """No rows, no types, an unknown type, a type other than the path's."""
    assert api.refused("PATCH", UPSERT, body) == (400, code)


def test_upserts_need_a_version_that_has_them(api):
    """Before 46.0 there is nothing at this path."""
    path = f"/services/data/v45.0/{UPSERT}"
    assert api.refused("PATCH", path, collection({"Ext__c": "p"})) == (404, "NOT_FOUND")


def test_records_of_several_types_are_created_in_chunks(api):
    """At most ten stretches of one type in a call."""
    contact = {"attributes": {"type": "Contact"}, "LastName": "L"}
    account = {"attributes": {"type": "Account"}, "Name": "A"}
    mixed = {"records": [contact, account] * 5}
    rows = api.ok("POST", "composite/sobjects", mixed)
    assert codes(rows) == [None] * 10
    assert "created" not in rows[0]
    too_mixed = {"records": [contact, account] * 5 + [contact]}
    assert api.refused("POST", "composite/sobjects", too_mixed)[0] == 400
    sorted_ones = {"records": [contact] * 6 + [account] * 5}
    assert codes(api.ok("POST", "composite/sobjects", sorted_ones)) == [None] * 11


def test_updates_go_by_id(api):
    """A missing id, a malformed one, an unknown one and a deleted one fail apart."""
    known, gone = (api.create("Contact", LastName=name) for name in ("A", "B"))
    api.ok("DELETE", f"sobjects/Contact/{gone}")
    body = collection(
        {"id": known, "LastName": "New"},
        {"LastName": "x"},
        {"Id": "nonsense", "LastName": "x"},
        {"id": "0035e0000000009AAA", "LastName": "x"},
        {"id": gone, "LastName": "x"},
    )
    rows = api.ok("PATCH", "composite/sobjects", body)
    assert codes(rows) == [
        None,
        "MISSING_ARGUMENT",
        "MALFORMED_ID",
        "INVALID_CROSS_REFERENCE_KEY",
        "ENTITY_IS_DELETED",
    ]
    assert rows[0] == {"id": known, "success": True, "errors": []}
    assert api.read("Contact", known)["LastName"] == "New"


def test_records_are_deleted_by_id(api):
    """Each with its own result."""
    contact = api.create("Contact", LastName="A")
    rows = api.ok("DELETE", f"composite/sobjects?ids={contact},0035e0000000009AAA")
    assert codes(rows) == [None, "INVALID_CROSS_REFERENCE_KEY"]


def test_records_are_read_by_id(api):
    """In order, null for one that is not there, by GET and by POST."""
    contact = api.create("Contact", LastName="A", Email="a@x.io")
    ids = ["0035e0000000009AAA", contact]
    by_post = api.ok("POST", "composite/sobjects/Contact", {"ids": ids, "fields": ["Email"]})
    by_get = api.ok("GET", f"composite/sobjects/Contact?ids={','.join(ids)}&fields=Email")
    assert by_post == by_get
    assert by_post[0] is None
    many = {"ids": [contact] * 2001, "fields": ["Id"]}
    refused = api.refused("POST", "composite/sobjects/Contact", many)
    assert refused == (400, "EXCEEDED_ID_LIMIT")
    assert (by_post[1]["Id"], by_post[1]["Email"]) == (contact, "a@x.io")


RULE = {"Ext__c": "p-1", "LastName": "L", "Email": "A@x.io"}
PASS = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true"}


def test_an_alerting_duplicate_rule_lets_those_pass_who_insist(api, sandbox):
    """With the header the row is saved, without it it is refused."""
    api.create("Contact", LastName="L", Email="a@X.io")
    sandbox.control.settings(duplicate_rule="alert")
    assert codes(api.upsert(RULE)) == ["DUPLICATES_DETECTED"]
    assert codes(api.upsert(RULE, headers=PASS)) == [None]


def test_a_blocking_duplicate_rule_lets_nobody_pass(api, sandbox):
    """The single call's error names the record that is there already."""
    known = api.create("Contact", LastName="L", Email="a@x.io")
    sandbox.control.settings(duplicate_rule="block")
    assert codes(api.upsert(RULE, headers=PASS)) == ["DUPLICATES_DETECTED"]
    (error,) = api.call("POST", "sobjects/Contact", {"LastName": "L", "Email": "a@x.io"}).json()
    matches = error["duplicateResult"]["matchResults"][0]["matchRecords"]
    assert [match["record"]["Id"] for match in matches] == [known]
    assert error["duplicateResult"]["allowSave"] is False


def test_the_rule_looks_at_changes_of_the_address_only(api, sandbox):
    """An update that leaves the address as it is passes."""
    first = api.create("Contact", LastName="L", Email="a@x.io")
    api.create("Contact", LastName="L", Email="a@x.io")
    sandbox.control.settings(duplicate_rule="block")
    api.ok("PATCH", f"sobjects/Contact/{first}", {"Email": "a@x.io", "Title": "T"})
