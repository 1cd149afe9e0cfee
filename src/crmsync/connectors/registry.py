"""Which connectors there are: one line each, imported only when a connection uses it.

Another package adds its own by an entry point in the group `crmsync.connectors`, whose name is
what `connector:` says in crmsync.yaml and whose value is a class like these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, cast

from crmsync.connectors.base import Connection, Connector, Limit
from crmsync.connectors.http import Observer, unobserved
from crmsync.connectors.throttle import Throttle
from crmsync.errors import ConfigError

BUILT_IN = {
    "hubspot": "crmsync.connectors.hubspot:HubSpot",
    "memory": "crmsync.connectors.memory:Memory",
}
GROUP = "crmsync.connectors"


class ConnectorClass(Protocol):
    """What stands behind a name: a class that knows its limits before it is built."""

    def limits(self, connection: Connection) -> tuple[Limit, ...]:
        """Return the rate limits of an account (a static method)."""
        ...

    def __call__(
        self, connection: Connection, throttle: Throttle, observe: Observer = unobserved
    ) -> Connector:
        """Build a connector; opens nothing. Raises ConfigError."""
        ...


def names() -> list[str]:
    """Return every name that `connector:` may have."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def load(name: str) -> ConnectorClass:
    """Import the connector of that name; raises ConfigError when there is none."""
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return cast("ConnectorClass", getattr(import_module(module), attribute))
    for point in entry_points(group=GROUP, name=name):
        return cast("ConnectorClass", point.load())
    known = names()
    near = get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
    raise ConfigError(f"unknown connector '{name}' ({hint})")


def open_connector(
    connection: Connection,
    throttle_for: Callable[[Connection, Sequence[Limit]], Throttle],
    observe: Observer = unobserved,
) -> Connector:
    """Build the connector of a connection, on the throttle that its limits ask for.

    Raises ConfigError for an unknown connector, limit, address or kind of `auth`.
    """
    kind = load(connection.connector)
    return kind(connection, throttle_for(connection, kind.limits(connection)), observe)
