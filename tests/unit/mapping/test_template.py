"""Texts with names in braces."""

from __future__ import annotations

import pytest

from crmsync.mapping.template import TemplateError, filler, parse_template
from crmsync.mapping.values import Unusable

FACTS = {"first_name": "Ada", "company": "Acme", "visits": 3.0, "blank": "", "nested": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{first_name} of {company}", "Ada of Acme"),
        ("{ first_name }", "Ada"),
        ("{first_name} ({visits})", "Ada (3)"),
        ("{{{first_name}}}", "{Ada}"),
        ("{first_name} of {unknown}", "Ada of"),
        ("{unknown} {blank}", None),
        ("{first_name.__class__}", None),
        ("{first_name!r:>99999999}", None),
        ("{0}", None),
    ],
)
def test_what_a_template_makes(text, expected):
    """A missing fact leaves nothing; all missing is no text; what looks like code is a name."""
    assert filler(parse_template(text))(FACTS) == expected


@pytest.mark.parametrize(
    ("text", "offset"), [("a {b", 2), ("a } b", 2), ("{}", 0), ("x { } y", 2), ("no names", 0)]
)
def test_a_mistake_is_found_at_its_brace(text, offset):
    """Open braces, empty ones and none at all."""
    with pytest.raises(TemplateError) as error:
        parse_template(text)
    assert error.value.offset == offset


def test_a_template_makes_no_text_of_an_object_or_beyond_its_bound():
    """Both are unusable, for one profile, and said so."""
    with pytest.raises(Unusable):
        filler(parse_template("{nested}"))(FACTS)
    with pytest.raises(Unusable, match="longer than"):
        filler(parse_template("{a}" * 100))({"a": "x" * 10_000})
