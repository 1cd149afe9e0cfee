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

from crmsync.connectors.answers import Observer, unobserved
from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.auth.credentials import authorise
from crmsync.connectors.auth.tokens import TokenStore
from crmsync.connectors.auth.vendors import Vendor
from crmsync.connectors.base import Capabilities, Connection, Connector, Limit
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import CONCURRENT, within
from crmsync.errors import ConfigError
from crmsync.model import Timing

BUILT_IN = {
    "hubspot": "crmsync.connectors.hubspot.connector:HubSpot",
    "memory": "crmsync.connectors.memory:Memory",
    "pipedrive": "crmsync.connectors.pipedrive.connector:Pipedrive",
    "salesforce": "crmsync.connectors.salesforce.connector:Salesforce",
    "zoho": "crmsync.connectors.zoho.connector:Zoho",
}
GROUP = "crmsync.connectors"


class ConnectorClass(Protocol):
    """What stands behind a name: a class that knows its CRM's limits before it is built.

    One that can do more than a static token also has `vendor`: see `vendors.Vendor`. One whose CRM
    is slower than most has `timing`, which holds where crmsync.yaml says nothing.
    """

    capabilities: Capabilities

    def limits(self, connection: Connection) -> tuple[Limit, ...]:
        """Return the rate limits of an account (a static method)."""
        ...

    def __call__(
        self,
        connection: Connection,
        throttle: Throttle,
        authorisation: Authorisation,
        observe: Observer = unobserved,
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


def vendor_of(kind: ConnectorClass) -> Vendor | None:
    """Return how tokens are had from this CRM; None where it takes static tokens alone."""
    return cast("Vendor | None", getattr(kind, "vendor", None))


def timing_of(name: str) -> Timing:
    """Return the timing that suits a CRM; raises ConfigError when there is no such connector."""
    return cast("Timing", getattr(load(name), "timing", Timing()))


def limits_of(name: str) -> frozenset[str]:
    """Return what `limits:` may name; raises ConfigError when there is no such connector."""
    declared = load(name).limits(Connection(name, name, auth={}))
    return frozenset({CONCURRENT, *(limit.name for limit in declared)})


def open_connector(
    connection: Connection,
    throttle_for: Callable[[Connection, Sequence[Limit]], Throttle],
    tokens: TokenStore,
    observe: Observer = unobserved,
) -> Connector:
    """Build the connector of a connection, on the throttle that its limits ask for.

    `tokens` keeps what the CRM grants the connection.
    Raises ConfigError for an unknown connector, limit, address or kind of `auth`.
    """
    kind = load(connection.connector)
    throttle = throttle_for(connection, within(connection.quota, kind.limits(connection)))
    authorisation = authorise(connection, vendor_of(kind), tokens, observe)
    return kind(connection, throttle, authorisation, observe)
