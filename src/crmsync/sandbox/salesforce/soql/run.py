"""Running a query: from text to the records it finds, in order, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.records import Record, Table
from crmsync.sandbox.salesforce.soql import grammar, meaning
from crmsync.sandbox.salesforce.soql.meaning import Children, Column, Selection, Tables

_MAX_OFFSET = 2000
_MAX_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a query found."""

    rows: list[Record]
    selection: Selection | None
    """None where only their number was asked for."""


def run(tables: Tables, text: str, *, deleted_too: bool) -> Found:
    """Run a query; `Refusal` where it cannot be read or means nothing here."""
    if len(text) > _MAX_LENGTH:
        raise Refusal("MALFORMED_QUERY", "SOQL statements cannot be longer than 100000 characters.")
    query = grammar.parse(text)
    table = meaning.find_table(tables, query.object_type)
    rows, selection = _select(tables, table, query, text, deleted_too=deleted_too)
    return Found(rows, selection if query.fields or query.children else None)


def _select(
    tables: Tables, table: Table, query: grammar.Query, text: str, *, deleted_too: bool
) -> tuple[list[Record], Selection]:
    selection = meaning.understand_fields(tables, table, query.fields, text)
    if query.offset > _MAX_OFFSET:
        raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
    orders = [
        (meaning.understand_column(tables, table, order.path, text), order) for order in query.order
    ]
    for inner in query.children:
        child = meaning.find_child(table, inner.object_type)
        below = tables[child.object_type]
        children, shown = _select(tables, below, inner, text, deleted_too=deleted_too)
        by_parent: dict[str, list[Record]] = {}
        for record in children:
            by_parent.setdefault(record.values.get(child.reference) or "", []).append(record)
        selection.children[child.relationship] = Children(shown, by_parent)
    rows: Iterable[Record] = table.by_id.values()
    if not deleted_too:
        rows = _live_candidates(table, query.where)
    if query.where is not None:
        matches = meaning.understand_condition(tables, table, query.where, text)
        rows = filter(matches, rows)
    found = list(rows)
    for column, order in reversed(orders):
        found = _sorted(found, column, descending=order.descending, nulls_last=order.nulls_last)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end], selection


def _live_candidates(table: Table, where: grammar.Condition | None) -> Iterable[Record]:
    ids = meaning.candidates(table, where)
    if ids is None:
        return table.live()
    return (record for record in map(table.find, ids) if record is not None)


def _sorted(
    rows: list[Record], column: Column, *, descending: bool, nulls_last: bool
) -> list[Record]:
    keyed: list[tuple[Any, Record]] = [(column.key(record), record) for record in rows]
    known = [pair for pair in keyed if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    blank = [record for key, record in keyed if key is None]
    ordered = [record for _, record in known]
    return ordered + blank if nulls_last else blank + ordered
