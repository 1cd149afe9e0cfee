"""The condition language: what it reads, what it refuses and where."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.mapping.conditions import (
    All,
    AnyOf,
    Comparison,
    ConditionError,
    Not,
    canonical,
    depends_on_time,
    facts_of,
    parse,
    replaced,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('plan = "trial"', Comparison("plan", "=", "trial", 0)),
        ("plan != 'trial'", Comparison("plan", "!=", "trial", 0)),
        (r'name = "a \"b\" \\ c"', Comparison("name", "=", 'a "b" \\ c', 0)),
        ("revenue > $1000", Comparison("revenue", ">", 1000, 0)),
        ("revenue >= $0.5", Comparison("revenue", ">=", 0.5, 0)),
        ("balance <= -3", Comparison("balance", "<=", -3, 0)),
        ("is_admin = TRUE", Comparison("is_admin", "=", True, 0)),
        ("last_seen < 7 days", Comparison("last_seen", "<", timedelta(days=7), 0)),
        ("last_seen > 1 week", Comparison("last_seen", ">", timedelta(days=7), 0)),
        ("last_seen < 90minutes", Comparison("last_seen", "<", timedelta(minutes=90), 0)),
        ("  last_seen<12 HOURS ", Comparison("last_seen", "<", timedelta(hours=12), 2)),
        ("company.id = 3", Comparison("company.id", "=", 3, 0)),
        ("größe = 3", Comparison("größe", "=", 3, 0)),
        ("android = 1", Comparison("android", "=", 1, 0)),
        ("true_fan = 1", Comparison("true_fan", "=", 1, 0)),
        ("a=1 and b=2", All((Comparison("a", "=", 1, 0), Comparison("b", "=", 2, 8)))),
        ("NOT a=1", Not(Comparison("a", "=", 1, 4))),
        (
            "a=1 OR b=2 AND c=3",
            AnyOf(
                (
                    Comparison("a", "=", 1, 0),
                    All((Comparison("b", "=", 2, 7), Comparison("c", "=", 3, 15))),
                )
            ),
        ),
        (
            "(a=1 OR b=2) AND NOT c=3",
            All(
                (
                    AnyOf((Comparison("a", "=", 1, 1), Comparison("b", "=", 2, 8))),
                    Not(Comparison("c", "=", 3, 21)),
                )
            ),
        ),
    ],
)
def test_a_condition_is_read(text, expected):
    """NOT binds closest, then AND, then OR; words in any letter case."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "offset", "advice"),
    [
        ('plan == "x"', 5, "write = for equality"),
        ('plan <> "x"', 5, "write != for inequality"),
        ("a = 1 && b = 2", 6, "write AND"),
        ("a = 1 || b = 2", 6, "write OR"),
        ("!a = 1", 0, "write NOT"),
        ("plan = “x”", 7, "use straight quotes"),
        ('plan = "x', 7, "the quote is never closed"),
        ("revenue > 1,000", 10, "write numbers such as 1000"),
        ("revenue > 1.000.000", 10, "write numbers such as 1000"),
        ("plan = pro", 7, 'expected a "text" in quotes'),
        ("plan", 4, "the condition ends too early: after a fact comes"),
        ("a = 1 AND", 9, "the condition ends too early: expected the name of a fact"),
        ("(a = 1", 6, "expected AND, OR or )"),
        ("a = 1)", 5, "expected AND, OR or the end"),
        ("a = 1 b = 2", 6, "expected AND, OR or the end"),
        ("= 1", 0, "expected the name of a fact"),
        ("and = 1", 0, "expected the name of a fact"),
        ("a = b", 4, 'expected a "text" in quotes'),
        ("last_seen = 7 days", 10, "compare a time with < (within) or > (longer ago)"),
        ("last_seen < 1.5 days", 12, "write a whole number such as 7 days"),
        ("last_seen < -7 days", 12, "write a whole number such as 7 days"),
        ("last_seen < 999999999999999 weeks", 12, "is not a time"),
        ("last_seen < 7 fortnights", 14, "expected AND, OR or the end"),
        ("plan is 'x'", 5, "after a fact comes"),
        ("plan in ('x')", 5, "after a fact comes"),
        ("", 0, "the condition is empty"),
        ("  ", 0, "the condition is empty"),
    ],
)
def test_a_mistake_is_explained_where_it_stands(text, offset, advice):
    """The offset is the character at fault, the message what to write instead."""
    with pytest.raises(ConditionError) as error:
        parse(text)
    assert advice in error.value.message
    assert error.value.offset == offset


def test_a_condition_of_two_hundred_parts_is_read_and_one_more_is_not():
    """199 comparisons and the OR that joins them."""
    parse(" OR ".join(["a=1"] * 199))
    with pytest.raises(ConditionError, match="too large"):
        parse(" OR ".join(["a=1"] * 200))


def test_a_condition_nests_twenty_deep_and_no_deeper():
    """Depth is of the tree: parentheses alone add none."""
    parse("NOT " * 19 + "a=1")
    parse("(" * 1000 + "a=1" + ")" * 1000)
    with pytest.raises(ConditionError, match="too large"):
        parse("NOT " * 20 + "a=1")


def test_a_condition_longer_than_two_kib_is_not_read():
    """Counted in bytes, as it is stored."""
    parse('a = "' + "x" * 2042 + '"')
    with pytest.raises(ConditionError, match="longer than 2048 bytes"):
        parse('a = "' + "ö" * 1025 + '"')


def test_the_canonical_form_ignores_spacing_and_letter_case_of_words():
    """It goes into a mapping's hash: what means the same must not mark links again."""
    assert canonical(parse("a=1 and (b>2)")) == canonical(parse("a  =  1 AND b > 2"))
    assert canonical(parse("a=1 AND b=1")) != canonical(parse("a=1 OR b=1"))
    assert canonical(parse("a='1'")) != canonical(parse("a=1"))
    assert canonical(parse("a=true")) != canonical(parse("a='true'"))


def test_facts_and_time_are_found_at_any_depth():
    """Which facts mark a link, and whether a clock would be needed."""
    condition = parse("a=1 AND NOT (b=2 OR last_seen < 7 days)")
    assert facts_of(condition) == {"a", "b", "last_seen"}
    assert depends_on_time(condition)
    assert not depends_on_time(parse("a=1 OR NOT b=2"))


def test_comparisons_can_be_put_in_place_of_others():
    """So a segment's name becomes its condition."""
    condition = parse("NOT (a=1 OR b=2)")
    swapped = replaced(condition, lambda c: parse("x=9") if c.fact == "a" else c)
    assert canonical(swapped) == canonical(parse("NOT (x=9 OR b=2)"))


@given(st.text(alphabet="ab=<>!()&|\"'\\$,.-_ 0179ANDORTNOTtruedays\n", max_size=60))
def test_any_text_is_read_or_refused_with_a_place_in_it(text):
    """Nothing but `ConditionError` ever comes out, and it points into the text."""
    try:
        parse(text)
        offset = 0
    except ConditionError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)
