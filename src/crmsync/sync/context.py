"""What the stories work with: one sync, and everything a process has built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crmsync.connectors.base import Connector
from crmsync.identity.rules import Rules
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.configuration import Configuration
from crmsync.model import Timing
from crmsync.store.database import Database
from crmsync.store.vault import Vault
from crmsync.sync.gate import Gate

Ring = Callable[[str], None]
"""Tells the workers that a connection has work; returns at once and never raises."""


EVENTS_PER_COMMIT = 1_000
"""Of several calls together: some tens of milliseconds of work."""


@dataclass(frozen=True, slots=True)
class Store:
    """The database, and the keys that open what is sealed in it."""

    database: Database
    vault: Vault


@dataclass(frozen=True, slots=True)
class Sync:
    """One mapping with the CRM that it writes to."""

    mapping: SyncMapping
    connector: Connector
    timing: Timing
    calls_in_flight: int
    """How many requests may be under way at once."""
    store: Store
    neighbours: tuple[SyncMapping, ...] = ()
    """The other mappings of the project: some refer to each other."""

    @property
    def heirs(self) -> list[SyncMapping]:
        """Return the mappings that take on people whom this one is done with: converted leads."""
        ours = self.mapping
        return [
            other
            for other in self.neighbours
            if other.connection == ours.connection and ours.sync in other.unless_linked
        ]


@dataclass(frozen=True, slots=True)
class Works:
    """Everything a process works with; built once, by `bootstrap`."""

    configuration: Configuration
    rules: Rules
    store: Store
    open_sync: Callable[[SyncMapping], Sync]
    """Opens a connection on first use, so that nothing is connected before it is needed."""
    ring: Ring
    gate: Gate[Any, Any] = field(default_factory=lambda: Gate(EVENTS_PER_COMMIT))
    """Through which events come in: calls at once share a commit."""
    begun: set[str] = field(default_factory=set)
    """Hashes of the mappings whose links this process has seen to."""
    superseded: set[str] = field(default_factory=set)
    """Syncs whose mapping another process has a newer version of."""

    @property
    def mappings(self) -> Mapping[str, SyncMapping]:
        """Return the mappings by the name of their sync."""
        return {mapping.sync: mapping for mapping in self.configuration.mappings}
