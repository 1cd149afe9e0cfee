"""A server we started: brought up until it answers, paused, stopped, never left behind.

`ServerProcess` is one process. `OwnServer` is what the servers of both products have in common: a
folder, a free port, and what a test may do to them. Each process has a guard beside it, which ends
it when the tests are killed and can end nothing themselves (`guard.py`).
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.servers import guard
from tests.servers.guard import family, send

START_SECONDS = 60.0
"""How long a server may take until it answers; seconds even on a busy machine."""
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
START_ATTEMPTS = 5
"""A free port may be taken by somebody else before the server binds it."""
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
    _guard: subprocess.Popen[str] | None = None

    def start(self, answers: Callable[[], bool]) -> None:
        """Start it and return once `answers()` is true; raise `ServerFailed` where it is not."""
        self._guard = _start_guard(self.folder)
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
        _tell(self._guard, f"{process.pid}\n")
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
            send(member, signal.SIGCONT)
        send(process.pid, number)
        if not _ended(process, STOP_SECONDS):
            for member in family(process.pid):
                send(member, signal.SIGKILL)
            process.wait()
        if self._guard is not None:
            _dismiss(self._guard)

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
            send(member, number)


class Server:
    """A server the tests may write to; somebody else's where the environment names one."""

    def __init__(self, url: str, origin: str) -> None:
        """Take the address of a server that answers, and where it came from."""
        self.url = url
        self.origin = origin

    def close(self) -> None:
        """Leave the server as it is: it is not ours."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


class OwnServer(Server, ABC):
    """A server we started, which a test may therefore stop, freeze and restart."""

    stop_signal: ClassVar[signal.Signals]
    """What makes it end in order."""
    crash_signal: ClassVar[signal.Signals]
    """What makes it end at once."""

    def __init__(self, folder: Path, origin: str) -> None:
        """Make it in this folder and start it; `ServerFailed`, and no folder left, if it fails."""
        self.folder = folder
        try:
            self.make()
            self._start_on_free_port()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        super().__init__(self.address(), origin)

    @abstractmethod
    def make(self) -> None:
        """Prepare the folder."""

    @abstractmethod
    def process(self) -> ServerProcess:
        """Return the process that serves on `port`, not yet started."""

    @abstractmethod
    def answers(self) -> bool:
        """Say whether it, and not a stranger on its port, answers."""

    @abstractmethod
    def address(self) -> str:
        """Return its URL."""

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it again on the same port, in the same folder, after `stop`."""
        self._process.start(self.answers)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it in order, or at once as in a crash."""
        self._process.stop(self.crash_signal if immediate else self.stop_signal)

    def restart(self, *, immediate: bool = False) -> None:
        """Stop and start."""
        self.stop(immediate=immediate)
        self.start()

    def pause(self) -> None:
        """Freeze it with its children: connections stay open and nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._process.resume()

    def close(self) -> None:
        """End it and remove its folder."""
        self.stop(immediate=True)  # nothing of it is kept, so nothing need be flushed
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_on_free_port(self) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = free_port()
            self._process = self.process()
            try:
                self._process.start(self.answers)
            except ServerFailed:
                if attempt == START_ATTEMPTS or "in use" not in self._process.last_lines():
                    raise
            else:
                return


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


def _start_guard(folder: Path) -> subprocess.Popen[str]:
    """Start what ends a server when we no longer can."""
    return subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-I", "-S", guard.__file__, str(folder)],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,  # whoever kills our whole group must not reach it
    )


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def _dismiss(process: subprocess.Popen[str]) -> None:
    """Let a guard go: its server has ended."""
    process.communicate(guard.LEAVE)
