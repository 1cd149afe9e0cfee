"""Group commit: what arrives while a commit is under way shares the next one.

A commit costs one sync to disk and a dozen statements, whatever it holds. Callers pass one at a
time; each takes along everybody who came meanwhile, so that the busier it gets the less a caller
costs. Two folds of the same people at once would only make each other run again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from crmsync.errors import StoreUnavailable

A = TypeVar("A")
B = TypeVar("B")

Commit = Callable[[Sequence[A]], Sequence[B]]
"""Commits items together; one answer per item, same order."""


class _Ticket(Generic[A, B]):
    """One caller's item, and what became of it."""

    __slots__ = ("answer", "error", "is_done", "item", "size")

    def __init__(self, item: A, size: int) -> None:
        self.item = item
        self.size = size
        self.is_done = False
        self.answer: B | None = None
        self.error: Exception | None = None


class Gate(Generic[A, B]):
    """Lets many threads commit through one door, together."""

    def __init__(self, most: int) -> None:
        """Commit items of at most this size together; a larger one goes alone."""
        self._most = most
        self._waiting: list[_Ticket[A, B]] = []
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def submit(self, item: A, size: int, commit: Commit[A, B]) -> B:
        """Return the item's answer once it is committed, or raise its own error.

        Callers give the same `commit`. Where a group fails, each of it is tried alone, so that
        nobody suffers for another's item.
        """
        ticket: _Ticket[A, B] = _Ticket(item, size)
        with self._lock:
            self._waiting.append(ticket)
        with self._turn:
            while not ticket.is_done:
                _commit(self._group(), commit)
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer  # type: ignore[return-value] # set whenever there is no error

    def _group(self) -> list[_Ticket[A, B]]:
        """Take the longest-waiting items that fit together: at least one."""
        with self._lock:
            group = [self._waiting.pop(0)]
            room = self._most - group[0].size
            while self._waiting and self._waiting[0].size <= room:
                group.append(self._waiting.pop(0))
                room -= group[-1].size
        return group


def _commit(group: Sequence[_Ticket[A, B]], commit: Commit[A, B]) -> None:
    try:
        answers = commit([ticket.item for ticket in group])
        for ticket, answer in zip(group, answers, strict=True):
            ticket.answer = answer
            ticket.is_done = True
    except StoreUnavailable as away:
        _fail(group, away)  # nobody's fault, and alone nobody would fare better
    except Exception as error:  # noqa: BLE001 - handed to the caller whose item it was
        if len(group) == 1:
            _fail(group, error)
            return
        for ticket in group:
            _commit([ticket], commit)


def _fail(group: Sequence[_Ticket[A, B]], error: Exception) -> None:
    for ticket in group:
        ticket.error = error
        ticket.is_done = True
