"""Rows of a CSV of people -> identify events, through the same reading as any other call.

The header names the columns: ids under the names calls have (`user_id`, `email`, `anonymous_id`,
`timestamp`, ...), every other column is a trait. An empty cell says nothing; a trait of declared
type number or boolean is read from its text. A row without a time is of now, so that importing
the same file again later says it again, and changes nothing where nothing differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmsync.identity.calls import read_call
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note, TraitType
from crmsync.identity.traits import STANDARD
from crmsync.model import Event

_CALL_COLUMNS = {
    "user_id": "userId",
    "userId": "userId",
    "person_id": "userId",
    "id": "userId",
    "anonymous_id": "anonymousId",
    "anonymousId": "anonymousId",
    "message_id": "messageId",
    "messageId": "messageId",
    "timestamp": "timestamp",
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_person_row(row: Mapping[str, str | None], arrival: Arrival, notes: list[Note]) -> Event:
    """Read one row. Raises EventRejected, which names the column."""
    call: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    for column, cell in row.items():
        text = cell.strip() if isinstance(cell, str) else ""
        if not text or not isinstance(column, str):
            continue
        name = column.strip()
        if name in _CALL_COLUMNS:
            call[_CALL_COLUMNS[name]] = _time(text) if name == "timestamp" else text
        else:
            declared = arrival.rules.trait_types.get(name) or STANDARD.get(name)
            traits[name] = _typed(text, declared)
    return read_call("identify", {**call, "traits": traits}, arrival, notes)


def _typed(text: str, declared: TraitType | None) -> str | float | bool:
    """Read a cell as its declared type; text that is not of it stays text, to be judged later."""
    if declared is TraitType.BOOLEAN:
        return _BOOLEANS.get(text.lower(), text)
    if declared is TraitType.NUMBER:
        return _number(text)
    if declared in (TraitType.DATE, TraitType.DATETIME):
        return _time(text)
    return text


def _number(text: str) -> str | float:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _time(text: str) -> str | float:
    """Read epoch numbers as such; `20260131` is a date of ISO 8601, not a number."""
    is_epoch = text.isdecimal() and len(text) in (10, 13)
    return int(text) if is_epoch else text
