"""Values to and from HubSpot's strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.connectors.hubspot.values import from_wire, to_wire
from crmsync.model import FieldType


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("text", "text"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (12, "12"),
        (12.0, "12"),
        (12.5, "12.5"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (["a", "b"], "a;b"),
        ([], ""),
        ("2026-01-02", "2026-01-02"),
    ],
)
def test_values_travel_as_strings(value, wire):
    """Every value is a string, a cleared one the empty string."""
    assert to_wire(value) == wire


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_does_not_travel(value):
    """NaN and infinities are refused."""
    with pytest.raises(ValueError, match="finite"):
        to_wire(value)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (None, FieldType.TEXT, None),
        ("", FieldType.NUMBER, None),
        ("0012", FieldType.TEXT, "0012"),
        ("12.50", FieldType.NUMBER, 12.5),
        ("12.0", FieldType.NUMBER, 12),
        ("1E+3", FieldType.NUMBER, 1000),
        ("twelve", FieldType.NUMBER, "twelve"),
        ("NaN", FieldType.NUMBER, "NaN"),
        ("true", FieldType.BOOLEAN, True),
        ("False", FieldType.BOOLEAN, False),
        ("maybe", FieldType.BOOLEAN, "maybe"),
        ("2026-01-02", FieldType.DATE, "2026-01-02"),
        ("1767312000000", FieldType.DATE, "2026-01-02"),
        ("2026-01-02T03:04:05Z", FieldType.DATETIME, "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.678Z", FieldType.DATETIME, "2026-01-02T03:04:05.678Z"),
        ("1767323045678", FieldType.DATETIME, "2026-01-02T03:04:05.678Z"),
        ("99999999999999999999", FieldType.DATETIME, "99999999999999999999"),
        ("b;a", FieldType.MULTI_PICKLIST, ["a", "b"]),
        (";b", FieldType.MULTI_PICKLIST, ["b"]),
    ],
)
def test_strings_become_canonical_values(text, kind, value):
    """Text is read by the field's type; text that does not fit stays text."""
    assert from_wire(text, kind) == value


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_survives_the_way_there_and_back(number):
    """No number is changed by being written out and read back."""
    assert from_wire(to_wire(number), FieldType.NUMBER) == number


@pytest.mark.parametrize(
    ("told", "kind", "value"),
    [
        (3, FieldType.NUMBER, 3),
        (True, FieldType.BOOLEAN, True),
        (1.5, FieldType.TEXT, "1.5"),
        ({"a": 1}, FieldType.TEXT, '{"a":1}'),
        (["a"], FieldType.MULTI_PICKLIST, ['["a"]']),
    ],
)
def test_a_value_that_is_no_text_is_read_as_its_text(told, kind, value):
    """HubSpot says that all are texts; one that is not becomes no value of another type."""
    assert from_wire(told, kind) == value
