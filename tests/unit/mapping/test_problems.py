"""Places, the list of problems, and the guess at what was meant."""

from __future__ import annotations

import pytest

from crmsync.mapping.problems import Place, Problems, did_you_mean, listed


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("token: abc", "token: ***"),
        ('    auth: {token: "abc"}', "    auth: {token: ***"),
        ('{"client_secret": "abc", x: 1}', '{"client_secret": ***'),
        ("refresh_token:  abc", "refresh_token:  ***"),
        ("password: abc", "password: ***"),
        ('token: "${CRM_TOKEN}"', 'token: "${CRM_TOKEN}"'),
        ("base_url: https://me:abc@host/", "base_url: https://***@host/"),
        ("daily_tokens: 5", "daily_tokens: 5"),
        ("email: emial", "email: emial"),
    ],
)
def test_the_line_shown_hides_secrets(line, shown):
    """Even where the file could not be read as YAML, so by the look of the line alone."""
    assert Place("f", 1, 1, line).problem("m").source_line == shown


def test_no_caret_is_drawn_where_the_line_is_cut():
    """The place stays in the message; a caret under nothing would mislead."""
    problem = Place("f", 1, 500, "x" * 200).problem("m")
    assert str(problem) == "f:1:500: m"


def test_the_first_error_at_a_place_hides_those_that_follow_from_it():
    """Warnings neither hide nor are hidden."""
    problems = Problems()
    problems.warn(Place("f"), "w")
    problems.error(Place("f"), "first")
    problems.error(Place("f"), "second")
    problems.error(Place("a/f"), "other")
    assert [p.message for p in problems.errors] == ["first", "other"]
    assert [p.message for p in problems.warnings] == ["w"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("emial", " (did you mean 'email'?)"),
        ("Email", " (did you mean 'email'?)"),
        ("nmae", " (did you mean 'name'?)"),
        ("plan_tier", ""),
        ("", ""),
    ],
)
def test_a_slip_is_told_from_another_name(name, hint):
    """Near means alike in three characters of four."""
    assert did_you_mean(name, ["email", "name", "plan"]) == hint


def test_names_are_listed_as_one_says_them():
    """With `or` before the last."""
    assert [listed(n) for n in ([], ["a"], ["a", "b", "c"])] == ["none", "a", "a, b or c"]
