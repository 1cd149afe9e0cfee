"""Whether a write has left: what a fault in a connector's own code cannot say.

`http.Transport` notes each write when it is about to be sent; whoever called the connector asks.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Departures:
    """The writes of one thread."""

    has_left: bool = False
    """Whether one may have been sent."""


_WATCHED: ContextVar[Departures | None] = ContextVar("departures", default=None)


def watch_writes() -> Departures:
    """Return what says of the writes of this thread from now on, until it is asked for again."""
    departures = Departures()
    _WATCHED.set(departures)
    return departures


def note_write() -> None:
    """Say that a write is about to be sent."""
    departures = _WATCHED.get()
    if departures is not None:
        departures.has_left = True
