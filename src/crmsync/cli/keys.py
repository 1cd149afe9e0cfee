"""`crmsync keys new`: a fresh encryption key."""

from __future__ import annotations

import typer

from crmsync.cli.screen import Screen
from crmsync.settings import new_key

app = typer.Typer()
keys = typer.Typer()
app.add_typer(keys, name="keys")


@keys.callback()
def about() -> None:
    """Encryption keys, as `CRMSYNC_KEYS` takes them: newest first, with commas between."""


@keys.command()
def new() -> None:
    """Print a fresh key.

    Put it before the old ones in CRMSYNC_KEYS, and keep those: they open what they sealed.
    """
    Screen().say(new_key())
