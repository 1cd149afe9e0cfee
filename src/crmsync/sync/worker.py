"""A worker's threads: one per connection that drains it, one that keeps the schedule.

Each connection's thread sleeps until its bell rings, its next link is due, or the sweep time is
over, whichever comes first; so nothing depends on the bell, and a connection that hangs holds up no
other. The same threads serve the embedded default and every Celery worker (as its sweep).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from crmsync.errors import StoreUnavailable
from crmsync.sync import marking, schedule
from crmsync.sync.context import Works
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.sync.presence import Presence

STORE_REST_SECONDS = 2.0

log = structlog.get_logger()


class Worker:
    """Drains every connection of a configuration until it is stopped."""

    def __init__(self, works: Works, after_round: Callable[[float], None] = lambda _: None) -> None:
        """Prepare; nothing runs before `start`.

        `after_round` is called at the end of each round with `idle_seconds`, from any thread.
        """
        self._works = works
        self._after_round = after_round
        self._presence = Presence(works, "worker")
        names = sorted({mapping.connection for mapping in works.configuration.mappings})
        self._bells = {name: threading.Event() for name in names}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._rounds = {name: time.monotonic() for name in names}

    def start(self) -> None:
        """Start the threads."""
        loops: dict[str, Callable[[], None]] = {
            f"drain-{name}": lambda name=name: self._drain_loop(name)  # type: ignore[misc] # bound now
            for name in self._bells
        }
        loops["schedule"] = self._schedule_loop
        for name, loop in loops.items():
            thread = threading.Thread(target=loop, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, patience_seconds: float = 35.0) -> None:
        """Finish the requests under way, settle them, and return."""
        self.begin_stop()
        give_up_at = time.monotonic() + patience_seconds
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def ring(self, name: str) -> None:
        """Tell a connection's thread to look; an unknown name is nobody's business here."""
        if name in self._bells:
            self._bells[name].set()

    def begin_stop(self) -> None:
        """Claim nothing more; what is under way is finished by `stop`."""
        self._stopping.set()
        for bell in self._bells.values():
            bell.set()

    @property
    def idle_seconds(self) -> float:
        """How long ago the connection that was served longest ago last was.

        What liveness means for a worker. A drain lasts 30 s and the calls under way then; whatever
        it settles on the way shows that it moves.
        """
        now = time.monotonic()
        return now - min(self._rounds.values(), default=now)

    def _drain_loop(self, name: str) -> None:
        while not self._stopping.is_set():
            wait = self._once(lambda: self._round(name))
            if self._bells[name].wait(wait):
                self._bells[name].clear()

    def _round(self, name: str) -> float:
        """Drain a connection; return how long it is until it has work again."""
        more = drain(
            self._works, name, stopping=self._stopping.is_set, moved=lambda: self._moved(name)
        )
        self._moved(name)
        return 0.0 if more else next_wake_seconds(self._works, name)

    def _moved(self, name: str) -> None:
        self._rounds[name] = time.monotonic()
        self._after_round(self.idle_seconds)

    def _schedule_loop(self) -> None:
        while not self._stopping.is_set():
            self._once(lambda: float(marking.bring_up_to_date(self._works)))
            self._once(lambda: float(schedule.tick(self._works)))
            self._once(self._present)
            self._stopping.wait(self._works.configuration.timing.sweep_seconds)
        self._presence.leave()

    def _present(self) -> float:
        self._presence.renew()
        return 0.0

    def _once(self, work: Callable[[], float]) -> float:
        """Run one round; a database that is away, or a bug, ends the round and not the thread."""
        try:
            return work()
        except StoreUnavailable as away:
            log.warning("store_unavailable", detail=away.user_message)
        except Exception as fault:
            log.exception("worker_fault", kind=type(fault).__name__)
        self._stopping.wait(STORE_REST_SECONDS)
        return STORE_REST_SECONDS
