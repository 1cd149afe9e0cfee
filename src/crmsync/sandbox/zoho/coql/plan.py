"""Answering a query: its limits checked, its records found, sorted and shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.http import Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.coql import columns
from crmsync.sandbox.zoho.coql.columns import Column, Test
from crmsync.sandbox.zoho.coql.grammar import Condition, Criterion, Pair, Query, Value
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.fields import LOOKUP_TYPES
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.records import Record, Records

MAX_LIMIT = 2_000
MAX_DEPTH = 100_000
MAX_COLUMNS = 50
MAX_CRITERIA = 25
MAX_VALUES = 50
MAX_SORTS = 10
MAX_JOINS = 5
_CREDITS = ((200, 1), (1_000, 2), (MAX_LIMIT, 3))


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of an answer, and whether there are more after them."""

    rows: list[dict[str, Any]]
    more: bool


def credits_of(query: Query) -> int:
    """Return what a query costs, by its LIMIT."""
    return next((cost for limit, cost in _CREDITS if query.limit <= limit), 3)


def run(org: Org, query: Query) -> Result:
    """Return the rows a query finds; 400 where it asks for too much or what is not there."""
    if query.module not in org.modules:
        text = "invalid query formed"
        raise ApiError(400, "INVALID_QUERY", text, module=query.module)
    if query.where is None:
        raise ApiError(400, "SYNTAX_ERROR", "missing clause", clause="where")
    _check_limits(query)
    shown = [columns.resolve(org, query.module, path) for path in query.columns]
    passes = _test(org, query.module, query.where)
    records = org.modules[query.module]
    candidates = _candidates(records, query.where)
    hides = not org.settings.coql_shows_converted and not _asks_for_converted(query.where)
    found = [
        record
        for record in (records.live() if candidates is None else candidates)
        if not (hides and "converted" in record.states) and passes(record)
    ]
    _sort(org, query, found)
    page = found[query.offset : query.offset + query.limit]
    return Result([_row(record, shown) for record in page], query.offset + len(page) < len(found))


# --- limits -------------------------------------------------------------------------------------


def _check_limits(query: Query) -> None:
    criteria = list(_criteria(query.where)) if query.where is not None else []
    used = [*query.columns, *(c.path for c in criteria), *(s.path for s in query.order)]
    counts = (
        ("limit", query.limit, MAX_LIMIT),
        ("offset", query.offset + query.limit, MAX_DEPTH),
        ("select", len(query.columns), MAX_COLUMNS),
        ("where", len(criteria), MAX_CRITERIA),
        ("in", max((len(c.values) for c in criteria), default=0), MAX_VALUES),
        ("order by", len(query.order), MAX_SORTS),
        ("join", len({path[0] for path in used if len(path) > 1}), MAX_JOINS),
    )
    for clause, count, most in counts:
        if count > most:
            raise errors.limit_exceeded(most, clause=clause)
    seen = set()
    for path in query.columns:
        if path in seen:
            raise ApiError(400, "DUPLICATE_DATA", "duplicate data", column_name=".".join(path))
        seen.add(path)


def _criteria(condition: Condition) -> Iterator[Criterion]:
    if isinstance(condition, Pair):
        yield from _criteria(condition.left)
        yield from _criteria(condition.right)
    else:
        yield condition


def _asks_for_converted(condition: Condition) -> bool:
    return any(criterion.path == ("Converted__s",) for criterion in _criteria(condition))


# --- finding ------------------------------------------------------------------------------------


def _test(org: Org, module: str, condition: Condition) -> Test:
    if isinstance(condition, Criterion):
        column = columns.resolve(org, module, condition.path)
        return columns.test(column, condition, org)
    left, right = _test(org, module, condition.left), _test(org, module, condition.right)
    if condition.both:
        return lambda record: left(record) and right(record)
    return lambda record: left(record) or right(record)


def _candidates(records: Records, condition: Condition) -> Iterable[Record] | None:
    """Return few records among which all that pass are, by an index; None where none serves."""
    if isinstance(condition, Pair):
        if not condition.both:
            return None
        left = _candidates(records, condition.left)
        return left if left is not None else _candidates(records, condition.right)
    name = condition.path[0]
    if len(condition.path) > 1 or condition.operator not in ("=", "in"):
        return None
    if name != "id" and name not in records.fields.matchable:
        return None
    found = {r.id: r for value in condition.values for r in _holding(records, name, value)}
    return [found[record_id] for record_id in sorted(found)]


def _holding(records: Records, name: str, value: Value) -> list[Record]:
    if name != "id":
        return records.holding(name, value)
    record = records.find(str(value))
    return [] if record is None else [record]


def _sort(org: Org, query: Query, found: list[Record]) -> None:
    # By the last key first: sorting keeps the order of what is equal.
    for sort in reversed(query.order):
        column = columns.resolve(org, query.module, sort.path)
        found.sort(key=_key(org, column), reverse=sort.descending)


def _key(org: Org, column: Column) -> Callable[[Record], Json]:
    comparable = columns.comparison(column.data_type, org)

    def key(record: Record) -> tuple[bool, Any]:
        value = column.get(record)
        compared = None if value is None else comparable(value)
        return compared is not None, compared

    return key


def _row(record: Record, shown: list[Column]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in shown:
        value = column.get(record)
        # A lookup is told by its id alone; its name has to be asked for by path.
        named = column.data_type in LOOKUP_TYPES and column.path[-1] != "id"
        row[column.name] = {"id": value} if named and value is not None else value
    row["id"] = record.id
    return row
