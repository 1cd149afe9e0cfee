"""How a section is shown and told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.tables import Aim, Column, Section, median, number, show, times

SECTION = Section(
    "speed",
    "How fast",
    (Column("name", "what"), Column("seconds", "wall s", number(2))),
    [{"name": "one", "seconds": 1234.5}, {"name": "other", "seconds": None}],
    [Aim("under a second", "1,234.50 s", reached=False), Aim("done", "yes", reached=True)],
    ["by the clock"],
)


def test_a_section_shows_units_figures_aims_and_notes_without_colour_in_a_pipe() -> None:
    """In a pipe a section is plain text: its title, units, figures, what was missed, its notes."""
    out = io.StringIO()
    show(SECTION, Console(file=out, width=100))
    text = out.getvalue()
    assert "\x1b" not in text
    for part in ("How fast", "wall s", "1,234.50", "MISSED  under a second", "reached done"):
        assert part in text
    assert "by the clock" in text


def test_what_is_not_known_is_a_dash() -> None:
    """A figure that is not known is shown as a dash, never as zero."""
    assert number(1)(None) == "-"
    assert times(None) == "-"


def test_json_keeps_figures_unrounded() -> None:
    """Machines get the figures as they were measured, and whether each aim was reached."""
    told = SECTION.as_json()
    assert told["rows"][0]["seconds"] == 1234.5
    assert [aim["reached"] for aim in told["aims"]] == [False, True]


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.0)]
)
def test_the_median_is_a_value_that_was_measured(values: list[float], middle: float) -> None:
    """The middle of several rounds is one of them."""
    assert median(values) == middle
