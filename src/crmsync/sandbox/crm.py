"""What a simulated CRM has to be, for the frame to serve it.

The frame carries requests and answers, faults, latency, the ledger and the control API. A CRM
knows its own state, rules and words. All calls come from one thread, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.settings import Settings


class ControlError(Exception):
    """The control API was asked for something that cannot be done; the text says why."""


class SimulatedCrm(Protocol):
    """One CRM account."""

    clock: Clock

    @property
    def settings(self) -> Settings:
        """The settings in force; `configure` puts others in their place."""
        ...

    def route_of(self, request: Request) -> str:
        """Return the request's path with what varies in braces; the path itself if unknown."""
        ...

    def answer(self, request: Request) -> Answer:
        """Carry the request out and return the answer."""
        ...

    def failure(self, status: int) -> Answer:
        """Return the body and headers this CRM gives an error status that has no cause here."""
        ...

    def configure(self, settings: Settings) -> None:
        """Go on with other settings."""
        ...

    def reset(self) -> None:
        """Be as on the first day: no records, no customisation, the seed's first random number."""
        ...

    def object_counts(self) -> dict[str, int]:
        """Return the number of live records of each object type."""
        ...

    def held(self, object_type: str, ids: list[str] | None) -> list[dict[str, Any]]:
        """Return records as they are held, archived and merged ones included, lowest id first.

        Each has `id, properties, created_at, modified_at, archived_at, merged_into, history`.
        """
        ...

    def write_directly(
        self, object_type: str, record_id: str | None, values: Mapping[str, Any]
    ) -> str:
        """Create (no id) or edit a record as somebody in the CRM's own pages would; return its id.

        No quota, no latency; modification times move as for any edit.
        """
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return what is held, as JSON, for `restore` in another process."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Hold what a snapshot says, in place of all that was held."""
        ...

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        """Return what else can be done to this CRM from outside, by name."""
        ...
