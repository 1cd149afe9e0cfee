"""Each transform, by table; and what holds for all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.mapping.transforms import MAX_TEXT, TRANSFORMS, chain
from crmsync.mapping.values import Unusable


def apply(name: str, value: object, argument: object = None) -> object:
    """Apply one transform, with its default argument where none is given."""
    transform = TRANSFORMS[name]
    parameter = transform.parameter
    if argument is None and parameter is not None:
        argument = parameter.default if parameter.default is not None else parameter.low
    return transform.make(argument)(value)


@pytest.mark.parametrize(
    ("name", "argument", "value", "expected"),
    [
        ("trim", None, "  a b\t\n", "a b"),
        ("trim", None, "   ", None),
        ("trim", None, 12, "12"),
        ("lower", None, "ÄB", "äb"),
        ("upper", None, "straße", "STRASSE"),
        ("title", None, "ada o'neil VON müller-west", "Ada O'neil Von Müller-West"),
        ("truncate", 3, "abcd", "abc"),
        ("truncate", 4, "abc d", "abc"),
        ("truncate", 5, "abc", "abc"),
        ("digits", None, "+49 (30) 12-3", "49301 23".replace(" ", "")),
        ("digits", None, "none", None),
        ("first_word", None, " Ada  Byron Lovelace ", "Ada"),
        ("last_word", None, " Ada  Byron Lovelace ", "Lovelace"),
        ("first_word", None, "  ", None),
        ("domain", None, " Ada@Example.COM ", "example.com"),
        ("text", None, 3.0, "3"),
        ("text", None, 0.1, "0.1"),
        ("text", None, True, "true"),
        ("text", None, ["a", 1], "a, 1"),
        ("text", None, datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC), "2026-01-02T03:04:05.678Z"),
        ("text", None, date(2026, 1, 2), "2026-01-02"),
        ("number", None, " 12.50 ", 12.5),
        ("number", None, "-3", -3),
        ("number", None, "12.0", 12),
        ("number", None, 7, 7),
        ("integer", None, "12.0", 12),
        ("integer", None, 3.0, 3),
        ("round", 0, 2.5, 3),
        ("round", 0, -2.5, -3),
        ("round", 2, 1.005, 1.01),
        ("round", 1, 3, 3),
        ("round", 2, 123456789012345678, 123456789012345678),
        ("boolean", None, "YES", True),
        ("boolean", None, 0, False),
        ("boolean", None, " off ", False),
        ("yes_no", None, True, "Yes"),
        ("yes_no", None, "0", "No"),
        ("date", None, "2026-01-02T23:30:00-05:00", "2026-01-03"),
        ("date", None, "2026-01-02", "2026-01-02"),
        ("date", None, 1_767_312_000, "2026-01-02"),
        ("date", None, 1_767_312_000_000, "2026-01-02"),
        ("datetime", None, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("datetime", None, "2026-01-02 03:04", "2026-01-02T03:04:00.000Z"),
        ("join", "; ", ["a", 2, "c"], "a; 2; c"),
        ("split", ",", "a, b,,c ", ["a", "b", "c"]),
        ("first", None, ["a", "b"], "a"),
        ("first", None, [], None),
    ],
)
def test_what_a_transform_makes(name, argument, value, expected):
    """An empty outcome is None: the field is empty."""
    made = apply(name, value, argument)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trim", {"a": 1}),
        ("lower", [["a"]]),
        ("domain", "ada"),
        ("domain", "a@b@c.de"),
        ("number", "twelve"),
        ("number", "1e5"),
        ("number", "1_000"),
        ("number", "nan"),
        ("number", float("inf")),
        ("number", "9" * 5000),
        ("integer", "12.5"),
        ("integer", float("nan")),
        ("round", float("nan")),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("yes_no", "perhaps"),
        ("date", "yesterday"),
        ("date", "2026-02-31"),
        ("date", 10**30),
        ("date", True),
        ("date", {}),
        ("datetime", float("nan")),
        ("join", "abc"),
        ("join", [{}]),
        ("join", ["a"] * 1001),
        ("first", ["a"] * 1001),
        ("split", "a," * 1001),
        ("text", ["a"] * 1001),
        ("text", 10**400),
        ("upper", "ß" * MAX_TEXT),
        ("lower", "a" * (MAX_TEXT + 1)),
        ("join", ["a" * MAX_TEXT, "b"]),
    ],
)
def test_what_a_transform_refuses(name, value):
    """The reason never repeats the value: it may be personal."""
    with pytest.raises(Unusable) as reason:
        apply(name, value)
    assert str(value)[:20] not in str(reason.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(TRANSFORMS)), JSON.filter(lambda value: value is not None))
def test_every_transform_is_total(name, value):
    """Whatever JSON holds: a bounded value comes out, or `Unusable`."""
    try:
        made = apply(name, value)
    except Unusable:
        return
    assert made is None or isinstance(made, str | int | float | bool | list | dict)
    assert not isinstance(made, str) or len(made) <= MAX_TEXT


def test_a_chain_ends_where_nothing_is_left():
    """A step never sees None."""
    steps = [(TRANSFORMS["digits"], None), (TRANSFORMS["number"], None)]
    assert chain(steps)("none") is None
    assert chain(steps)("no 12") == 12
    assert chain([])("x") == "x"
