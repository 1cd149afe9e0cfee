r"""Queries in Zoho's query language, which reads the records themselves; its search lags behind.

Two criteria join in a pair of brackets, more in pairs of pairs; text is quoted with `\` before
`\` and `'`. Names come from Zoho's own metadata or are refused (`_name`), values are escaped.
zoho.com/crm/developer/docs/api/v8, "COQL - Limitations", read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from crmsync.connectors.zoho.cursors import Place
from crmsync.connectors.zoho.fields import Field
from crmsync.connectors.zoho.values import written
from crmsync.errors import BatchRejected
from crmsync.model import FieldType

IN_VALUES = 50
"""Of one `in`."""
COLUMNS = 50
SMALL_PAGE = 200
"""Rows that cost one credit; up to 1,000 cost two, up to 2,000 three."""
LARGE_PAGE, LARGE_PAGE_CREDITS = 2_000, 3
MODIFIED = "Modified_Time"
DIGITS = 20
"""No number of Zoho's has so many, before the point or behind it."""
_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9_$]*")


def holders(
    module: str, name: str, literals: Sequence[str], columns: Sequence[str], after_id: str | None
) -> str:
    """Return the query for who holds one of these values, lowest id first."""
    parts = [literals[n : n + IN_VALUES] for n in range(0, len(literals), IN_VALUES)]
    condition = _any_of([f"{_name(name)} in ({', '.join(part)})" for part in parts])
    if after_id is not None:
        condition = f"({condition} and id > {int(after_id)})"
    return f"{_select(module, columns)} where {condition} order by id asc limit 0, {SMALL_PAGE}"


def changed(module: str, place: Place, columns: Sequence[str], rows: int) -> str:
    """Return the query for what changed from a place on, oldest first."""
    at = text(written(place.at))
    if place.after_id is None:
        condition = f"{MODIFIED} >= {at}"
    else:
        here = f"({MODIFIED} = {at} and id > {int(place.after_id)})"
        condition = f"({MODIFIED} > {at} or {here})"
    order = f"order by {MODIFIED} asc, id asc limit 0, {rows}"
    return f"{_select(module, columns)} where {condition} {order}"


def text(value: str) -> str:
    """Return a text literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def literal(field: Field, value: str) -> str | None:
    """Return what a field is compared with; None where none of its values can be this one."""
    if field.schema.type is not FieldType.NUMBER:
        return text(value)
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return None
    sensible = number.is_finite() and abs(number.adjusted()) < DIGITS
    return format(number, "f") if sensible else None


def _select(module: str, columns: Sequence[str]) -> str:
    return f"select {', '.join(map(_name, columns))} from {_name(module)}"  # noqa: S608 - every name is looked at


def _any_of(conditions: Sequence[str]) -> str:
    """Join conditions by `or`, in pairs of pairs."""
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    return f"({_any_of(conditions[:middle])} or {_any_of(conditions[middle:])})"


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BatchRejected(
            "a name in a query is none of Zoho's", code="INVALID_NAME", hint="Run `crmsync check`."
        )
    return name
