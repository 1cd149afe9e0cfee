"""YAML from files nobody has vouched for."""

from __future__ import annotations

import pytest

from crmsync.mapping.environment import plain_data
from crmsync.mapping.problems import Problems
from crmsync.mapping.yaml_nodes import MAX_DEPTH, ScalarNode, node_at, read_yaml


def read(text: str):
    """Read a file that is right."""
    problems = Problems()
    root = read_yaml("f.yaml", text.encode(), problems)
    assert problems.errors == ()
    assert root is not None
    return root


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("off", "off"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e5", "1e5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2026-01-31", "2026-01-31"),
        ("9" * 19, "9" * 19),
        ("'true'", "true"),
        ('"12"', "12"),
        ("=", "="),
    ],
)
def test_what_an_unquoted_value_means(text, value):
    """YAML 1.2's core, so that the traps of 1.1 are plain text."""
    found = plain_data(read(f"key: {text}\n"), {}, Problems())["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_always_text():
    """A map's keys are compared as text with what a trait holds."""
    root = read("on: 1\nno: 2\n1: 3\ntrue: 4\n2026-01-31: 5\n~: 6\n")
    assert list(root.entries) == ["on", "no", "1", "true", "2026-01-31", "~"]


def test_depth_is_bounded_at_forty():
    """A bound on the tree is a bound on every recursion over it."""
    read("key: " + "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2) + "\n")
    problems = Problems()
    deep = f"key: {'[' * 100_000}\n"
    assert read_yaml("f.yaml", deep.encode(), problems) is None
    assert "nested more than 40 deep" in problems.errors[0].message


@pytest.mark.parametrize(
    ("text", "offset", "column"),
    [
        ("key: abc", 1, 7),
        ("key: 'abc'", 1, 8),
        ('key: "abc"', 0, 7),
        (r'key: "a\tbc"', 3, 6),
        ("key: >-\n  abc", 1, 6),
    ],
)
def test_a_place_inside_a_text_is_found_where_the_line_shows_it(text, offset, column):
    """Where escapes or folding hide it, the text's beginning is shown."""
    node = read(text).entries["key"]
    assert isinstance(node, ScalarNode)
    assert node.place_at(offset).column == column


def test_a_path_leads_to_the_key_or_item_it_names():
    """Parts the file does not have are passed over."""
    root = read("a:\n  b: [x, y]\n")
    node, place, path = node_at(root, ("a", "label", "b", "list", 1, "none"))
    assert isinstance(node, ScalarNode)
    assert (node.text, place.line, place.column, path) == ("y", 2, 10, ("a", "b", 1))
    assert node_at(root, ("a", "b"))[1].column == 3
