"""What must be true of what a connector gives, whatever the CRM answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crmsync.model import Deal, Record

ID = re.compile(r"[0-9A-Za-z]{1,20}", re.ASCII)


class Wrong(AssertionError):
    """A connector said what is not so."""


def demand_text(said: object) -> str:
    """Raise Wrong for what is no text, or empty."""
    if not isinstance(said, str) or not said:
        raise Wrong(f"{type(said).__name__} in the place of a text")
    return said


def demand_id(said: object) -> str:
    """Raise Wrong for what no CRM calls a record."""
    if not isinstance(said, str) or not ID.fullmatch(said):
        raise Wrong("an id that is none")
    return said


def demand_record(record: Record) -> None:
    """Raise Wrong for a record that no CRM has."""
    demand_id(record.crm_id)
    for one in (*record.former_ids, *([record.successor] if record.successor else [])):
        demand_id(one)
    if record.modified_at is not None and record.modified_at.tzinfo is None:
        raise Wrong("a moment without a zone")
    demand_values(record.fields)


def demand_deal(deal: Deal) -> None:
    """Raise Wrong for a deal that no CRM has."""
    demand_id(deal.crm_id)
    for person in deal.people:
        demand_id(person)
    for at in (deal.created_at, deal.modified_at, deal.closed_at):
        if at is not None and at.tzinfo is None:
            raise Wrong("a moment without a zone")
    if deal.amount is not None and not isinstance(deal.amount, int | float):
        raise Wrong("an amount that is no number")
    demand_values(deal.fields)


def demand_values(fields: Mapping[str, Any]) -> None:
    """Raise Wrong for what is no canonical value."""
    for value in fields.values():
        parts = value if isinstance(value, list) else [value]
        if not all(part is None or isinstance(part, str | int | float | bool) for part in parts):
            raise Wrong(f"{type(value).__name__} in the place of a value")
