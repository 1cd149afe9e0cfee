"""The simulated CRMs in a process of their own, which never outlives the one that started it.

`python -m crmsync.demo.simulated` serves until its stdin ends, however the demo came to its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from crmsync.demo.crms import CRMS
from crmsync.errors import CrmsyncError
from crmsync.sandbox import Control, serve

LATENCY_SECONDS = 0.05
"""How long a CRM takes for an answer."""
STOP_SECONDS = 5.0


@contextmanager
def simulated_crms() -> Iterator[dict[str, Control]]:
    """Serve the simulated CRMs on free loopback ports while the block runs; give them by name."""
    child = subprocess.Popen(
        [sys.executable, "-m", "crmsync.demo.simulated"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the demo; the CRMs end when its stdin does
    )
    try:
        lines = [child.stdout.readline().split() if child.stdout else [] for _ in CRMS]
        if not all(lines):
            raise CrmsyncError("the simulated CRMs could not listen on 127.0.0.1")
        yield {name: Control(url) for name, url in lines}
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
    serve(
        [crm.name for crm in CRMS],
        port=0,
        settings={"latency_seconds": LATENCY_SECONDS},
        own={crm.name: crm.settings for crm in CRMS},
        announce=_announce,
    )


def _announce(urls: Mapping[str, str]) -> None:
    sys.stdout.writelines(f"{name} {url}\n" for name, url in urls.items())
    sys.stdout.flush()


def _stop_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
