"""Whose turn it is, of a process's threads, to work on a record that may be what ends workers.

Such a record is alone in its process: else those that happen to be under way with it each time,
perhaps of another connection, would pass for what it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

WAIT_SECONDS = 1.0
_turn = threading.Lock()


@contextmanager
def turn() -> Iterator[bool]:
    """Take the turn while the block runs, if nobody has it; say whether it is ours."""
    is_ours = _turn.acquire(blocking=False)
    try:
        yield is_ours
    finally:
        if is_ours:
            _turn.release()


def wait() -> None:
    """Return when nobody has the turn, or after a second."""
    if _turn.acquire(timeout=WAIT_SECONDS):
        _turn.release()
