"""What a section found, and how it is shown: rich at a terminal, plain text in a pipe, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 160
"""Columns of text where there is no terminal to ask."""

Show = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the name of its value in a row, its title with the unit, how it is written."""

    name: str
    title: str
    show: Show = str


@dataclass(frozen=True, slots=True)
class Aim:
    """One thing the issue asks for, and what was reached."""

    text: str
    got: str
    reached: bool
    counted: bool = False
    """Whether it is a count, which no machine's speed can change: to miss it is a defect."""


@dataclass(frozen=True, slots=True)
class Section:
    """One table with its aims."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    aims: Sequence[Aim] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """Return it for machines: rows as they are, unrounded."""
        aims = [{"aim": a.text, "got": a.got, "reached": a.reached} for a in self.aims]
        rows = [dict(row) for row in self.rows]
        return {"title": self.title, "rows": rows, "aims": aims, "notes": list(self.notes)}


def number(digits: int = 0) -> Show:
    """Write a number with so many digits after the point, and what is not known as a dash."""
    return lambda value: "-" if value is None else f"{value:,.{digits}f}"


def times(value: float | None) -> str:
    """Write a ratio."""
    return "-" if value is None else f"{value:.2f}x"


def median(values: Sequence[float]) -> float:
    """Return the middle value; of an even number, the lower of the two in the middle."""
    return sorted(values)[(len(values) - 1) // 2]


def show(section: Section, console: Console | None = None) -> None:
    """Print a section."""
    out = console or _console()
    box = SIMPLE_HEAD if out.is_terminal else None
    table = Table(box=box, pad_edge=False)
    for column in section.columns:
        first = column is section.columns[0]
        table.add_column(column.title, justify="left" if first else "right", no_wrap=True)
    for row in section.rows:
        table.add_row(*(column.show(row.get(column.name)) for column in section.columns))
    out.print(Text(section.title, "bold"), soft_wrap=True)
    out.print(table)
    for aim in section.aims:
        mark = Text("reached ", "green") if aim.reached else Text("MISSED  ", "bold red")
        out.print(Text("  ") + mark + Text(f"{aim.text}: {aim.got}"), soft_wrap=True)
    for note in section.notes:
        out.print(Text(f"  {note}", "dim"), soft_wrap=True)
    out.print()


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
