"""What a query's names and literals mean in one org: columns to show, conditions, an order."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.default_fields import CHILDREN, Child
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import NUMBERS, Field
from crmsync.sandbox.salesforce.reading import attributes, shown_value
from crmsync.sandbox.salesforce.records import Record, Table
from crmsync.sandbox.salesforce.soql.grammar import (
    Comparison,
    Condition,
    Junction,
    LiteralKind,
    Not,
    Value,
)
from crmsync.sandbox.salesforce.wire import full_id

Tables = Mapping[str, Table]
Getter = Callable[[Record], Any]
Predicate = Callable[[Record], bool]

_LITERALS: dict[str, LiteralKind] = {
    **dict.fromkeys(NUMBERS, "number"),
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
}
"""The literal each field type is compared with; all others with strings."""
_IDS = ("id", "reference")
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A path of names, as it leads from a record to a value."""

    field: Field
    """The one at its end."""
    get: Getter
    key: Getter
    """The value as it compares with others: of text, without case."""


@dataclass(frozen=True, slots=True)
class Children:
    """What a query inside another one found, by parent."""

    selection: Selection
    by_parent: Mapping[str, list[Record]]


@dataclass(slots=True)
class Selection:
    """What a query shows of a record, its parents inside."""

    table: Table
    parts: dict[str, tuple[Field, Selection | None]] = field(default_factory=dict)
    """By the name shown: a field, or a reference with what is shown of the parent."""
    children: dict[str, Children] = field(default_factory=dict)
    """By the name of the relationship; shown by whoever makes pages."""

    def show(self, record: Record, version: str) -> dict[str, Any]:
        """Return a row of the answer."""
        row: dict[str, Any] = {"attributes": attributes(self.table.type.name, record, version)}
        for name, (shown, below) in self.parts.items():
            if below is None:
                row[name] = shown_value(record.values, shown)
            else:
                parent = below.table.by_id.get(record.values.get(shown.name, ""))
                row[name] = None if parent is None else below.show(parent, version)
        return row


def understand_fields(
    tables: Tables, table: Table, paths: Iterable[tuple[str, ...]], text: str
) -> Selection:
    """Return what a list of paths shows; `INVALID_FIELD` for one that leads nowhere."""
    selection = Selection(table)
    for path in paths:
        place = selection
        for name in path[:-1]:
            reference = _relationship(place.table, name)
            shown = reference.relationship or reference.name
            below = place.parts.setdefault(
                shown, (reference, Selection(tables[reference.refers_to[0]]))
            )[1]
            assert below is not None  # noqa: S101 - no field is named as a relationship
            place = below
        found = _field(place.table, path[-1], text)
        if found.name in place.parts:
            raise Refusal("INVALID_FIELD", f"duplicate field selected: {'.'.join(path)}")
        place.parts[found.name] = (found, None)
    return selection


def understand_column(tables: Tables, table: Table, path: tuple[str, ...], text: str) -> Column:
    """Return the column a path leads to, for filtering and sorting."""
    steps: list[tuple[str, dict[str, Record]]] = []
    for name in path[:-1]:
        reference = _relationship(table, name)
        table = tables[reference.refers_to[0]]
        steps.append((reference.name, table.by_id))
    found = _field(table, path[-1], text)
    if not found.filterable:
        raise Refusal("INVALID_FIELD", f"field '{found.name}' can not be filtered in a query call")
    get = _getter(found, steps)
    return Column(found, get, lambda record: found.key(get(record)))


def understand_condition(
    tables: Tables, table: Table, condition: Condition, text: str
) -> Predicate:
    """Return what a condition asks of a record."""
    if isinstance(condition, Comparison):
        return _comparison(understand_column(tables, table, condition.path, text), condition)
    if isinstance(condition, Not):
        inner = understand_condition(tables, table, condition.condition, text)
        return lambda record: not inner(record)
    parts = [understand_condition(tables, table, part, text) for part in condition.conditions]
    if condition.word == "and":
        return lambda record: all(part(record) for part in parts)
    return lambda record: any(part(record) for part in parts)


def candidates(table: Table, condition: Condition | None) -> list[str] | None:
    """Return ids outside which no live record can match, where an index tells; else None."""
    if isinstance(condition, Junction) and condition.word == "and":
        found = (candidates(table, part) for part in condition.conditions)
        return next((ids for ids in found if ids is not None), None)
    if not isinstance(condition, Comparison) or len(condition.path) > 1:
        return None
    named = table.type.find(condition.path[0])
    literals = [value.value for value in condition.values]
    if named is None or condition.operator not in ("=", "in") or None in literals:
        return None
    if named.type == "id":
        return list(dict.fromkeys(full_id(str(literal)) or "" for literal in literals))
    if named.indexed:
        found_ids = (one for value in literals for one in table.find_by(named.name, value))
        return list(dict.fromkeys(found_ids))
    return None


# --- comparing ----------------------------------------------------------------------------------


def _comparison(column: Column, comparison: Comparison) -> Predicate:
    word, key = comparison.operator, column.key
    if word == "like":
        return _like(column, comparison.values[0].value)
    literals = [_literal(column.field, value, word) for value in comparison.values]
    if word in _BOUNDS:
        compare, bound = _BOUNDS[word], literals[0]
        return lambda record: (value := key(record)) is not None and compare(value, bound)
    wanted = frozenset(literals)
    if word in ("=", "in"):
        return lambda record: key(record) in wanted
    return lambda record: key(record) not in wanted


def _like(column: Column, pattern: Any) -> Predicate:  # noqa: ANN401 - a compiled pattern
    if column.field.type in _IDS or column.field.type in _LITERALS:
        raise _wrong_operator(column.field)
    get = column.get
    return lambda record: bool(pattern.fullmatch(get(record) or ""))


def _literal(column: Field, value: Value, word: str) -> Any:  # noqa: ANN401 - of the field's type
    if value.kind == "null":
        if word in _BOUNDS:
            raise _wrong_operator(column)
        return False if column.type == "boolean" else None
    expected = _LITERALS.get(column.type, "string")
    if value.kind != expected:
        quotes = "should be" if expected == "string" else "should not be"
        text = (
            f"value of filter criterion for field '{column.name}' must be of type "
            f"{column.type} and {quotes} enclosed in quotes"
        )
        raise Refusal("INVALID_FIELD", text)
    if column.type == "boolean" and word in _BOUNDS:
        raise _wrong_operator(column)
    if column.type in _IDS:
        return column.key(_id_literal(value.value))
    return column.key(value.value)


def _id_literal(text: str) -> str:
    found = full_id(text)
    if found is None:
        raise Refusal("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
    return found


def _wrong_operator(column: Field) -> Refusal:
    text = f"invalid operator on {column.type} field: {column.name}"
    return Refusal("INVALID_QUERY_FILTER_OPERATOR", text)


# --- names --------------------------------------------------------------------------------------


def _getter(found: Field, steps: list[tuple[str, dict[str, Record]]]) -> Getter:
    name, blank = found.name, False if found.type == "boolean" else None

    def get(record: Record) -> Any:  # noqa: ANN401 - whatever the field holds
        for reference, parents in steps:
            parent = parents.get(record.values.get(reference, ""))
            if parent is None:
                return None
            record = parent
        value = record.values.get(name)
        return blank if value is None else value

    return get


def _field(table: Table, name: str, text: str) -> Field:
    found = table.type.find(name)
    if found is None:
        place = text.find(name) + 1
        words = (
            f"\n{text[max(place - 30, 0) : place + 30]}\nERROR at Row:1:Column:{place}\n"
            f"No such column '{name}' on entity '{table.type.name}'. If you are attempting to use "
            "a custom field, be sure to append the '__c' after the custom field name. Please "
            "reference your WSDL or the describe call for the appropriate names."
        )
        raise Refusal("INVALID_FIELD", words)
    return found


def _relationship(table: Table, name: str) -> Field:
    found = table.type.find_relationship(name)
    if found is None:
        words = (
            f"Didn't understand relationship '{name}' in field path. If you are attempting to use "
            "a custom relationship, be sure to append the '__r' after the custom relationship "
            "name. Please reference your WSDL or the describe call for the appropriate names."
        )
        raise Refusal("INVALID_FIELD", words)
    return found


def find_child(table: Table, name: str) -> Child:
    """Return the relationship to children that a query names, in any case."""
    for child in CHILDREN.get(table.type.name, ()):
        if child.relationship.lower() == name.lower():
            return child
    words = (
        f"Didn't understand relationship '{name}' in FROM part of query call. If you are "
        "attempting to use a custom relationship, be sure to append the '__r' after the custom "
        "relationship name. Please reference your WSDL or the describe call for the appropriate "
        "names."
    )
    raise Refusal("INVALID_TYPE", words)


def find_table(tables: Mapping[str, Table], name: str) -> Table:
    """Return the records of the object type a query names, in any case."""
    for known, table in tables.items():
        if known.lower() == name.lower():
            return table
    raise errors.no_such_type(name)
