"""Options that several commands have."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

import typer

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")
]
Limit: TypeAlias = Annotated[
    int,
    typer.Option(
        "--limit", "-n", min=1, metavar="N", help="Show at most so many.",
        callback=lambda number: min(number, sys.maxsize),  # a database counts no further
    ),
]  # fmt: skip
PERSON = "Somebody, by e-mail, user id, profile id or CRM id (CONNECTION:ID where several have it)."
OnePerson: TypeAlias = Annotated[str | None, typer.Option(metavar="ID", help=PERSON)]
OneRun: TypeAlias = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="One run; `crmsync runs` lists them.")
]
SyncName: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="SYNC", help="A mapping's name; all when left out.")
]
