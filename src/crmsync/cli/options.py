"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")
]
Limit: TypeAlias = Annotated[
    int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")
]
SyncName: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[SYNC]", help="A mapping's name; all when left out.")
]
