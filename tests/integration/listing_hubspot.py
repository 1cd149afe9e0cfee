"""A connector for a test: HubSpot that finds records by any property, by reading through the list.

HubSpot's batch read takes unique properties only. Here a record is found by a plain one, as in a
CRM without unique fields, so that what protects from duplicates there is shown over real HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crmsync.connectors import registry
from crmsync.connectors.base import Key
from crmsync.connectors.http import Effect
from crmsync.connectors.hubspot import HubSpot
from crmsync.connectors.hubspot_wire import record_of
from crmsync.model import Action, Record


class ListingHubSpot(HubSpot):
    """See the module."""

    capabilities = replace(
        HubSpot.capabilities,
        records_per_call={Action.CREATE: 100, Action.UPDATE: 100},
        upserts_by=frozenset(),
    )

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read by id as ever, by a property through the first hundred records."""
        name = keys[0].field if keys else None
        if name is None:
            return super().read(object_type, keys, fields)
        params = {"limit": "100", "properties": ",".join({*fields, name})}
        path = self._path("objects", object_type)
        listed = self._http.request("GET", path, effect=Effect.READ, params=params).json()
        found = {entry["properties"].get(name): entry for entry in listed["results"]}
        kinds = self._kinds(object_type, fields)
        return [
            record_of(found[key.value], fields, kinds) if key.value in found else None
            for key in keys
        ]


def register() -> None:
    """Make it known as `listing` in this process."""
    registry.BUILT_IN["listing"] = f"{__name__}:ListingHubSpot"
