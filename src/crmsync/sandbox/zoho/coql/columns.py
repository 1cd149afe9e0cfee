"""The columns of a query: what a path leads to, and how its values are compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.http import Json
from crmsync.sandbox.zoho.coql.grammar import Criterion, Operator, Path, Value
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.fields import LOOKUP_TYPES, Field
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.records import Record
from crmsync.sandbox.zoho.wire import epoch

Get = Callable[[Record], Any]
Test = Callable[[Record], bool]

_NUMBERS = ("integer", "double", "currency", "percent")
_ORDERED = (">", "<", ">=", "<=", "between")
_OF_TEXT = ("like", "not like")
_UNFILTERABLE = ("textarea", "multiselectpicklist")


@dataclass(frozen=True, slots=True)
class Column:
    """What a path leads to."""

    path: Path
    data_type: str
    get: Get
    """Returns the value as kept: ids for lookups."""

    @property
    def name(self) -> str:
        """The path as written."""
        return ".".join(self.path)


def resolve(org: Org, module: str, path: Path) -> Column:
    """Return the column of a path; 400 where a field does not exist or is not a lookup."""
    name, *rest = path
    field = _field(org, module, name)
    if field is None:
        raise _no_such_column(path)

    def get(record: Record) -> Json:
        return org.value(module, record, name)

    if not rest:
        return Column(path, "lookup" if name == "id" else field.data_type, get)
    if len(rest) > 1:
        raise _no_such_column(path)
    return _joined(org, path, field, get)


def test(column: Column, criterion: Criterion, org: Org) -> Test:
    """Return the test a criterion makes; 400 for values and operators its type does not take."""
    kind, operator, get = column.data_type, criterion.operator, column.get
    if operator == "is null":
        return lambda record: get(record) in (None, "")
    if operator == "is not null":
        return lambda record: get(record) not in (None, "")
    if kind in _UNFILTERABLE:
        raise _invalid("data type not supported", column, data_type=kind)
    if not _takes(kind, operator):
        raise _invalid("invalid query formed", column, operator=operator)
    comparable = comparison(kind, org)
    wanted = [_literal(column, value, comparable) for value in criterion.values]
    compare = _COMPARISONS[operator](wanted)

    def passes(record: Record) -> bool:
        value = get(record)
        # As in SQL, what is not there differs from nothing.
        return value is not None and compare(comparable(value))

    return passes


def comparison(kind: str, org: Org) -> Callable[[Any], Any]:
    """Return what values of a type compare as; None where a literal is not of it."""
    if kind == "datetime":
        return lambda value: epoch(value, org.zone) if isinstance(value, str) else None
    if kind in _NUMBERS:
        return lambda value: value if type(value) in (int, float) else None
    if kind == "boolean":
        return lambda value: value if type(value) is bool else None
    if kind == "date":
        return lambda value: value if isinstance(value, str) else None
    if kind in LOOKUP_TYPES or kind == "bigint":
        return lambda value: int(value) if str(value).isdigit() else None
    return lambda value: value.casefold() if isinstance(value, str) else None


# --- inside -------------------------------------------------------------------------------------


def _field(org: Org, module: str, name: str) -> Field | None:
    if name == "id":
        return Field(id="", api_name="id", label="Id", data_type="bigint", length=19)
    return org.modules[module].fields.find(name)


def _joined(org: Org, path: Path, field: Field, get: Get) -> Column:
    name = path[1]
    if field.data_type == "ownerlookup":
        return Column(path, "lookup" if name == "id" else "text", _of_user(org, name, get, path))
    module = field.lookup
    target = _field(org, module, name) if module is not None else None
    if module is None or target is None:
        raise _no_such_column(path)

    def get_joined(record: Record) -> Json:
        other = org.modules[module].by_id.get(get(record) or "")
        return org.value(module, other, name) if other is not None else None

    return Column(path, "lookup" if name == "id" else target.data_type, get_joined)


def _of_user(org: Org, name: str, get: Get, path: Path) -> Get:
    if name not in ("id", "email", "first_name", "last_name"):
        raise _no_such_column(path)
    return lambda record: getattr(org.user(get(record)), name)


def _takes(kind: str, operator: Operator) -> bool:
    if operator in _OF_TEXT:
        return kind not in (*_NUMBERS, *LOOKUP_TYPES, "bigint", "boolean", "date", "datetime")
    if operator in _ORDERED:
        return kind in (*_NUMBERS, "date", "datetime", "bigint", "lookup")
    return True


def _literal(column: Column, value: Value, comparable: Callable[[Any], Any]) -> Json:
    wanted = comparable(value)
    if wanted is None:
        text = "value given seems to be invalid for the column"
        raise _invalid(text, column, expected_data_type=column.data_type)
    return wanted


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("%"))), re.DOTALL)


_COMPARISONS: dict[Operator, Callable[[list[Any]], Callable[[Any], bool]]] = {
    "=": lambda wanted: lambda value: bool(value == wanted[0]),
    "!=": lambda wanted: lambda value: bool(value != wanted[0]),
    ">": lambda wanted: lambda value: bool(value > wanted[0]),
    "<": lambda wanted: lambda value: bool(value < wanted[0]),
    ">=": lambda wanted: lambda value: bool(value >= wanted[0]),
    "<=": lambda wanted: lambda value: bool(value <= wanted[0]),
    "in": lambda wanted: frozenset(wanted).__contains__,
    "not in": lambda wanted: lambda value: value not in wanted,
    "between": lambda wanted: lambda value: bool(wanted[0] <= value <= wanted[1]),
    "like": lambda wanted: lambda value: bool(_like(wanted[0]).fullmatch(value)),
    "not like": lambda wanted: lambda value: not _like(wanted[0]).fullmatch(value),
}


def _invalid(message: str, column: Column, **details: str) -> ApiError:
    return ApiError(400, "INVALID_QUERY", message, column_name=column.name, **details)


def _no_such_column(path: Path) -> ApiError:
    text = "column given seems to be invalid"
    return ApiError(400, "INVALID_QUERY", text, column_name=".".join(path))
