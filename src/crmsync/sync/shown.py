"""What people see of a CRM's values: a user's e-mail and a stage's label, not the CRM's ids."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from crmsync.model import Directory
from crmsync.planning.names import Names, NoSuchName
from crmsync.store import schemas
from crmsync.store.runs import LogEntry
from crmsync.sync.naming import known_names

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""A description of a field is good enough to name its values by, however old."""


class Shown:
    """Names the values of fields by what is kept of each CRM's directories."""

    def __init__(self, connection: Connection) -> None:
        """Name values while this database connection is open."""
        self._connection = connection
        self._directories: dict[tuple[str, str], dict[str, Directory]] = {}
        self._names: dict[str, Names] = {}

    def value(self, name: str, object_type: str, field: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return a field's value as people know it; what no directory has stays as it is."""
        directory = self._of(name, object_type).get(field)
        if directory is None or not isinstance(value, str | int):
            return value
        if name not in self._names:
            self._names[name] = known_names(self._connection, name)
        try:
            return self._names[name].shown(directory, value)
        except NoSuchName:  # a name already, or somebody whom the CRM does not tell of
            return value

    def fields(self, name: str, object_type: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record's fields, named."""
        return {field: self.value(name, object_type, field, v) for field, v in values.items()}

    def changes(self, entry: LogEntry) -> dict[str, list[Any]]:
        """Return an entry's fields with what each held before and holds since, named."""
        return {
            field: [self.value(entry.connection, entry.object, field, one) for one in change]
            for field, change in entry.fields.items()
        }

    def _of(self, name: str, object_type: str) -> dict[str, Directory]:
        place = name, object_type
        if place not in self._directories:
            schema = schemas.find_schema(self._connection, *place, EVER)
            described = schema.fields.values() if schema else ()
            self._directories[place] = {
                one.name: one.directory for one in described if one.directory is not None
            }
        return self._directories[place]
