"""Values to and from Salesforce's JSON, and those it would take and keep as something else.

Most of what does not fit, Salesforce refuses itself (too long, a restricted picklist, a wrong
type), and its answer is the record's. Two things it takes silently are refused here: a choice that
an unrestricted picklist lacks, and decimal places that the field does not keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crmsync.connectors.salesforce.objects import Column
from crmsync.model import Failure, Fields, FieldType, Value

_SHOWN_CHOICES = 12
_NOISE = 1e-9
"""Relative; 0.1 + 0.2 is meant to be 0.3."""
_UTC_OFFSET = "+0000"


def to_wire(value: Value, column: Column) -> Any:  # noqa: ANN401 (any JSON scalar)
    """Return a canonical value as the API takes it; a label of a picklist becomes its value."""
    if value is None:
        # A checkbox is never empty, and a null for it is an error.
        return False if column.kind is FieldType.BOOLEAN else None
    if isinstance(value, list):
        return ";".join(_choice(item, column) for item in value)
    if isinstance(value, str) and column.kind is FieldType.PICKLIST:
        return _choice(value, column)
    if isinstance(value, float) and column.decimals is not None:
        return round(value, column.decimals)
    return value


def from_wire(value: Any, kind: FieldType) -> Value:  # noqa: ANN401 (any JSON)
    """Return a field's JSON as a canonical value; what does not fit its type stays as it is."""
    if value is None or value == "" or isinstance(value, dict):
        return None
    reader = _READERS.get(kind)
    if reader is not None:
        try:
            return reader(value)
        except (ValueError, TypeError, AttributeError):
            pass
    return value if isinstance(value, bool | int | float) else str(value)


def moment(text: str) -> datetime:
    """Read a time as Salesforce writes it: `2024-05-01T10:00:00.000+0000`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def misfit(fields: Fields, columns: Mapping[str, Column]) -> Failure | None:
    """Return why a record must not be sent, or None: the first field at fault."""
    for name, value in fields.items():
        column = columns.get(name)
        if column is None:
            return Failure(
                code="INVALID_FIELD",
                message=f"the object has no field '{name}' that we may see",
                hint=f"create '{name}' in Salesforce, grant it by field-level security, or remove"
                " the line from the mapping (`crmsync fields` lists what there is)",
                field=name,
            )
        if isinstance(value, float) and not _keeps(value, column):
            return Failure(
                code="TOO_PRECISE",
                message=f"'{name}' keeps {column.decimals} decimal places, the value has more:"
                " Salesforce would round it",
                hint=f"add `transform: [{{round: {column.decimals}}}]` to the mapping",
                field=name,
            )
        if column.values and column.takes_any and not _is_choice(value, column):
            return Failure(
                code="INVALID_OPTION",
                message=f"'{name}' has no such choice: Salesforce would take it, and show it as"
                " inactive",
                hint=f"it has {_shown(column)}: add the value in Salesforce, or translate it with"
                " `map:`",
                field=name,
            )
    return None


def in_detail(failure: Failure, fields: Fields, columns: Mapping[str, Column]) -> Failure:
    """Add to Salesforce's refusal of a value what it does not say: the choices, or both lengths."""
    name = failure.field or ""
    column, value = columns.get(name), fields.get(name)
    if column is None or value is None:
        return failure
    if failure.code == "STRING_TOO_LONG":
        length = len(str(to_wire(value, column)))
        told = f"The value has {length:,} characters, '{name}' takes {column.length:,}."
        return replace(failure, hint=f"{told} {failure.hint}")
    if failure.code == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" and column.values:
        return replace(failure, hint=f"{failure.hint} It has {_shown(column)}.")
    return failure


def _choice(text: str, column: Column) -> str:
    return text if text in column.values else column.by_label.get(text, text)


def _is_choice(value: Value, column: Column) -> bool:
    chosen = value if isinstance(value, list) else [value]
    return value is None or all(_choice(str(item), column) in column.values for item in chosen)


def _shown(column: Column) -> str:
    values = sorted(column.values)
    more = ", ..." if len(values) > _SHOWN_CHOICES else ""
    return ", ".join(values[:_SHOWN_CHOICES]) + more


def _keeps(value: float, column: Column) -> bool:
    if column.decimals is None:
        return True
    return abs(round(value, column.decimals) - value) <= _NOISE * abs(value)


def _number(value: Any) -> Value:  # noqa: ANN401 (see from_wire)
    number = float(value) if isinstance(value, str) else value
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _datetime(value: Any) -> Value:  # noqa: ANN401 (see from_wire)
    text: str = value
    if text.endswith(_UTC_OFFSET):
        return f"{text.removesuffix(_UTC_OFFSET)}Z"
    return moment(text).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _many(value: Any) -> Value:  # noqa: ANN401 (see from_wire)
    return sorted(part for part in value.split(";") if part) or None


_READERS: Mapping[FieldType, Callable[[Any], Value]] = {
    FieldType.EMAIL: lambda value: value.lower(),
    FieldType.NUMBER: _number,
    FieldType.DATETIME: _datetime,
    FieldType.MULTI_PICKLIST: _many,
}
