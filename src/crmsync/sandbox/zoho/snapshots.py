"""An organisation's records and custom fields as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from crmsync.sandbox.zoho.fields import Field, Option
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.records import Deletion, Record


def take(org: Org) -> dict[str, Any]:
    """Return what an organisation holds; without histories, users, tokens and spent credits."""
    return {
        "next_id": org.next_id,
        "modules": {
            name: {
                "fields": [asdict(f) for f in records.fields.all.values() if f.custom],
                "records": [_saved(record) for record in records.by_id.values()],
            }
            for name, records in org.modules.items()
        },
    }


def load(org: Org, snapshot: Mapping[str, Any]) -> None:
    """Fill a new organisation; search sees everything at once."""
    for name, saved in snapshot["modules"].items():
        records = org.modules[name]
        for field in saved["fields"]:
            options = tuple(Option(**option) for option in field["options"])
            records.fields.put(Field(**{**field, "options": options}))
        for one in saved["records"]:
            record = _restored(one)
            records.by_id[record.id] = record
        records.reindex()
    org.next_id = snapshot["next_id"]


def _saved(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "created": record.created,
        "modified": record.modified,
        "created_by": record.created_by,
        "modified_by": record.modified_by,
        "values": record.values,
        "deleted": asdict(record.deleted) if record.deleted is not None else None,
        "merged_into": record.merged_into,
        "states": sorted(record.states),
        "workflow_runs": record.workflow_runs,
    }


def _restored(saved: Mapping[str, Any]) -> Record:
    deleted = saved["deleted"]
    changed = {
        "deleted": Deletion(**deleted) if deleted is not None else None,
        "states": frozenset(saved["states"]),
        "indexed": saved["values"],
    }
    return Record(**{**saved, **changed})
