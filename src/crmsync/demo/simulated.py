"""A simulated CRM in a process of its own, which never outlives the one that started it.

`python -m crmsync.demo.simulated` serves until its stdin ends, however the demo came to its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crmsync.errors import CrmsyncError
from crmsync.sandbox import Control, serve

CRM = "hubspot"
LATENCY_SECONDS = 0.1
"""How long the CRM takes for an answer."""
STOP_SECONDS = 5.0


@contextmanager
def simulated_crm() -> Iterator[Control]:
    """Serve a simulated CRM on a free loopback port while the block runs."""
    child = subprocess.Popen(
        [sys.executable, "-m", "crmsync.demo.simulated"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the demo; the CRM ends when its stdin does
    )
    try:
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise CrmsyncError("the simulated CRM could not listen on 127.0.0.1")
        yield Control(line.split()[1])
    finally:
        if child.stdin:
            child.stdin.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def main() -> None:
    """Serve until stdin ends."""
    threading.Thread(target=_stop_with_stdin, daemon=True).start()
    serve([CRM], port=0, settings={"latency_seconds": LATENCY_SECONDS})


def _stop_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
