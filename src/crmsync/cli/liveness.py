"""Whether a worker or a scheduler still works, told by a file: for processes that have no port.

The process sets the file's time after each completed look for work; its text says for how many
seconds that counts. `crmsync healthcheck` compares the two with the clock. So a process that hangs,
is stopped or is gone is found out, and one whose broker is away, but that still looks, is alive.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Self

import structlog
import typer

from crmsync.cli.screen import Screen
from crmsync.errors import ConfigError
from crmsync.settings import Role, Settings, alive_file

SWEEPS = 4
"""A process that looks for work every so often has missed some when it counts as hanging."""

log = structlog.get_logger()
app = typer.Typer()


@app.callback()
def commands() -> None:
    """Keep the command below a group's, as every other module's are."""


@app.command()
def healthcheck(
    role: Annotated[Role, typer.Argument(help="Which process of this machine to ask for.")],
) -> None:
    """Say whether the worker or the scheduler has looked for work lately; exit code 1 if not."""
    complaint = complaint_of(alive_file(role), time.time())
    if complaint:
        raise ConfigError(f"the {role} does not work: {complaint}")
    Screen().say(f"the {role} works", style="green")


def patience_seconds(settings: Settings, sweep_seconds: float) -> float:
    """Return how long ago the last completed look for work may be."""
    return max(settings.alive_seconds, SWEEPS * sweep_seconds)


def complaint_of(path: Path, now: float) -> str | None:
    """Return why the process of this file does not work, if so; `now` is the epoch time."""
    try:
        age, patience = now - path.stat().st_mtime, float(path.read_text())
    except FileNotFoundError:
        return f"there is no {path}; is it running, under the same CRMSYNC_ALIVE_FILE?"
    except (OSError, ValueError):
        return f"{path} cannot be read"
    if age > patience:
        return f"its last look for work was {age:.0f} s ago, and it may be {patience:g} s"
    return None


class LifeSign:
    """The file of a running process."""

    def __init__(self, role: Role, patience_seconds: float) -> None:
        """Begin alive: what comes first is a look for work."""
        self._path = alive_file(role)
        self._patience_seconds = patience_seconds
        self._is_written = False
        self._write()
        self.renew()

    def renew(self, age_seconds: float = 0.0) -> None:
        """Say that a look for work was completed so long ago."""
        moment = time.time() - age_seconds
        try:
            os.utime(self._path, (moment, moment))
        except FileNotFoundError:
            self._write()  # a cleaner of temporary folders took it
        except OSError:
            pass  # told when it could not be written

    def __enter__(self) -> Self:
        """Give the sign."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the file away: the process ends in order."""
        if self._is_written:
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.write_text(f"{self._patience_seconds:g}\n")
            self._is_written = True
        except OSError as trouble:  # the work goes on: nobody can see that it does, that is all
            log.warning("no_life_sign", file=str(self._path), why=os.strerror(trouble.errno or 0))
