"""How things are shown: colours and tables at a terminal, plain aligned lines in a pipe.

Rows that `--json` asks for are one JSON object a line. Whatever came from outside is shown with its
control characters replaced, so that a name in a CRM can neither move the cursor nor break a line.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crmsync.cli.tables import Cell, Column, drawn
from crmsync.identity.times import iso

_UNSAFE = {"Cc", "Cf", "Zl", "Zp", "Cs"}
"""Unicode categories that can change what is shown around them."""
NAME_WIDTH = 9
"""Characters of the names in a list of items."""
LEAST = 12
"""To how many characters a column may be cut that says nothing else."""
LONGEST = 200
"""Characters of a CRM's words worth reading in a list."""
STYLES = {
    "succeeded": "green", "created": "green", "updated": "green", "clean": "green",
    "retry": "yellow", "unknown": "yellow", "dirty": "yellow", "leased": "yellow",
    "rejected": "red", "dead": "red", "conflict": "red", "failed": "red", "noticed": "yellow",
}  # fmt: skip


STATES = {
    "clean": "in step", "dirty": "to be sent", "leased": "being sent", "active": "to be sent",
    "dead": "set aside", "conflict": "in conflict", "suppressed": "not sent any more",
    "converted": "converted", "frozen": "frozen",
}  # fmt: skip
"""What a person reads for a link's state; `--json` has the word itself."""


class Screen:
    """One command's stdout and stderr."""

    def __init__(self) -> None:
        """Find out whether anybody watches."""
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False)

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches stdout."""
        return self.out.is_terminal

    def say(self, text: str | Text = "", *, style: str = "") -> None:
        """Print one line of the result."""
        self.out.print(text, style=style or None, soft_wrap=not self.is_terminal)

    def item(self, name: str, text: str, *, indent: int = 2, style: str = "") -> None:
        """Print what a name stands for; text that needs more lines stays in its column."""
        if not self.is_terminal:
            self.say(f"{' ' * indent}{name.ljust(NAME_WIDTH)} {safe(text)}")
            return
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=NAME_WIDTH, style="dim")
        grid.add_column(overflow="fold")
        grid.add_row(name, Text(safe(text), style=style))
        self.out.print(Padding(grid, (0, 0, 0, indent)))

    def paragraph(self, text: str, *, indent: int, style: str = "") -> None:
        """Print one line of the result, set in; what does not fit goes on in the same column."""
        if self.is_terminal:
            self.out.print(Padding(Text(text, style=style), (0, 0, 0, indent)))
        else:
            self.say(" " * indent + text)

    def note(self, text: str | Text, *, style: str = "dim") -> None:
        """Print one line about the result, on stderr: pipes do not see it."""
        self.err.print(text, style=style, soft_wrap=True)

    def table(
        self,
        columns: Sequence[Column | str],
        rows: Iterable[Sequence[object]],
        *,
        numbers: str = "",
    ) -> None:
        """Print rows under a heading: fitted to a terminal, in a pipe whole and one line each.

        A column that is given as a name alone may be cut; those in `numbers` stand to the right.
        """
        known = [_column(one, numbers.split()) for one in columns]
        cells = [[cell(value) for value in row] for row in rows]
        if not self.is_terminal:
            self._plain(known, cells)
            return
        for line in drawn(known, cells, self.out.width):
            self.out.print(line, soft_wrap=isinstance(line, Text))

    def _plain(self, columns: Sequence[Column], cells: Sequence[Sequence[Cell]]) -> None:
        texts = [[c.name for c in columns], *([c.full.plain for c in row] for row in cells)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        for row in texts:
            padded = [
                value.rjust(width) if column.number else value.ljust(width)
                for column, value, width in zip(columns, row, widths, strict=True)
            ]
            self.say("  ".join(padded).rstrip())


def json_line(content: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of stdout."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, default=_plain_value) + "\n")


def error_line(message: str) -> None:
    """Print what went wrong on stderr; its first line is red."""
    first, _, rest = message.partition("\n")
    screen = Screen()
    line = Text.assemble(("crmsync: ", "bold red"), (safe(first), "red"))
    screen.err.print(line, soft_wrap=True)
    if rest:
        screen.err.print(rest, soft_wrap=True)


def safe(text: str) -> str:
    """Return text with every character replaced that is no mark on the screen."""
    if text.isprintable():
        return text
    return "".join(
        " " if c in "\n\t" else "\ufffd" if unicodedata.category(c) in _UNSAFE else c for c in text
    )


def shortened(text: str) -> str:
    """Return text safe to show, cut where it would fill the screen; `--json` has all of it."""
    clean = safe(text)
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def value_text(value: object) -> str:
    """Return a field's value as a person reads it: texts in quotes, nothing as `(empty)`."""
    if value is None:
        return "(empty)"
    return safe(json.dumps(value, ensure_ascii=False, default=_plain_value))


def state_text(state: str) -> Text:
    """Return a link's state in words, in its colour."""
    return Text(STATES.get(state, state), style=STYLES.get(state, ""))


def change_text(fields: Mapping[str, Sequence[Any]], limit: int = 4) -> str:
    """Return changes as `name: old → new`, the first few of them."""
    texts = []
    for name, (old, new) in list(fields.items())[:limit]:
        before = "" if old is None else f"{value_text(old)} → "
        texts.append(f"{safe(name)}: {before}{value_text(new)}")
    more = len(fields) - limit
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class Either:
    """What a cell holds, and what is shown of it where the full form finds no room."""

    full: object
    brief: object


def cell(value: object) -> Cell:
    """Return one cell of a table: times in UTC, known words in their colour, noughts faint."""
    match value:
        case Either(full, brief):
            return Cell(cell(full).full, cell(brief).brief)
        case datetime():
            return Cell(Text(moment(value)), Text(brief_moment(value)))
        case Text():
            text = value
        case None | "":
            text = Text("-", style="dim")
        case _:
            clean = safe(str(value))
            text = Text(clean, style="dim" if value == 0 else STYLES.get(clean, ""))
    return Cell(text, text)


def moment(at: datetime) -> str:
    """Return a time as people read it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def brief_moment(at: datetime, *, seconds: bool = False) -> str:
    """Return a time without its year, or without its hour where the year is another one."""
    at = at.astimezone(UTC)
    if at.year != datetime.now(UTC).year:
        return f"{at:%Y-%m-%d}"
    return f"{at:%m-%d %H:%M:%S}Z" if seconds else f"{at:%m-%d %H:%M}Z"


def _column(one: Column | str, numbers: Sequence[str]) -> Column:
    if isinstance(one, Column):
        return one
    return Column(one, number=one in numbers, least=None if one in numbers else LEAST)


def _plain_value(value: object) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)
