"""Queries: literals, chunks and cursors."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest

from crmsync.connectors.salesforce.library import is_name, quoted
from crmsync.connectors.salesforce.soql import Place, fits, literal, lookups
from tests.unit.connectors.salesforce.answers import contact

COLUMNS = contact().columns


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("LastName", "Li", "'Li'"),
        ("LastName", "12", "'12'"),
        ("LastName", "O'Hara", r"'O\'Hara'"),
        ("LastName", r"a\' OR Id != '", r"'a\\\' OR Id != \''"),
        ("LastName", 'a"b\nc\td\re\bf\f', r"'a\"b\nc\td\re\bf\f'"),
        ("LastName", "", None),
        ("LastName", "  ", None),
        ("LastName", "x" * 81, None),
        ("Visits__c", "12", "12"),
        ("Visits__c", "-1.5", "-1.5"),
        ("Visits__c", "1) OR (1 = 1", None),
        ("Visits__c", "'12'", None),
        ("Active__c", "true", "true"),
        ("Active__c", "yes", None),
        ("Seen__c", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("Seen__c", "LAST_N_DAYS:7", None),
        ("AccountId", "0015e00000AbCdE", "'0015e00000AbCdE'"),
    ],
)
def test_a_value_is_quoted_by_the_type_of_its_field(name, value, found):
    """Backslash first; what a field cannot hold is not asked for, so nothing can be smuggled in."""
    assert literal(value, COLUMNS[name], quoted) == found


@pytest.mark.parametrize(
    ("text", "good"),
    [("Contact", True), ("Key__c", True), ("a b", False), ("x;", False), ("1x", False),
     ("", False), ("Ünï", False), ("A.Name", False)],
)  # fmt: skip
def test_names_are_plain(text, good):
    """They cannot be escaped, so nothing else is let in."""
    assert is_name(text) is good


def test_a_query_holds_as_many_values_as_its_address_may():
    """Every value once, in order, and no query longer than a request line can carry."""
    literals = [quoted(f"person.number.{n}@example.com") for n in range(2_000)]
    queries = list(lookups("Contact", "Email", literals, ["LastName"]))
    assert all(len(quote_plus(soql)) < 12_000 for soql in queries)
    assert 5 < len(queries) < 10
    inside = [soql.partition("IN (")[2].partition(")")[0].split(",") for soql in queries]
    assert [text for part in inside for text in part] == literals
    assert queries[0].startswith("SELECT Id, Email, LastName FROM Contact WHERE Email IN (")
    assert queries[0].endswith("ORDER BY Id")


def test_text_that_grows_when_it_is_encoded_is_counted_so():
    """A character outside ASCII takes up to twelve bytes of an address."""
    literals = [quoted("ü" * 70 + str(n)) for n in range(100)]
    assert all(len(quote_plus(soql)) < 12_000 for soql in lookups("Lead", "Email", literals, []))


def test_hundreds_of_fields_do_not_fit_an_address():
    """They are read in two steps."""
    assert fits("Contact", "Email", ["LastName"])
    assert not fits("Contact", "Email", [f"A_field_with_a_long_name_{n}__c" for n in range(300)])


def test_a_pull_looks_behind_its_cursor():
    """A transaction is stamped before it is committed."""
    soql = Place.of("2024-05-01T10:00:00Z").query("Contact", ["Email"])
    assert "SystemModstamp >= 2024-05-01T09:55:00Z ORDER BY SystemModstamp, Id" in soql
    assert "1970" in Place.of(None).query("Contact", [])


def test_a_pull_goes_on_from_an_exact_place():
    """Behind the last record of its second, so that a second of a million records has an end."""
    cursor = "2024-05-01T10:00:00Z/0035e00000AbCdEAAV"
    soql = Place.of(cursor).query("Contact", ["Email"])
    assert (
        "WHERE SystemModstamp >= 2024-05-01T10:00:00Z AND"
        " (SystemModstamp > 2024-05-01T10:00:00Z OR Id > '0035e00000AbCdEAAV') ORDER BY"
    ) in soql
    assert str(Place.of(cursor)) == cursor
