"""Values on the wire: JSON of each field's own type, times with an offset, lookups as objects.

Zoho keeps whole seconds, shows times with the offset of the account, rounds decimals, and is not
known to refuse every value that a picklist does not have: what it would change silently is
refused here (`Misfit`). Its own refusals, such as of a text that is too long, are left to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from crmsync.connectors.zoho.fields import NO_CHOICE, Field
from crmsync.model import FieldType, Value

INVALID_OPTION = "INVALID_OPTION"
NOISE = 1e-9
"""Relative: what binary fractions add to a decimal number, and nobody meant."""


class Misfit(ValueError):
    """A value that Zoho would not keep as it is; the text never holds it."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        """Take our code, and words for people."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def to_wire(field: Field, value: Value) -> Any:  # noqa: ANN401 (any JSON)
    """Return a canonical value as Zoho takes it; null clears. Raises Misfit."""
    if value is None:
        return None
    writer = _WRITERS.get(field.schema.type)
    try:
        return value if writer is None else writer(field, value)
    except Misfit:
        raise
    except (ValueError, TypeError, ArithmeticError):
        # The field may have become one of another type since the value was made for it.
        raise Misfit(
            "WRONG_TYPE",
            f"the value for '{field.schema.name}' is none for a field of type {field.data_type}",
            "Correct the trait, or add a transform to the line of the mapping.",
        ) from None


def from_wire(field: Field, raw: Any) -> Value:  # noqa: ANN401 (any JSON)
    """Return what Zoho shows as a canonical value; what does not fit its type comes as text."""
    if raw is None or raw in ("", [], NO_CHOICE):
        return None
    reader = _READERS.get(field.schema.type, _text)
    try:
        return reader(raw)
    except (LookupError, ValueError, TypeError, ArithmeticError):
        return str(raw)


def moment(text: str) -> datetime:
    """Read a time as Zoho writes it, `2024-07-16T15:01:02+05:30`. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def written(at: datetime) -> str:
    """Write a time as Zoho takes it everywhere: a final `Z` is not accepted by all fields."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


# --- to the wire --------------------------------------------------------------------------


def _number_to(field: Field, value: Value) -> Any:  # noqa: ANN401 (a number, or digits)
    number = _number(value)
    if not math.isfinite(number):
        raise Misfit(
            "NOT_A_NUMBER",
            f"the number for '{field.schema.name}' is not finite",
            "Correct the trait, or the transform that makes it.",
        )
    if field.data_type == "bigint":
        return str(number)
    if isinstance(number, int) or field.decimals is None:
        return number
    kept = round(number, field.decimals)
    if not math.isclose(kept, number, rel_tol=NOISE, abs_tol=0.0):
        raise Misfit(
            "TOO_PRECISE",
            f"'{field.schema.name}' keeps {field.decimals} decimals, the number has more",
            f"Add `transform: [{{round: {field.decimals}}}]` to the line of the mapping.",
        )
    return kept


def _datetime_to(_field: Field, value: Value) -> str:
    return written(moment(str(value)))


def _choice_to(field: Field, value: Value) -> str:
    text = str(value)
    if not field.choices:
        return text
    if text not in field.choices:
        raise Misfit(
            INVALID_OPTION,
            f"'{field.schema.name}' has no such choice ({len(text)} characters)",
            f"'{field.schema.name}' takes {field.allowed}: translate the value with `map:`, or add"
            " the choice in Zoho.",
        )
    return field.choices[text]


def _choices_to(field: Field, value: Value) -> list[str]:
    return [_choice_to(field, one) for one in (value if isinstance(value, list) else [value])]


def _reference_to(_field: Field, value: Value) -> dict[str, str]:
    return {"id": str(value)}


_WRITERS: Mapping[FieldType, Callable[[Field, Value], Any]] = {
    FieldType.NUMBER: _number_to,
    FieldType.DATETIME: _datetime_to,
    FieldType.PICKLIST: _choice_to,
    FieldType.MULTI_PICKLIST: _choices_to,
    FieldType.REFERENCE: _reference_to,
}


# --- from the wire ------------------------------------------------------------------------


def _text(raw: Any) -> Value:  # noqa: ANN401 (any JSON)
    if isinstance(raw, str | bool):
        return str(raw)
    return str(raw["name"] or raw["id"]) if isinstance(raw, dict) else str(raw)


def _number(raw: Any) -> int | float:  # noqa: ANN401 (any JSON)
    if isinstance(raw, str):
        raw = int(raw) if raw.lstrip("-").isdigit() else float(raw)
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    return raw if isinstance(raw, int | float) else float(raw)


def _boolean(raw: Any) -> Value:  # noqa: ANN401 (any JSON)
    return raw if isinstance(raw, bool) else {"true": True, "false": False}[str(raw).lower()]


def _datetime(raw: Any) -> Value:  # noqa: ANN401 (any JSON)
    return moment(raw).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _many(raw: Any) -> Value:  # noqa: ANN401 (any JSON)
    items = raw.split(";") if isinstance(raw, str) else raw
    return sorted(str(item) for item in items if item not in ("", NO_CHOICE)) or None


def _reference(raw: Any) -> Value:  # noqa: ANN401 (any JSON)
    return str(raw["id"]) if isinstance(raw, dict) else str(raw)


_READERS: Mapping[FieldType, Callable[[Any], Value]] = {
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATETIME: _datetime,
    FieldType.MULTI_PICKLIST: _many,
    FieldType.REFERENCE: _reference,
}
