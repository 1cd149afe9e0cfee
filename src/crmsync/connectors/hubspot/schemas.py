"""What an account's objects look like: remembered for a while, and looked at anew in doubt."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence

from crmsync.connectors.hubspot import sdk
from crmsync.connectors.hubspot.api import Api
from crmsync.errors import ConfigError
from crmsync.model import FieldSchema, FieldType, ObjectSchema

SCHEMA_SECONDS = 600.0
"""How long the types of fields are remembered for decoding what is read."""
UNKNOWN_FIELD_SECONDS = 60.0
"""The same when a field is asked for that was not there: it may have been made since."""


class Schemas:
    """The properties of one account's objects."""

    def __init__(self, api: Api) -> None:
        """Know nothing yet."""
        self._api = api
        self._described: dict[str, tuple[float, ObjectSchema]] = {}

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live properties."""
        schema = sdk.describe(self._api.http, self._api.version, object_type)
        self._described[object_type] = time.monotonic(), schema
        return schema

    def create(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom property in the object's own group; one that exists is left as it is."""
        sdk.create_property(self._api.http, self._api.version, object_type, field)
        self._described.pop(object_type, None)

    def kinds(self, object_type: str, fields: Sequence[str]) -> Mapping[str, FieldType]:
        """Return the types of an object's fields, read anew when old or when one is unknown."""
        known = self._known(object_type, fields)
        return {name: field.type for name, field in known.fields.items()}

    def is_unique(self, object_type: str, name: str) -> bool:
        """Say whether no two records hold the same value."""
        field = self._known(object_type, [name]).fields.get(name)
        # What the CRM does not have is left to it to refuse, in the cheaper of the two calls.
        return field is None or field.unique

    def insist(self, object_type: str, names: Collection[str]) -> None:
        """Raise ConfigError for those of the fields that the account no longer has.

        HubSpot leaves a property that it does not have out of its answers without a word; taken
        for empty, it would empty what is ours.
        """
        live = self.describe(object_type).fields
        gone = sorted(name for name in names if name not in live)
        if gone:
            raise ConfigError(
                f"'{object_type}' of HubSpot has no property {', '.join(map(repr, gone))} any"
                " more: create it again, or remove it from the mapping"
            )

    def _known(self, object_type: str, names: Sequence[str]) -> ObjectSchema:
        """Return an object's fields, described anew when that is long ago or one is unknown."""
        read_at, schema = self._described.get(object_type, (-math.inf, ObjectSchema("", {})))
        age = time.monotonic() - read_at
        unknown = any(name not in schema.fields for name in names)
        if age > SCHEMA_SECONDS or (unknown and age > UNKNOWN_FIELD_SECONDS):
            return self.describe(object_type)
        return schema
