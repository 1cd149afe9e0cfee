"""The workers, of whom one is always being killed, frozen or told to stop; another takes its place.

Only what a machine does to a process is done here: signals. Nobody looks for a good moment
(`matrix.py` does), and nothing in the product knows of it.
"""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.integration.workers import Start, WorkerProcess

BLOWS = {"SIGKILL": 8, "SIGTERM": 1, "SIGSTOP": 1}
"""How often each is dealt, out of ten."""


@dataclass(slots=True)
class Crew:
    """So many workers of a role, and what became of them."""

    start: Start
    role: str
    size: int
    chance: random.Random
    threads: int
    """More than so many threads has who is at work."""
    frozen_seconds: float
    """Longer than a lease, so that others take over; shorter than the settle time, see `storm`."""
    dealt: Counter[str] = field(default_factory=Counter)
    _ranks: list[WorkerProcess] = field(default_factory=list)
    _thaws: list[threading.Timer] = field(default_factory=list)

    def muster(self) -> None:
        """Fill up the ranks, as what supervises processes does: a deaf worker ends by itself."""
        self._ranks = [worker for worker in self._ranks if worker.is_alive()]
        while len(self._ranks) < self.size:
            self._ranks.append(self.start(role=self.role))

    def strike(self) -> None:
        """Hurt one of them at random, and have it replaced; nobody, while all are still starting.

        Else a slow machine would kill each before it has done anything, and the storm show nothing.
        """
        at_work = [worker for worker in self._ranks if worker.threads > self.threads]
        if not at_work:
            return
        victim = self.chance.choice(at_work)
        self._ranks.remove(victim)
        [blow] = self.chance.choices(list(BLOWS), list(BLOWS.values()))
        self.dealt[blow] += 1
        if blow == "SIGKILL":
            victim.kill()
        else:
            victim.send(signal.Signals[blow])
        if blow == "SIGSTOP":
            self._thaw_later(victim)
        self.muster()

    def recover(self) -> None:
        """Wait until nobody is frozen any more."""
        for thaw in self._thaws:
            thaw.join()

    def _thaw_later(self, victim: WorkerProcess) -> None:
        def go_on() -> None:
            victim.thaw()
            victim.send(signal.SIGTERM)  # its place is taken

        thaw = threading.Timer(self.frozen_seconds, go_on)
        thaw.start()
        self._thaws.append(thaw)
