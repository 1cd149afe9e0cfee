"""Values to and from the wire."""

from __future__ import annotations

import math

import pytest

from crmsync.connectors.zoho.fields import Field
from crmsync.connectors.zoho.values import Misfit, from_wire, to_wire
from crmsync.model import FieldSchema, FieldType

CHOICES = {"web": "web", "Internet": "web", "chat": "chat"}


def field(kind, data_type="", *, decimals=None, choices=None):
    """A field of a type."""
    options = (("web", "Internet"), ("chat", "chat")) if choices else ()
    schema = FieldSchema("X", "X", kind, options=options)
    return Field(schema, data_type, decimals, choices or {}, case_matters=False)


TEXT, NUMBER = field(FieldType.TEXT), field(FieldType.NUMBER)
PICK, MANY = (field(k, choices=CHOICES) for k in (FieldType.PICKLIST, FieldType.MULTI_PICKLIST))
WHEN = field(FieldType.DATETIME)
LOOKUP = field(FieldType.REFERENCE, "lookup")
MONEY = field(FieldType.NUMBER, "currency", decimals=2)

BOTH_WAYS = [
    (TEXT, "Li; Ma", "Li; Ma"),
    (TEXT, None, None),
    (field(FieldType.BOOLEAN), False, False),
    (field(FieldType.DATE), "2024-07-16", "2024-07-16"),
    (WHEN, "2024-07-16T09:31:02.000Z", "2024-07-16T09:31:02+00:00"),
    (NUMBER, 12.5, 12.5),
    (MONEY, 0.1, 0.1),
    (field(FieldType.NUMBER, "bigint"), 123456789012345678, "123456789012345678"),
    (PICK, "web", "web"),
    (field(FieldType.PICKLIST), "anything", "anything"),
    (MANY, ["chat", "web"], ["chat", "web"]),
    (LOOKUP, "500001", {"id": "500001"}),
]


@pytest.mark.parametrize(("of", "canonical", "wire"), BOTH_WAYS)
def test_both_ways(of, canonical, wire):
    """What is written is read back the same."""
    assert to_wire(of, canonical) == wire
    assert from_wire(of, wire) == canonical


TO_ZOHO = [
    (WHEN, "2024-07-16T09:31:02.678Z", "2024-07-16T09:31:02+00:00"),
    (PICK, "Internet", "web"),
    (MANY, ["Internet"], ["web"]),
    (MONEY, 19.990000000000002, 19.99),
    (MONEY, 3, 3),
]


@pytest.mark.parametrize(("of", "canonical", "wire"), TO_ZOHO)
def test_to_zoho(of, canonical, wire):
    """Labels become values, noise of binary fractions goes, seconds are whole."""
    assert to_wire(of, canonical) == wire


FROM_ZOHO = [
    (WHEN, "2024-07-16T15:01:02+05:30", "2024-07-16T09:31:02.000Z"),
    (WHEN, "2024-07-16T09:31:02Z", "2024-07-16T09:31:02.000Z"),
    (WHEN, "soon", "soon"),
    (LOOKUP, {"name": "X", "id": "500001"}, "500001"),
    (LOOKUP, {"id": 500001, "email": "a@x.io"}, "500001"),
    (PICK, "-None-", None),
    (PICK, "", None),
    (MANY, [], None),
    (MANY, ["web", "-None-", "chat"], ["chat", "web"]),
    (MANY, "web;chat", ["chat", "web"]),
    (NUMBER, 3.0, 3),
    (NUMBER, "12", 12),
    (NUMBER, "many", "many"),
    (field(FieldType.BOOLEAN), "true", True),
    (TEXT, {"name": "X", "id": "1"}, "X"),
]


@pytest.mark.parametrize(("of", "wire", "canonical"), FROM_ZOHO)
def test_from_zoho(of, wire, canonical):
    """Offsets, lookups, old forms of lists and numbers as text all come in one form."""
    assert from_wire(of, wire) == canonical


REFUSED = [
    (PICK, "wizard", "INVALID_OPTION", "takes web, chat"),
    (PICK, "Web", "INVALID_OPTION", "takes web, chat"),
    (MANY, ["web", "wizard"], "INVALID_OPTION", "takes web, chat"),
    (MONEY, 0.125, "TOO_PRECISE", "round: 2"),
    (NUMBER, math.nan, "NOT_A_NUMBER", "Correct"),
    (NUMBER, math.inf, "NOT_A_NUMBER", "Correct"),
]


@pytest.mark.parametrize(("of", "value", "code", "hint"), REFUSED)
def test_what_zoho_might_change_silently_is_refused(of, value, code, hint):
    """The refusal names the field and what would fit, never the value."""
    with pytest.raises(Misfit) as caught:
        to_wire(of, value)
    assert caught.value.code == code
    assert hint in caught.value.hint
    assert "'X'" in caught.value.message
    assert "wizard" not in caught.value.message + caught.value.hint
