"""What a condition says of one profile, missing values and boundaries included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.mapping.conditions import parse
from crmsync.mapping.predicates import predicate
from crmsync.mapping.values import Kind

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KINDS = {"created_at": Kind.MOMENT, "last_seen": Kind.MOMENT}
MISSING = object()


def holds(text: str, value: object) -> bool:
    """Test the condition with its first fact set to the value."""
    fact = text.removeprefix("NOT ").split()[0]
    facts = {} if value is MISSING else {fact: value}
    return predicate(parse(text), KINDS, now=NOW)(facts)


@pytest.mark.parametrize(
    ("text", "true_for", "false_for"),
    [
        ('plan = "pro"', ["pro"], ["Pro", "pro ", "", MISSING, None, 1, True, ["pro"]]),
        ('plan != "pro"', ["Pro", "", MISSING, None, 1, ["pro"]], ["pro"]),
        ('NOT plan = "pro"', ["Pro", "", MISSING, None], ["pro"]),
        ('company = ""', ["", MISSING, None, []], ["x", " ", 0, False]),
        ('company != ""', ["x", " ", 0, False], ["", MISSING, None, []]),
        ("visits > 3", [4, 3.5], [3, 2, "4", True, MISSING, None, ""]),
        ("visits >= 3", [3, 3.0], [2.999, MISSING]),
        ("visits < 3", [2, -1], [3, MISSING, None, "1"]),
        ("visits <= 3", [3], [4, MISSING]),
        ("visits = 1", [1, 1.0], [True, "1", MISSING]),
        ("visits != 1", [2, True, "1", MISSING], [1, 1.0]),
        ("is_admin = true", [True], [1, "true", "yes", MISSING, False]),
        ("is_admin = false", [False], [0, MISSING, "", True]),
        ("is_admin != true", [False, MISSING, 1], [True]),
        ('name > "m"', ["n", "é"], ["a", "N", MISSING, 5]),
        (
            'created_at >= "2026-03-10"',
            ["2026-03-10T00:00:00.000Z", "2026-03-10", NOW],
            ["2026-03-09T23:59:59.999Z", "2026-03-10T00:30:00+01:00", "soon", MISSING, {}],
        ),
        (
            "last_seen < 7 days",
            ["2026-03-03T12:00:00.001Z", "2026-03-10T12:00:00Z", "2026-03-11T00:00:00Z"],
            ["2026-03-03T12:00:00.000Z", "2026-03-01", MISSING, None, "never"],
        ),
        (
            "last_seen > 7 days",
            ["2026-03-03T11:59:59.999Z"],
            ["2026-03-03T12:00:00.000Z", "2026-03-10T12:00:00Z", MISSING],
        ),
        ("last_seen <= 7 days", ["2026-03-03T12:00:00.000Z"], ["2026-03-03T11:59:59.999Z"]),
    ],
)
def test_comparisons(text, true_for, false_for):
    """The table of docs/mapping.md, row by row."""
    assert [value for value in true_for if not holds(text, value)] == []
    assert [value for value in false_for if holds(text, value)] == []


@pytest.mark.parametrize("a", [True, False])
@pytest.mark.parametrize("b", [True, False])
def test_and_or_not(a, b):
    """Two-valued logic, as everywhere."""
    facts = {"a": a, "b": b}
    assert predicate(parse("a=true AND b=true"), {})(facts) is (a and b)
    assert predicate(parse("a=true OR b=true"), {})(facts) is (a or b)
    assert predicate(parse("NOT (a=true OR b=true)"), {})(facts) is not (a or b)


def test_an_empty_text_has_no_order():
    """The loader refuses it first; here it is a programming error."""
    with pytest.raises(ValueError, match="= and != only"):
        predicate(parse('plan > ""'), {})


def test_a_condition_on_time_needs_the_present_time():
    """It is a parameter: no predicate looks at a clock."""
    with pytest.raises(ValueError, match="present time"):
        predicate(parse("last_seen < 7 days"), KINDS)
    later = predicate(parse("last_seen < 7 days"), KINDS, now=NOW + timedelta(days=8))
    assert not later({"last_seen": NOW})
