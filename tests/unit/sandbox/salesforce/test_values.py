"""How values are checked and kept."""

from __future__ import annotations

import pytest

from crmsync.sandbox.salesforce.wire import full_id, make_id, moment


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("FirstName", "  Ann ", "Ann"),
        ("FirstName", "", None),
        ("FirstName", "   ", None),
        ("Email", "Ann@Example.COM", "Ann@Example.COM"),
        ("Birthdate", "2000-02-29", "2000-02-29"),
        ("Description", "x" * 32_000, "x" * 32_000),
        ("Score__c", "1", 1.0),
        ("Score__c", 2.345, 2.35),
        ("Score__c", "", None),
        ("Size__c", 3.0, 3),
        ("Tags__c", "A;B;A", "A;B"),
        ("Loose__c", "Anything", "Anything"),
        ("Seen__c", "2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00.000+0000"),
        ("Seen__c", "2024-05-01T10:00:00", "2024-05-01T10:00:00.000+0000"),
        ("Seen__c", "2024-05-01T10:00:00.123Z", "2024-05-01T10:00:00.123+0000"),
        ("HasOptedOutOfEmail", True, True),
    ],
)
def test_values_are_kept_as_salesforce_keeps_them(api, sandbox, field, sent, kept):
    """Trimmed, rounded, in UTC; an empty text is null."""
    customise(sandbox.control)
    contact = api.create("Contact", LastName="Li", **{field: sent})
    assert api.read("Contact", contact)[field] == kept


@pytest.mark.parametrize(
    ("field", "sent", "code"),
    [
        ("LastName", None, "REQUIRED_FIELD_MISSING"),
        ("LastName", " ", "REQUIRED_FIELD_MISSING"),
        ("LastName", "x" * 81, "STRING_TOO_LONG"),
        ("Email", "ann", "INVALID_EMAIL_ADDRESS"),
        ("Email", "ann@x..io", "INVALID_EMAIL_ADDRESS"),
        ("LeadSource", "Nowhere", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Tags__c", "A;C", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Score__c", 10**16, "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Size__c", 2**31, "NUMBER_OUTSIDE_VALID_RANGE"),
        ("HasOptedOutOfEmail", None, "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Name", "Ann", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Nope__c", "x", "INVALID_FIELD"),
        ("Birthdate", "01.02.2003", "JSON_PARSER_ERROR"),
        ("Birthdate", "2023-02-29", "JSON_PARSER_ERROR"),
        ("Seen__c", "2024-05-01", "JSON_PARSER_ERROR"),
        ("Score__c", "many", "JSON_PARSER_ERROR"),
        ("Size__c", 1.5, "JSON_PARSER_ERROR"),
        ("HasOptedOutOfEmail", "yes", "JSON_PARSER_ERROR"),
        ("FirstName", 5, "JSON_PARSER_ERROR"),
        ("FirstName", {"a": 1}, "JSON_PARSER_ERROR"),
        ("FirstName", ["a"], "JSON_PARSER_ERROR"),
    ],
)
def test_wrong_values_are_refused(api, sandbox, field, sent, code):
    """Nothing is cut, guessed or dropped: each wrong value has its code."""
    customise(sandbox.control)
    body = {"LastName": "Li", field: sent}
    assert api.refused("POST", "sobjects/Contact", body) == (400, code)


def test_a_refusal_names_the_field(api):
    """Words and fields are those a person reads in traffic."""
    (error,) = api.call("POST", "sobjects/Lead", {}).json()
    assert error == {
        "message": "Required fields are missing: [LastName, Company]",
        "errorCode": "REQUIRED_FIELD_MISSING",
        "fields": ["LastName", "Company"],
    }
    (error,) = api.call("POST", "sobjects/Contact", {"LastName": "x" * 81}).json()
    assert error["message"] == f"Last Name: data value too large: {'x' * 81} (max length=80)"


def test_a_required_field_cannot_be_cleared(api):
    """An update that would is refused as a create without it is."""
    path = f"sobjects/Contact/{api.create('Contact', LastName='Li')}"
    assert api.refused("PATCH", path, {"LastName": None})[1] == "REQUIRED_FIELD_MISSING"


def test_a_unique_value_belongs_to_one_record(api):
    """The refusal names its holder; a deleted record's value is free."""
    holder = api.create("Contact", LastName="Li", Ext__c="p-1")
    (error,) = api.call("POST", "sobjects/Contact", {"LastName": "L", "Ext__c": "P-1"}).json()
    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert holder in error["message"]
    api.ok("DELETE", f"sobjects/Contact/{holder}")
    api.create("Contact", LastName="L", Ext__c="P-1")


def test_ids_have_a_suffix_that_tells_their_case():
    """As in Salesforce's own example of the two forms."""
    assert full_id("001D000000IqhSL") == "001D000000IqhSLIAZ"
    assert full_id("001d000000iqhslIAZ") is None
    assert make_id("003", 62) == full_id("0035e0000000010")


@pytest.mark.parametrize("text", ["", "2024-05-01", "yesterday", "2024-13-01T00:00:00Z"])
def test_what_is_no_time_is_none(text):
    """A date alone is not a time."""
    assert moment(text) is None


def customise(control):
    """Add a field of each further type."""
    for name, details in {
        "Score__c": {"type": "double"},
        "Size__c": {"type": "int"},
        "Seen__c": {"type": "datetime"},
        "Tags__c": {"type": "multipicklist", "options": ["A", "B"], "restricted": True},
        "Loose__c": {"type": "picklist", "options": ["A"]},
    }.items():
        control.act("add_field", object_type="Contact", name=name, **details)
