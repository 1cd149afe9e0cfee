"""What is put back of a run, decided field by field."""

from __future__ import annotations

import pytest

from crmsync.planning.restoring import FieldWrite, Restoration, judge


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        ("new", Restoration(to_restore={"f": ("new", "old")})),
        ("lost on its way", Restoration(to_restore={"f": ("lost on its way", "old")})),
        ("NEW", Restoration(to_restore={"f": ("NEW", "old")})),
        ("old", Restoration(is_back={"f": ("new", "old")})),
        ("theirs", Restoration(changed_since={"f": "theirs"})),
        (None, Restoration(changed_since={"f": None})),
    ],
)
def test_a_field_goes_back_only_while_it_holds_what_was_written(holds, expected):
    """Any value that the run wrote is the run's, however the CRM writes it; any other is not."""
    writes = {"f": FieldWrite("old", ("lost on its way", "new"))}
    assert judge(writes, {"f": holds}, _same) == expected


def test_a_field_that_was_empty_is_emptied():
    """Nothing is what it held before."""
    verdict = judge({"f": FieldWrite(None, ("new",))}, {"f": "new"}, _same)
    assert verdict.to_restore == {"f": ("new", None)}


def test_a_field_that_is_not_answered_is_empty():
    """CRMs leave out what is empty."""
    verdict = judge({"f": FieldWrite("old", (None,))}, {}, _same)
    assert verdict.to_restore == {"f": (None, "old")}


def _same(_name, left, right):
    return str(left).lower() == str(right).lower()
