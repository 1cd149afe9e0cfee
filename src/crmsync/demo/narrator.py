"""How the demo speaks: numbered steps, paragraphs, and a line for each CRM."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crmsync.cli.screen import Screen, safe

INDENT = 3
NAME_WIDTH = 10
"""Characters of a CRM's name."""


class Narrator:
    """Tells the story on a screen."""

    def __init__(self, screen: Screen) -> None:
        """Begin with the first step."""
        self.screen = screen
        self._steps = 0

    def step(self, title: str, detail: str = "") -> None:
        """Begin the next step."""
        self._steps += 1
        self.screen.say()
        self.screen.say(Text.assemble((f"{self._steps}  {title}", "bold cyan")))
        if detail:
            self.say(detail, style="dim")

    def say(self, text: str, *, indent: int = INDENT, style: str = "") -> None:
        """Say a sentence or two."""
        self.screen.paragraph(text, indent=indent, style=style)

    def item(self, name: str, text: str, *, style: str = "") -> None:
        """Say something of a CRM; without its name, something more."""
        if not self.screen.is_terminal:
            self.screen.say(f"{' ' * INDENT}{name.ljust(NAME_WIDTH)}  {safe(text)}")
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=NAME_WIDTH, style="bold")
        grid.add_column(overflow="fold")
        grid.add_row(name, Text(safe(text), style=style))
        self.screen.out.print(Padding(grid, (0, 0, 0, INDENT)))
