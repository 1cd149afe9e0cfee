"""Canonical values: one form for whatever a CRM may make of what it was sent."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.model import FieldSchema, FieldType
from crmsync.planning.normalise import NotThatType, normalise, normaliser_of, same_phone

CASES = [
    (FieldType.TEXT, "  Ann ", "Ann"),
    (FieldType.TEXT, "   ", None),
    (FieldType.TEXT, 3, "3"),
    (FieldType.TEXT, 3.0, "3"),
    (FieldType.TEXT, 0.5, "0.5"),
    (FieldType.TEXT, True, "true"),
    (FieldType.TEXT, ["a", "b"], "a, b"),
    (FieldType.TEXT, [], None),
    (FieldType.PHONE, " +49 30 ", "+49 30"),
    (FieldType.PICKLIST, "pro", "pro"),
    (FieldType.REFERENCE, 17, "17"),
    (FieldType.EMAIL, " Ann@Acme.Example ", "ann@acme.example"),
    (FieldType.NUMBER, 3.0, 3),
    (FieldType.NUMBER, "3.50", 3.5),
    (FieldType.NUMBER, "1e3", 1000),
    (FieldType.NUMBER, " 7 ", 7),
    (FieldType.NUMBER, True, 1),
    (FieldType.NUMBER, 2**53 + 1, 2**53 + 1),
    (FieldType.BOOLEAN, "Yes", True),
    (FieldType.BOOLEAN, 0, False),
    (FieldType.BOOLEAN, "off", False),
    (FieldType.DATE, "2026-02-28", "2026-02-28"),
    (FieldType.DATE, "2026-02-28T23:30:00-02:00", "2026-03-01"),
    (FieldType.DATE, 1_772_323_200, "2026-03-01"),
    (FieldType.DATE, date(2026, 3, 1), "2026-03-01"),
    (FieldType.DATETIME, "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z"),
    (FieldType.DATETIME, "2026-03-01T12:00:00.123456+01:00", "2026-03-01T11:00:00.123Z"),
    (FieldType.DATETIME, 1_772_366_400_500, "2026-03-01T12:00:00.500Z"),
    (FieldType.DATETIME, "2026-03-01", "2026-03-01T00:00:00.000Z"),
    (FieldType.DATETIME, "0001-10-01", "0001-10-01T00:00:00.000Z"),
    (FieldType.MULTI_PICKLIST, "b; a;b;", ["a", "b"]),
    (FieldType.MULTI_PICKLIST, ["b", " a ", ""], ["a", "b"]),
    (FieldType.MULTI_PICKLIST, " ; ", None),
]
REFUSED = [
    (FieldType.TEXT, {"a": 1}),
    (FieldType.TEXT, [1]),
    (FieldType.TEXT, math.nan),
    (FieldType.EMAIL, 5),
    (FieldType.NUMBER, "many"),
    (FieldType.NUMBER, math.inf),
    (FieldType.NUMBER, "nan.0"),
    (FieldType.NUMBER, []),
    (FieldType.BOOLEAN, "maybe"),
    (FieldType.BOOLEAN, 2),
    (FieldType.DATE, "soon"),
    (FieldType.DATE, True),
    (FieldType.DATE, 1e300),
    (FieldType.DATE, "0001-01-01T00:00:00+05:00"),
    (FieldType.DATETIME, "9999-12-31T23:59:59-05:00"),
    (FieldType.DATETIME, {}),
    (FieldType.MULTI_PICKLIST, 5),
]


@pytest.mark.parametrize(("kind", "raw", "canonical"), CASES)
def test_a_value_takes_its_canonical_form(kind, raw, canonical):
    """Every spelling of a value becomes one."""
    assert normalise(kind, raw) == canonical


@pytest.mark.parametrize(("kind", "raw"), REFUSED)
def test_what_is_not_of_the_type_is_refused(kind, raw):
    """A value of another type is refused in words that do not repeat it."""
    with pytest.raises(NotThatType, match="expected") as error:
        normalise(kind, raw)
    assert str(raw) not in str(error.value) or raw in ({}, [])


@pytest.mark.parametrize("kind", list(FieldType))
def test_nothing_is_nothing(kind):
    """None is an empty field of any type."""
    assert normalise(kind, None) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(list(FieldType)), json_values)
def test_canonical_values_stay_as_they_are(kind, raw):
    """Whatever comes in is refused or made canonical; what is canonical does not change again."""
    try:
        once = normalise(kind, raw)
    except NotThatType:
        return
    assert normalise(kind, once) == once


@given(st.sampled_from(list(FieldType)), json_values)
def test_canonical_values_survive_json(kind, raw):
    """A snapshot that was stored and loaded equals the value that is wanted."""
    try:
        value = normalise(kind, raw)
        stored = orjson.dumps(value)
    except (NotThatType, orjson.JSONEncodeError):  # half surrogates and huge integers stop earlier
        return
    assert orjson.loads(stored) == value


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14, 14),
)
def test_a_moment_is_the_same_in_every_zone(moment, hours):
    """One moment has one form, whichever zone it is written in."""
    at = moment.replace(tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=hours)))
    for kind in (FieldType.DATE, FieldType.DATETIME):
        assert normalise(kind, elsewhere.isoformat()) == normalise(kind, at)


STAGE = FieldSchema(
    "stage",
    "Stage",
    FieldType.PICKLIST,
    options=(("lead", "Lead"), ("won", "Customer"), ("Lead", "Old lead")),
)


@pytest.mark.parametrize(
    ("said", "value"),
    [("Customer", "won"), ("won", "won"), ("Lead", "Lead"), ("Old lead", "Lead"), ("new", "new")],
)
def test_a_label_of_a_picklist_stands_for_its_value(said, value):
    """What is a value and another one's label means the value; what is neither is left as it is."""
    assert normaliser_of(STAGE)(said) == value


def test_labels_of_several_choices_stand_for_their_values():
    """Sorted and distinct, as any list of choices."""
    several = replace(STAGE, type=FieldType.MULTI_PICKLIST)
    assert normaliser_of(several)("Customer;lead;won") == ["lead", "won"]


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("+49 30 123-45", "+493012345", True),
        ("0049 30 12345", "+49 (30) 123 45", True),
        ("030 12345", "+493012345", False),
        ("", "", False),
        (None, "+4930", False),
        (None, None, True),
        ("call me", "call you", False),
    ],
)
def test_two_phone_numbers_that_dial_the_same_are_one(left, right, same):
    """However they are punctuated; a number without a country may be anywhere."""
    assert same_phone(left, right) is same
