"""The CRM's side of these tests, in few words."""

from __future__ import annotations

from typing import Any

from crmsync.connectors.memory import MemoryCrm
from crmsync.model import CrmId


def held(crm: MemoryCrm, object_type: str = "contacts") -> list[dict[str, Any]]:
    """Return the fields of all records, without those that are empty."""
    records = crm.records.get(object_type, {}).values()
    return [{k: v for k, v in r.fields.items() if v is not None} for r in records]


def seed(crm: MemoryCrm, **fields: Any) -> CrmId:
    """Make a record that was there before us."""
    return crm.save("contacts", None, fields)


def mapping(fields: str, match: str = "crmsync_id: profile_id", **keys: str) -> str:
    """Return a mapping of contacts."""
    lines = [
        "connection: crm",
        "source: profiles",
        f"object: {keys.pop('object', 'contacts')}",
        f"match: {{{match}}}",
        *(f"{name}: {value}" for name, value in keys.items()),
        f"fields: {{{fields}}}",
    ]
    return "\n".join(lines) + "\n"
