"""Values to and from the wire."""

from __future__ import annotations

import pytest

from crmsync.connectors.salesforce.values import from_wire, misfit, to_wire
from crmsync.model import FieldType
from tests.unit.connectors.salesforce.answers import contact

COLUMNS = contact().columns


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("LastName", "Li", "Li"),
        ("LastName", None, None),
        ("Visits__c", 7, 7),
        ("Visits__c", 0.1 + 0.2, 0.3),
        ("Active__c", True, True),
        ("Active__c", None, False),
        ("LeadSource", "Web", "Web"),
        ("LeadSource", "Phone", "ph"),
        ("Stage__c", "Cold", "Cold"),
        ("Tags__c", ["A", "Bb"], "A;B"),
        ("Seen__c", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.000Z"),
    ],
)
def test_a_value_is_sent_as_the_field_takes_it(name, value, sent):
    """Labels become values, an emptied checkbox is unticked, noise behind the point goes."""
    assert to_wire(value, COLUMNS[name]) == sent


@pytest.mark.parametrize(
    ("kind", "shown", "value"),
    [
        (FieldType.TEXT, "Li", "Li"),
        (FieldType.TEXT, "", None),
        (FieldType.TEXT, None, None),
        (FieldType.TEXT, {"street": "x"}, None),
        (FieldType.EMAIL, "Ann@X.io", "ann@x.io"),
        (FieldType.NUMBER, 3.0, 3),
        (FieldType.NUMBER, 3.5, 3.5),
        (FieldType.NUMBER, "12", 12),
        (FieldType.NUMBER, "many", "many"),
        (FieldType.BOOLEAN, False, False),
        (FieldType.DATE, "2024-05-01", "2024-05-01"),
        (FieldType.DATETIME, "2024-05-01T10:00:00.000+0000", "2024-05-01T10:00:00.000Z"),
        (FieldType.DATETIME, "2024-05-01T12:00:00.000+0200", "2024-05-01T10:00:00.000Z"),
        (FieldType.DATETIME, "soon", "soon"),
        (FieldType.MULTI_PICKLIST, "B;A", ["A", "B"]),
    ],
)
def test_what_is_shown_is_read_canonically(kind, shown, value):
    """So that what Salesforce rewrites does not look like a change."""
    found = from_wire(shown, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD", "Nope__c"),
        ({"Visits__c": 1.239}, "TOO_PRECISE", "round: 2"),
        ({"LeadSource": "Carrier pigeon"}, "INVALID_OPTION", "Web, ph"),
        ({"Tags__c": ["A", "C"]}, "INVALID_OPTION", "A, B"),
    ],
)
def test_what_would_be_kept_as_something_else_is_not_sent(fields, code, said):
    """The refusal names the field and what it takes, never the value."""
    failure = misfit(fields, COLUMNS)
    assert (failure.code, failure.field) == (code, next(iter(fields)))
    assert said in failure.message + failure.hint
    assert "pigeon" not in failure.message + failure.hint
    assert "1.239" not in failure.message + failure.hint


@pytest.mark.parametrize(
    "fields",
    [
        {"Visits__c": 0.1 + 0.2},
        {"Visits__c": 12.25},
        {"LeadSource": None},
        {"LeadSource": "Phone"},
        {"Stage__c": "Cold"},
        {"LastName": "x" * 500},
    ],
)
def test_what_fits_or_is_refused_by_the_org_itself_is_sent(fields):
    """A restricted picklist and the length of a text are Salesforce's to refuse."""
    assert misfit(fields, COLUMNS) is None
