"""A server process we started: brought up until it answers, paused, stopped, never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
"""How long a server may take until it answers; seconds even on a busy machine."""
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
LONGEST_SOCKET_FOLDER = 60
"""A Unix socket's whole path must stay below 104 bytes (macOS) or 108 (Linux)."""


class ServerFailed(Exception):
    """A server did not start; the message ends with its last log lines."""


@dataclass(slots=True)
class ServerProcess:
    """One server: the command that runs it, where it logs, and the process while it runs."""

    command: Sequence[str]
    log: Path
    folder: Path
    """Its working folder, which the server's user can reach."""
    environment: Mapping[str, str] | None = None
    user: Mapping[str, Any] = field(default_factory=dict)
    """`subprocess` arguments that name whom it runs as."""
    _process: subprocess.Popen[bytes] | None = None

    def start(self, answers: Callable[[], bool]) -> None:
        """Start it and return once `answers()` is true; raise `ServerFailed` where it is not."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it in order
                **self.user,
            )
        self._process = process
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if _ended(process, POLL_SECONDS) or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise ServerFailed(f"{self.command[0]} did not start:\n{self.last_lines()}")

    def stop(self, number: signal.Signals) -> None:
        """Send it the signal and wait until it is gone; SIGKILL when it takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        for member in family(process.pid):
            _send(member, signal.SIGCONT)
        _send(process.pid, number)
        if not _ended(process, STOP_SECONDS):
            for member in family(process.pid):
                _send(member, signal.SIGKILL)
            process.wait()

    def pause(self) -> None:
        """Freeze it with its children: connections stay open and nothing answers."""
        self._signal_family(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal_family(signal.SIGCONT)

    def last_lines(self, count: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def _signal_family(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server is not running")
        for member in family(self._process.pid):
            _send(member, number)


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


def free_port() -> int:
    """Return a loopback TCP port that is free now; another process may still take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_folder(prefix: str) -> Path:
    """Make a private folder on a short path that every user can reach, for data and sockets."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp is safe
        path = Path(parent).resolve()
        if len(str(path)) <= LONGEST_SOCKET_FOLDER and path.is_dir() and open_to_all(path):
            return Path(tempfile.mkdtemp(prefix=prefix, dir=path))
    raise ServerFailed("no temporary folder that all can enter: set TMPDIR to one of a short path")


def open_to_all(path: Path) -> bool:
    """Say whether any user may reach and read a path: it and all its parents allow it."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a process at most so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended meanwhile
        os.kill(pid, number)
