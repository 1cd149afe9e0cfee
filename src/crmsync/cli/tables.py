"""Tables at a terminal: every row fits the width there is, and more width shows more.

Where the room is too small a table gives way in this order, one step at a time, until it fits: a
long column goes to lines of its own below each row; cells and headings take their brief form;
columns are left out by their rank; texts end in …. In a pipe nothing of this happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.padding import Padding
from rich.text import Text

GAP = 2
"""Blanks between columns."""
INDENT = 4
"""Of what stands below a row."""

Line = Text | Padding


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and how it gives way."""

    name: str
    brief: str = ""
    """The heading where room is scarce."""
    number: bool = False
    """Stands to the right."""
    least: int | None = None
    """To how many characters its texts may be cut; never, where None."""
    rank: int = 0
    """1 is left out first, then 2; 0 never is."""
    beneath: bool = False
    """Goes below each row, in whole, where it does not fit beside the others."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, long and short."""

    full: Text
    brief: Text


@dataclass(slots=True)
class _Strip:
    """One column with its cells, while the table is being fitted."""

    column: Column
    full: list[Text]
    """The heading, then the cells."""
    brief: list[Text]
    texts: list[Text] = field(init=False)
    width: int = field(init=False)

    def __post_init__(self) -> None:
        self.take(self.full)

    def take(self, texts: list[Text]) -> None:
        """Show these, as wide as the widest of them."""
        self.texts = texts
        self.width = max(text.cell_len for text in texts)

    def shorten(self) -> None:
        """Take the brief form, where it is narrower."""
        if max(text.cell_len for text in self.brief) < self.width:
            self.take(self.brief)

    @property
    def least(self) -> int:
        """The width below which nothing of it may be cut."""
        if self.column.least is None:
            return self.width
        return min(self.width, max(self.column.least, self.texts[0].cell_len))

    def line(self, number: int) -> Text:
        """Return one cell, padded or cut to the width."""
        text = self.texts[number].copy()
        text.truncate(self.width, overflow="ellipsis")
        text.align("right" if self.column.number else "left", self.width)
        return text


def drawn(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> list[Line]:
    """Return the lines of a table that is at most so wide, the heading first."""
    strips = [
        _Strip(
            column,
            [_heading(column.name), *(row[n].full for row in rows)],
            [_heading(column.brief or column.name), *(row[n].brief for row in rows)],
        )
        for n, column in enumerate(columns)
    ]
    beside, below = _fitted(strips, width)
    lines: list[Line] = []
    for number in range(len(rows) + 1):
        lines.append(_joined([strip.line(number) for strip in beside]))
        if number == 0:
            lines.append(Text("─" * _width(beside), style="dim"))
            continue
        lines += [
            Padding(strip.full[number], (0, 0, 0, INDENT), expand=False)
            for strip in below
            if strip.full[number].plain
        ]
    return lines


def _fitted(strips: list[_Strip], width: int) -> tuple[list[_Strip], list[_Strip]]:
    """Return the columns that stand beside each other, and those that go below."""
    beside, below = strips, []
    if _width(beside) > width:
        below = [strip for strip in strips if strip.column.beneath]
        beside = [strip for strip in strips if not strip.column.beneath]
    for strip in beside:
        if _width(beside) > width:
            strip.shorten()
    ranked = sorted((s for s in beside if s.column.rank), key=lambda s: s.column.rank)
    for strip in ranked:
        if _width(beside, least=True) > width:
            beside = [other for other in beside if other is not strip]
    while _width(beside) > width:
        widest = max(beside, key=lambda s: s.width - s.least)
        if widest.width == widest.least:
            break  # nothing gives way any more: the terminal wraps the line
        widest.width -= 1
    return beside, below


def _width(strips: Sequence[_Strip], *, least: bool = False) -> int:
    widths = [strip.least if least else strip.width for strip in strips]
    return sum(widths) + GAP * (len(strips) - 1)


def _heading(name: str) -> Text:
    return Text(name, style="bold")


def _joined(cells: Sequence[Text]) -> Text:
    line = Text(" " * GAP).join(cells)
    line.rstrip()
    return line
