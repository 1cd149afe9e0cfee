"""What `test_limits` changes in its workers; switches of `sabotage`, by name."""

from __future__ import annotations

from typing import Any

from crmsync import bootstrap
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.sync import push

SLICE = 4
"""Links that a worker claims at once."""


def no_shared_count() -> None:
    """Let every process use the whole of a CRM's limits."""

    def alone(_self: Any, _connection: Any, limits: Any) -> MemoryThrottle:
        return MemoryThrottle(limits)

    bootstrap._Connections._throttle = alone  # type: ignore[assignment,method-assign]


def small_slices() -> None:
    """Claim so few links at once that several workers have something to do: no safeguard."""
    vars(push)["SLICE"] = SLICE
