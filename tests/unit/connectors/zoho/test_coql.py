"""Queries as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.connectors.zoho import coql
from crmsync.connectors.zoho.cursors import Place
from crmsync.connectors.zoho.fields import Field
from crmsync.errors import BatchRejected
from crmsync.model import FieldSchema, FieldType
from crmsync.sandbox.zoho.coql.grammar import parse

COLUMNS = ["id", "Email"]
AT = datetime(2024, 7, 16, 9, 31, 2, tzinfo=UTC)


def field(kind):
    """A field of a type."""
    return Field(FieldSchema("X", "X", kind), "", None, {}, case_matters=False)


def test_who_holds_a_value():
    """Lowest id first, a page of what costs one credit."""
    query = coql.holders("Contacts", "Email", ["'a@x.io'", "'b@x.io'"], COLUMNS, None)
    assert query == (
        "select id, Email from Contacts where Email in ('a@x.io', 'b@x.io')"
        " order by id asc limit 0, 200"
    )


@pytest.mark.parametrize("count", [50, 51, 100, 130, 250])
def test_many_values_join_in_pairs(count):
    """No `in` has more than 50 values, and no bracket more than two criteria."""
    literals = [coql.text(f"p{n}@x.io") for n in range(count)]
    query = coql.holders("Contacts", "Email", literals, COLUMNS, "17")
    parse(query)  # which refuses three criteria in a row
    assert query.count(" in (") == -(-count // 50)
    assert "and id > 17)" in query


HOSTILE = ["x' or id is not null or Email = '", "\\", "\\'", "') order by id --", "a\nb", "Ü🎉"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_stays_a_value(value):
    """Quotes and backslashes of a value cannot end its literal."""
    query = coql.holders("Contacts", "Email", [coql.text(value)], COLUMNS, None)
    assert parse(query).where.values == (value,)


@pytest.mark.parametrize("name", ["id from Users where id", "a.b", "a b", "", "a'"])
def test_a_name_is_a_name(name):
    """What does not look like an API name never gets into a query."""
    with pytest.raises(BatchRejected, match="none of Zoho's"):
        coql.holders(name, "Email", ["'a'"], COLUMNS, None)
    with pytest.raises(BatchRejected, match="none of Zoho's"):
        coql.holders("Contacts", "Email", ["'a'"], [name], None)


def test_what_changed():
    """A walk begins at a time and goes on behind the last record of a page."""
    first = coql.changed("Contacts", Place(AT), COLUMNS, 200)
    assert first == (
        "select id, Email from Contacts where Modified_Time >= '2024-07-16T09:31:02+00:00'"
        " order by Modified_Time asc, id asc limit 0, 200"
    )
    second = coql.changed("Contacts", Place(AT, "17"), COLUMNS, 2_000)
    assert second == (
        "select id, Email from Contacts where (Modified_Time > '2024-07-16T09:31:02+00:00'"
        " or (Modified_Time = '2024-07-16T09:31:02+00:00' and id > 17))"
        " order by Modified_Time asc, id asc limit 0, 2000"
    )
    assert [parse(query).limit for query in (first, second)] == [200, 2_000]


LITERALS = [
    (FieldType.TEXT, "12", "'12'"),
    (FieldType.NUMBER, "12", "12"),
    (FieldType.NUMBER, " 12.50 ", "12.50"),
    (FieldType.NUMBER, "1e3", "1000"),
    (FieldType.NUMBER, "twelve", None),
    (FieldType.NUMBER, "NaN", None),
    (FieldType.NUMBER, "1e999999999", None),
    (FieldType.NUMBER, "1e-999999999", None),
    (FieldType.REFERENCE, "500001", "'500001'"),
]


@pytest.mark.parametrize(("kind", "value", "literal"), LITERALS)
def test_literals(kind, value, literal):
    """Numbers stand without quotes; what is no number is nobody's."""
    assert coql.literal(field(kind), value) == literal
