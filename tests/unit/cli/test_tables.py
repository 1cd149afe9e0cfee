"""Tables at a terminal fit it: step by step they give way, and nothing is lost that is needed."""

from __future__ import annotations

import pytest
from rich.text import Text

from crmsync.cli.tables import Cell, Column, drawn

COLUMNS = (
    Column("run", number=True),
    Column("began"),
    Column("unchanged", "same", number=True),
    Column("retried", number=True, rank=1),
    Column("trigger", rank=2),
    Column("e-mail", least=8),
)
ROW = ("7", ("2026-11-23 03:11:13Z", "11-23 03:11Z"), "100", "4", "command", "ann@acme.example")


def table(width, columns=COLUMNS, row=ROW):
    """Draw one row at a width: its lines as text, what stands below a row set in."""
    cells = [
        Cell(Text(one[0]), Text(one[1])) if isinstance(one, tuple) else Cell(Text(one), Text(one))
        for one in row
    ]
    return [
        line.plain if isinstance(line, Text) else " " * line.left + str(line.renderable)
        for line in drawn(columns, [cells], width)
    ]


@pytest.mark.parametrize(
    ("width", "heading", "row"),
    [
        (
            120,
            "run  began                 unchanged  retried  trigger  e-mail",
            "  7  2026-11-23 03:11:13Z        100        4  command  ann@acme.example",
        ),
        (
            70,
            "run  began         unchanged  retried  trigger  e-mail",
            "  7  11-23 03:11Z        100        4  command  ann@acme.example",
        ),
        (
            57,
            "run  began         same  retried  trigger  e-mail",
            "  7  11-23 03:11Z   100        4  command  ann@acme.exam…",
        ),
        (
            45,
            "run  began         same  trigger  e-mail",
            "  7  11-23 03:11Z   100  command  ann@acme.e…",
        ),
        (38, "run  began         same  e-mail", "  7  11-23 03:11Z   100  ann@acme.exa…"),
    ],
)
def test_a_table_gives_way_in_order(width, heading, row):
    """Brief forms first, then the least wanted columns go, and texts end in an ellipsis."""
    first, rule, second = table(width)
    assert (first, second) == (heading, row)
    assert max(len(first), len(rule), len(second)) <= width


def test_a_long_column_goes_below_its_row_in_whole():
    """What says most is never cut: where it finds no room beside the rest it stands below."""
    columns = (Column("run"), Column("what", beneath=True))
    long = 'plan: "pro" → "enterprise", lifecyclestage: "customer"'
    assert table(80, columns, ("3", long))[2] == f"3    {long}"
    assert table(30, columns, ("3", long))[0] == "run"
    assert table(30, columns, ("3", long))[2:] == ["3", f"    {long}"]
    assert table(8, columns, ("3", ""))[2:] == ["3"]


def test_wide_characters_count_as_wide():
    """A column of Chinese text is as wide as a terminal draws it."""
    columns = (Column("name", least=4), Column("id"))
    assert table(80, columns, ("王伟", "1"))[2] == "王伟  1"
    assert table(9, columns, ("欧阳娜娜", "1"))[2] == "欧阳…  1"
