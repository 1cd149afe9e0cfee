"""The rate budget where there is no Redis: counted in a ledger that all processes share.

The ledger is a locked file beside the SQLite database, or a row of PostgreSQL (`store.ledgers`).
Exact like Redis's, only slower: each call costs two short transactions on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from crmsync.connectors.base import Limit
from crmsync.connectors.throttle import LONGEST_SETTLING_SECONDS, Grant, wait_for
from crmsync.connectors.windows import Admission, Call, Windows
from crmsync.errors import RateLimited, StoreUnavailable

AWAY_SECONDS = 2.0
"""How long to wait for a ledger that cannot be reached."""

BEGUN = "@begun"
"""Beside the counts: since when they stand in for Redis's, in seconds."""

T = TypeVar("T")
State = Mapping[str, Mapping[str, int]]


class Ledger(Protocol):
    """A small JSON document that many processes change, one at a time."""

    def change(self, work: Callable[[State | None, float], tuple[Mapping[str, Any], T]]) -> T:
        """Run `work(state, now)` alone and keep the state it returns beside its answer.

        `state` is None where it was lost. `now`: seconds by the clock that all processes share.
        """
        ...


class SharedThrottle:
    """The budget of every process that shares a ledger. See `throttle.Throttle`."""

    def __init__(
        self,
        ledger: Ledger,
        limits: Sequence[Limit],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Count in `ledger`; nothing is read before the first call."""
        self._ledger = ledger
        self._limits = tuple(limits)
        self._clock = clock
        self._sleep = sleep

    def acquire(self, call: Call, *, hold_seconds: float, patience_seconds: float) -> Grant:
        """See Throttle."""

        def admit(state: State | None, now: float) -> tuple[Mapping[str, Any], Admission]:
            windows = self._windows(state, now)
            admission = windows.admit(call, now, hold_seconds)
            return _with_begin(windows, state), admission

        try:
            admission = wait_for(
                lambda: self._ledger.change(admit),
                call,
                patience_seconds,
                self._clock,
                self._sleep,
            )
        except StoreUnavailable as away:
            # What cannot be counted is not sent.
            raise RateLimited(
                f"the rate budget cannot be counted: {away.user_message}",
                retry_after_seconds=AWAY_SECONDS,
                was_sent=False,
            ) from None
        return Grant(call, admission.buckets)

    def release(self, grant: Grant) -> None:
        """See Throttle."""

        def finish(state: State | None, now: float) -> tuple[Mapping[str, Any], None]:
            windows = self._windows(state, now)
            windows.finish(grant.call, now, grant.buckets)
            return _with_begin(windows, state), None

        with suppress(StoreUnavailable):  # the slot then frees itself, a window after its deadline
            self._ledger.change(finish)

    def begin(self) -> float:
        """See Fallback; where nobody can be asked, as if nobody had begun."""

        def note(state: State | None, now: float) -> tuple[Mapping[str, Any], float]:
            begun = {"at": int(now)} if state is None else state.get(BEGUN, {"at": int(now)})
            kept = {**self._windows(state, now).to_json(), BEGUN: begun}
            return kept, max(0.0, now - begun["at"] - 1)

        try:
            return self._ledger.change(note)
        except StoreUnavailable:
            return 0.0

    def end(self) -> None:
        """See Fallback; where that cannot be kept, whoever loses Redis next waits less long."""

        def forget(state: State | None, now: float) -> tuple[Mapping[str, Any], None]:
            return self._windows(state, now).to_json(), None

        with suppress(StoreUnavailable):
            self._ledger.change(forget)

    def _windows(self, state: State | None, now: float) -> Windows:
        windows = Windows(self._limits)
        if state is None:
            windows.fill(now, LONGEST_SETTLING_SECONDS)
        else:
            windows.take_json(state)
        return windows


def _with_begin(windows: Windows, state: State | None) -> Mapping[str, Any]:
    """Return the counts to keep, with what stood beside them."""
    begun = {} if state is None or BEGUN not in state else {BEGUN: state[BEGUN]}
    return {**windows.to_json(), **begun}
