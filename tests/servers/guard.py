"""Ends a server when the process that started it is gone, however that one ended.

    python guard.py FOLDER    # then one line on stdin: the server's pid

Run by `process.py`, one beside each server. Its stdin is a pipe whose other end only the tests'
process holds: when that is killed, the pipe ends, and the server and its folder with it. Told
`leave`, it leaves both alone. Stands alone, so that it starts at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

END_SECONDS = 10.0
POLL_SECONDS = 0.02
LEAVE = "leave\n"


def main() -> None:
    """Wait for the end of the pipe."""
    pid, last = 0, ""
    for line in sys.stdin:
        last = line
        if line.strip().isdecimal():
            pid = int(line)
    if last == LEAVE or not pid:
        return
    end(pid)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def end(pid: int) -> None:
    """Kill a process, stopped or not, and its children; return when they are gone."""
    members = family(pid)
    for number in (signal.SIGCONT, signal.SIGKILL):
        for member in members:
            send(member, number)
    give_up_at = time.monotonic() + END_SECONDS
    while any(is_there(member) for member in members) and time.monotonic() < give_up_at:
        time.sleep(POLL_SECONDS)


def family(pid: int) -> list[int]:
    """Return a process and its direct children, the process first (Linux only: reads /proc)."""
    children = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        # The name, in brackets, may hold spaces: the fields after it are state and parent.
        if int(text.rpartition(")")[2].split()[1]) == pid:
            children.append(int(entry.parent.name))
    return [pid, *children]


def send(pid: int, number: int) -> None:
    """Send a signal, unless the process is gone; 0 sends none."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def is_there(pid: int) -> bool:
    """Say whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
