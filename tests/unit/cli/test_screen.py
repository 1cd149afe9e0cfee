"""What is shown: plain in a pipe, harmless whatever it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from crmsync.cli.screen import Either, Screen, cell, change_text, json_line, safe, value_text
from crmsync.cli.tables import Column


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë O'Brien", "Zoë O'Brien"),
        ("two\nlines", "two lines"),
        ("\x1b[2Jgone", "\ufffd[2Jgone"),
        ("right\u202eleft", "right\ufffdleft"),
        ("half \ud800", "half \ufffd"),
    ],
)
def test_control_characters_never_reach_the_screen(text, shown):
    """Escape sequences, bidirectional overrides and line ends are shown as marks or spaces."""
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "(empty)"), ("pro", '"pro"'), (3, "3"), (True, "true"), (["a"], '["a"]')],
)
def test_values_are_told_apart_from_words(value, shown):
    """A text is quoted, an empty field is named, the rest is as JSON has it."""
    assert value_text(value) == shown


def test_a_change_names_field_old_and_new():
    """A first value has no arrow, and more fields than fit are counted."""
    fields = {"plan": ["free", "pro"], "name": [None, "Ann"]}
    assert change_text(fields) == 'plan: "free" → "pro", name: "Ann"'
    assert change_text(fields, limit=1) == 'plan: "free" → "pro" and 1 more'


def test_a_table_in_a_pipe_is_plain_aligned_text(capsys):
    """No colour, no box: every row is one line that grep and cut understand."""
    Screen().table(("name", "count"), [("rejected", 7), ("a\x1b[1m", 12)], numbers="count")
    assert capsys.readouterr().out.splitlines() == [
        "name      count",
        "rejected      7",
        "a\ufffd[1m        12",
    ]


def test_json_lines_hold_canonical_times(capsys):
    """One object a line, times as crmsync writes them everywhere."""
    json_line({"at": datetime(2026, 1, 31, 12, tzinfo=UTC), "name": "Zoë"})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"at": "2026-01-31T12:00:00.000Z", "name": "Zoë"}


def test_a_pipe_gets_every_column_in_full(capsys):
    """Brief forms, left-out columns and ellipses are for terminals alone."""
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    columns = (Column("at"), Column("e-mail", least=4, rank=1), Column("what", beneath=True))
    Screen().table(columns, [(at, Either("ann@acme.example", "ann"), "x" * 300)])
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["at", "e-mail", "what"]
    assert row == f"2026-01-31 12:00:00Z  ann@acme.example  {'x' * 300}"


@pytest.mark.parametrize(
    ("value", "full", "brief"),
    [
        (None, "-", "-"),
        (0, "0", "0"),
        (Either("hubspot 1 (clean)", "hubspot 1"), "hubspot 1 (clean)", "hubspot 1"),
        (datetime(2001, 1, 31, 12, tzinfo=UTC), "2001-01-31 12:00:00Z", "2001-01-31"),
        (datetime.now(UTC).replace(month=1, day=31, hour=12, minute=5),
         None, "01-31 12:05Z"),
    ],
)  # fmt: skip
def test_a_cell_has_a_full_and_a_brief_form(value, full, brief):
    """A time of another year keeps its year even when it is brief."""
    shown = cell(value)
    assert shown.brief.plain == brief
    assert full is None or shown.full.plain == full
