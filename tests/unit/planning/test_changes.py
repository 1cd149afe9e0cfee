"""What has to be written, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.model import Failure, FieldSchema, FieldType
from crmsync.planning.changes import desired_record, difference, normalisers, observed

SCHEMA = {
    "name": FieldSchema("name", "Name", FieldType.TEXT),
    "size": FieldSchema("size", "Size", FieldType.NUMBER),
}
CANONICAL = normalisers(["name", "size", "unheard_of"], SCHEMA)
values = st.none() | st.text(max_size=3) | st.integers(0, 3) | st.lists(st.text(max_size=2))
fields = st.dictionaries(st.sampled_from("abcd"), values)


@pytest.mark.parametrize(
    ("desired", "known", "changes"),
    [
        ({"a": 1}, {}, {"a": (None, 1)}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": None}, {}, {}),
        ({"a": None}, {"a": 1}, {"a": (1, None)}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": (2, 1)}),
        ({}, {"b": 3}, {}),
    ],
)
def test_the_difference(desired, known, changes):
    """A field changes where its values differ; one that is not mapped is nobody's business."""
    assert difference(desired, known) == changes


@given(fields, fields)
def test_writing_the_difference_closes_the_gap(desired, known):
    """After the changes are written there is none left."""
    new = {name: value for name, (_, value) in difference(desired, known).items()}
    assert difference(desired, {**known, **new}) == {}


def test_values_are_made_canonical_by_the_fields_type():
    """A field that the CRM did not describe is taken as text."""
    raw = {"name": " Ann ", "size": "3", "unheard_of": 4}
    assert desired_record(raw, {}, CANONICAL) == {"name": "Ann", "size": 3, "unheard_of": "4"}


def test_a_time_is_as_fine_as_the_crm_keeps_it():
    """Where that is whole seconds, a later fraction of one is no change."""
    coarse = FieldSchema("at", "At", FieldType.DATETIME, whole_seconds=True)
    fine = FieldSchema("fine", "Fine", FieldType.DATETIME)
    canonical = normalisers(["at", "fine"], {"at": coarse, "fine": fine})
    when = "2026-01-02T03:04:05.678+00:00"
    assert desired_record({"at": when, "fine": when}, {}, canonical) == {
        "at": "2026-01-02T03:04:05.000Z",
        "fine": "2026-01-02T03:04:05.678Z",
    }


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_empty_means_clear(empty):
    """Empty text and None both empty the field."""
    assert desired_record({"name": empty}, {}, CANONICAL) == {"name": None}


@pytest.mark.parametrize(
    ("raw", "unusable"), [({"size": "secret"}, {}), ({}, {"size": "no number was made"})]
)
def test_a_value_that_does_not_fit_names_its_field(raw, unusable):
    """The failure names the field and what to do, and never the value."""
    failure = desired_record(raw, unusable, CANONICAL)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.field) == ("WRONG_TYPE", "size")
    assert "secret" not in repr(failure)
    assert "transform" in failure.hint


@pytest.mark.parametrize(
    ("desired", "known", "found", "taken"),
    [
        ({"a": 1}, {}, {"a": 2}, {"a": 2}),
        ({"a": None}, {}, {"a": "theirs"}, {"a": None}),
        ({"a": None}, {"a": "ours"}, {"a": "theirs"}, {"a": "theirs"}),
        ({"a": 1}, {"a": 1}, {}, {"a": None}),
    ],
)
def test_what_was_never_ours_is_not_cleared(desired, known, found, taken):
    """A value that we neither want nor ever wrote is not taken up, so that it is not cleared."""
    assert observed(desired, known, found) == taken
