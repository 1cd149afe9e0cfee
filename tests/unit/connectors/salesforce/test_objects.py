"""What is read of a describe answer."""

from __future__ import annotations

import pytest

from crmsync.connectors.salesforce.objects import described
from crmsync.model import Directory, FieldType
from tests.unit.connectors.salesforce.answers import choices, column, contact

FIELDS = contact().schema.fields


def test_only_an_external_id_with_unique_values_is_unique():
    """Either alone cannot be upserted by safely: two at once would make two records."""
    assert {name for name, field in FIELDS.items() if field.unique} == {
        "Key__c", "Number__c", "Case__c"
    }  # fmt: skip


def test_required_is_what_a_create_cannot_do_without():
    """Not nillable, not defaulted, and writable at all: a checkbox and the owner are not."""
    assert {name for name, field in FIELDS.items() if field.required} == {"LastName"}


def test_formulas_are_not_writable_and_compounds_are_left_out():
    """An address is read and written by its parts."""
    assert not FIELDS["Total__c"].writable
    assert not FIELDS["Id"].writable
    assert "MailingAddress" not in FIELDS


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("textarea", FieldType.TEXT),
        ("url", FieldType.TEXT),
        ("encryptedstring", FieldType.TEXT),
        ("percent", FieldType.NUMBER),
        ("reference", FieldType.REFERENCE),
        ("multipicklist", FieldType.MULTI_PICKLIST),
        ("time", FieldType.TEXT),
    ],
)
def test_types(type_, kind):
    """Salesforce's types are ours, or text."""
    found = described("X", {"fields": [column("F", type_)]})
    assert found.schema.fields["F"].type is kind


def test_choices_are_the_active_ones():
    """A value that was deactivated cannot be written."""
    values = [*choices(("a", "A")), *choices(("b", "B"), active=False)]
    found = described("X", {"fields": [column("F", "picklist", picklistValues=values)]})
    assert found.schema.fields["F"].options == (("a", "A"),)


def test_times_are_kept_to_the_second():
    """So that a fraction is not sent for ever."""
    assert FIELDS["Seen__c"].whole_seconds
    assert not FIELDS["LastName"].whole_seconds


@pytest.mark.parametrize("answer", [{}, {"fields": [{}]}, {"fields": 1}, {"fields": [1]}])
def test_another_shape_is_an_error_of_reading(answer):
    """Which the connector takes for a lost answer."""
    with pytest.raises((LookupError, TypeError)):
        described("X", answer)


def test_numbers_may_come_as_digits():
    """A length and a scale are numbers either way."""
    found = described("X", {"fields": [column("F", "double", length="18", scale="2")]})
    assert (found.schema.fields["F"].max_length, found.columns["F"].decimals) == (18, 2)


def test_users_and_stages_are_known_by_name():
    """Fields that hold a user's id, custom ones too, and an opportunity's stage."""
    shown = [
        column("OwnerId", "reference", referenceTo=["Group", "User"]),
        column("Manager__c", "reference", referenceTo=["User"]),
        column("AccountId", "reference", referenceTo=["Account"]),
        column("StageName", "picklist"),
    ]
    deals = described("Opportunity", {"fields": shown}).schema.fields
    assert {name: field.directory for name, field in deals.items()} == {
        "OwnerId": Directory.OWNERS,
        "Manager__c": Directory.OWNERS,
        "AccountId": None,
        "StageName": Directory.STAGES,
    }
    others = described("Contact", {"fields": shown}).schema.fields
    assert others["StageName"].directory is None
