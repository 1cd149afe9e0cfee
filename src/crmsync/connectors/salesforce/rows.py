"""Rows of answers as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.salesforce.ids import full_id
from crmsync.connectors.salesforce.library import Row
from crmsync.connectors.salesforce.objects import BECAME, CONVERTED, DELETED, MASTER, Described
from crmsync.connectors.salesforce.soql import MODIFIED
from crmsync.connectors.salesforce.values import from_wire, moment
from crmsync.model import CrmId, Fields, Record


def record_of(row: Row, thing: Described, fields: Sequence[str]) -> Record:
    """Return a record as Salesforce shows it, with the fields asked for."""
    modified: Any = row.get(MODIFIED)
    modified_at = moment(modified) if modified else None
    if row.get(DELETED) is True:
        master = reference_in(row, MASTER)
        return Record(id_in(row), {}, modified_at, is_deleted=True, successor=master)
    converted = row.get(CONVERTED) is True
    return Record(
        id_in(row),
        values_of(row, thing, fields),
        modified_at,
        is_converted=converted,
        successor=reference_in(row, BECAME) if converted else None,
    )


def values_of(row: Row, thing: Described, fields: Sequence[str]) -> Fields:
    """Return canonical values by name; None for what the object lacks."""
    columns = thing.columns
    return {
        name: from_wire(row.get(name), columns[name].kind) if name in columns else None
        for name in fields
    }


def id_in(row: Mapping[str, Any]) -> CrmId:
    """Return a row's own id. Raises ValueError where it has none."""
    crm_id = full_id(row["Id"])
    if crm_id is None:
        raise ValueError("not an id")
    return crm_id


def reference_in(row: Mapping[str, Any], name: str) -> CrmId | None:
    """Return the id that a field holds; None for nothing, or what is no id."""
    value = row.get(name)
    return full_id(value) if isinstance(value, str) else None
