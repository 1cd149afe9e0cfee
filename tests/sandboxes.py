"""Simulated CRMs for tests; whatever passes over their wire must be as the vendor describes it.

    with running("hubspot", limits=False) as sandbox:      # in this process
    with watched("hubspot", url) as control:               # in another

Every test that starts a simulated CRM does it here (tests/openapi/test_checks.py sees to that).
On leaving, the ledger is read and the test fails with what is wrong: method, route, status and
problem. Nothing escapes: what is forgotten on order is read before, and what the ledger lost on its
own is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from crmsync import sandbox
from crmsync.sandbox import Control, Sandbox
from tests.openapi import exchanges

_ALL = 10_000_000
"""Entries; more than any ledger holds."""


class WatchedControl(Control):
    """The control of a simulated CRM that notes what is wrong with the exchanges in its ledger."""

    def __init__(self, crm: str, url: str, *, check_requests: bool = True) -> None:
        super().__init__(url)
        self._crm = crm
        self._check_requests = check_requests
        self._seen = 0
        self._problems: list[str] = []

    def reset(self) -> None:
        """Reset, once the ledger was read."""
        self._look()
        super().reset()

    def clear_ledger(self) -> None:
        """Clear the ledger, once it was read."""
        self._look()
        super().clear_ledger()

    def requests(self) -> int:
        """Return how many requests were ever received."""
        return int(self.about()["requests"])

    def overlook(self) -> None:
        """Pass over what came so far, where a test makes the ledger forget."""
        self._seen = self.requests()

    def problems(self) -> list[str]:
        """Return what was wrong since this was last asked."""
        self._look()
        found, self._problems = self._problems, []
        return found

    def _look(self) -> None:
        received = self.requests()
        entries = self.ledger(limit=_ALL, since=self._seen)
        # What arrives between the two questions is looked at next time.
        entries = [entry for entry in entries if entry["seq"] <= received]
        lost = received - self._seen - len(entries)
        if lost:
            self._problems.append(f"{lost} requests were forgotten before they were looked at")
        self._problems += [
            f"{entry['method']} {entry['route']}: its body was not kept"
            for entry in entries
            if entry["bytes_in"] and entry["body"] is None
        ]
        self._problems += exchanges.problems(
            self._crm, entries, check_requests=self._check_requests
        )
        self._seen = received


@dataclass(frozen=True, slots=True)
class WatchedSandbox(Sandbox):
    """One simulated CRM that is listening, and watched."""

    control: WatchedControl


@contextmanager
def watched(crm: str, url: str, *, check_requests: bool = True) -> Iterator[WatchedControl]:
    """Watch a simulated CRM that is running already, until the block ends.

    `check_requests` is off where they are a test's own, not a connector's.
    """
    control = WatchedControl(crm, url, check_requests=check_requests)
    yield control
    wrong = control.problems()
    assert not wrong, "not as described:\n" + "\n".join(wrong)


@contextmanager
def running(
    crm: str = "hubspot", *, check_requests: bool = True, port: int = 0, **settings: object
) -> Iterator[WatchedSandbox]:
    """Serve one simulated CRM in a background thread while the block runs, and watch it."""
    with (
        sandbox.running(crm, port=port, **settings) as started,
        watched(crm, started.url, check_requests=check_requests) as control,
    ):
        yield WatchedSandbox(crm, started.url, control)
