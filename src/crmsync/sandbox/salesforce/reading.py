"""How records are shown: one field's value, and one record as calls and queries answer it."""

from __future__ import annotations

from typing import Any

from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.records import Record, Values
from crmsync.sandbox.salesforce.wire import record_url

_ADDRESS_PARTS = ("City", "Country", "PostalCode", "State", "Street")


def shown_value(values: Values, field: Field) -> Any:  # noqa: ANN401 - whatever the field holds
    """Return a field's value; null where there is none."""
    if field.type == "address":
        return _address(values, field.name.removesuffix("Address"))
    value = values.get(field.name)
    return False if value is None and field.type == "boolean" else value


def attributes(object_type: str, record: Record, version: str) -> dict[str, str]:
    """Return what every record that is shown begins with."""
    return {"type": object_type, "url": record_url(version, object_type, record.id)}


def _address(values: Values, prefix: str) -> dict[str, Any] | None:
    parts = {name: values.get(f"{prefix}{name}") for name in _ADDRESS_PARTS}
    if not any(parts.values()):
        return None
    shown = {name[0].lower() + name[1:]: value for name, value in parts.items()}
    return {**shown, "geocodeAccuracy": None, "latitude": None, "longitude": None}
