"""Starting, killing and freezing worker processes.

They are forked from a server process that has everything imported already and no threads, so that
each begins within milliseconds and in a clean state.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from crmsync.connectors.registry import BUILT_IN
from tests.integration.worker_main import main
from tests.workbench import Project, until

END_SECONDS = 30.0
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["tests.integration.worker_main", *(kind.partition(":")[0] for kind in BUILT_IN.values())]
)


class WorkerProcess:
    """One worker; it begins when it is made."""

    def __init__(self, project: Project, role: str, *switches: str, **env: str) -> None:
        """Start it in a role of `worker_main`, with switches of `sabotage`."""
        number = len(list(project.folder.glob("worker-*")))
        self.log = project.folder / f"worker-{number}.log"
        self.log.touch()
        self.line, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(
            target=main,
            args=(role, switches, {**project.env, **env}, str(self.log), theirs),
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """SIGKILL: it gets to do nothing any more."""
        self._process.kill()
        self._process.join(END_SECONDS)
        assert self._process.exitcode is not None

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    @property
    def threads(self) -> int:
        """How many threads it has; none, where it has ended."""
        try:
            return len(list(Path(f"/proc/{self._process.pid}/task").iterdir()))
        except FileNotFoundError:
            return 0

    @property
    def exit_code(self) -> int | None:
        """How it ended; None where it has not yet."""
        return self._process.exitcode

    def ask(self) -> Any:
        """Let a waiting worker go on; return what it says next."""
        self.line.send("go")
        return self.hear()

    def hear(self) -> Any:
        """Return what it says next."""
        assert self.line.poll(END_SECONDS), self.log.read_text()
        return self.line.recv()

    def wait_frozen(self) -> None:
        """Return once it has stopped itself."""
        until(self._is_frozen, "the worker stops itself")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing, where it has ended."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def thaw(self) -> None:
        """Let it go on after it was stopped."""
        self.send(signal.SIGCONT)

    def resident_bytes(self) -> int:
        """Return how much memory it takes."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process.is_alive():
            self.kill()
        self.line.close()
        self._process.close()

    def _is_frozen(self) -> bool:
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"


class Start(Protocol):
    """Starts a worker that ends with the block."""

    def __call__(self, *switches: str, role: str = "worker") -> WorkerProcess:
        """Start one with these switches besides the common ones."""
        ...


@contextmanager
def workers(project: Project, *common: str, **env: str) -> Iterator[Start]:
    """Give what starts workers; all of them are gone when the block ends."""
    with ExitStack() as stack:

        def start(*switches: str, role: str = "worker") -> WorkerProcess:
            worker = WorkerProcess(project, role, *common, *switches, **env)
            stack.callback(worker.end)
            return worker

        yield start
