"""Stopping on Ctrl-C or SIGTERM: what is under way is finished and settled first.

A second Ctrl-C stops at once: what was sent is then settled by whoever comes next.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = b"\nstopping: the calls under way are finished; Ctrl-C again stops at once\n"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that is set when this process is asked to stop."""
    asked = threading.Event()

    def note(number: int, _frame: FrameType | None) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not asked.is_set():
            # Not through `logging` or a screen, whose locks the interrupted code may hold.
            os.write(sys.stderr.fileno(), STOPPING)
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked  # signals reach the main thread only
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
