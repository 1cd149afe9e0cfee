"""Many rows in one statement, at the speed each database allows.

PostgreSQL takes one binary array per column (`unnest`, `ANY`), SQLite one prepared statement run
per row inside the driver. Both go through the column types of `tables`, so a value is stored the
same either way. For 1,000 rows of 12 columns on PostgreSQL, an `executemany` costs client and
server four times as much; so do arrays in text form, whose elements the driver escapes one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    String,
    Table,
    Text,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql

from crmsync.store.tables import json_text

Row = Mapping[str, Any]
_PG = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


def insert(
    connection: Connection, table: Table, rows: Sequence[Row], *, or_ignore: bool = False
) -> int:
    """Insert rows that all have the same columns; with `or_ignore`, skip those that exist.

    Return how many were inserted.
    """
    if not rows:
        return 0
    columns = [table.c[name] for name in rows[0]]
    names = ", ".join(column.name for column in columns)
    tail = " ON CONFLICT DO NOTHING" if or_ignore else ""
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table.name} ({names}) VALUES ({marks}){tail}"  # noqa: S608 - names are ours
        return connection.exec_driver_sql(sql, _tuples(connection, columns, rows)).rowcount
    values = ", ".join(_values(columns))
    sql = f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {_unnest(columns)}{tail}"  # noqa: S608
    return connection.exec_driver_sql(sql, _arrays(columns, rows)).rowcount


def update(connection: Connection, table: Table, rows: Sequence[Row], *, key: str = "id") -> None:
    """Set the columns of each row, found by its `key`; all rows have the same columns."""
    if not rows:
        return
    columns = [table.c[name] for name in rows[0] if name != key]
    keyed = [*columns, table.c[key]]
    if connection.dialect.name == "sqlite":
        sets = ", ".join(f"{column.name} = ?" for column in columns)
        sql = f"UPDATE {table.name} SET {sets} WHERE {key} = ?"  # noqa: S608 - names are ours
        connection.exec_driver_sql(sql, _tuples(connection, keyed, rows))
    else:
        sets = ", ".join(
            f"{column.name} = {cast}"
            for column, cast in zip(columns, _values(columns), strict=True)
        )
        found = f"{table.name}.{key} = r.{key}"
        sql = f"UPDATE {table.name} SET {sets} FROM {_unnest(keyed)} WHERE {found}"  # noqa: S608
        connection.exec_driver_sql(sql, _arrays(keyed, rows))


def among(
    connection: Connection, column: Column[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Return the condition that a column holds one of many values.

    They are one parameter, whatever their number: a placeholder each would be parsed each time.
    """
    if connection.dialect.name == "sqlite":
        found = func.json_each(json_text(list(values))).table_valued("value")
        return column.in_(select(found.c.value))
    # As text without a length: PostgreSQL would cut what is too long, and find somebody else's.
    kind = Text() if isinstance(column.type, String) else column.type
    return column == any_(literal(list(values), postgresql.ARRAY(kind)))


def _tuples(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Row]
) -> list[tuple[Any, ...]]:
    converters = [
        None
        if isinstance(column.type, LargeBinary)  # the driver takes bytes as they are
        else column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        for column in columns
    ]
    by_column = (
        _convert(column.name, converter, rows)
        for column, converter in zip(columns, converters, strict=True)
    )
    return list(zip(*by_column, strict=True))


def _convert(name: str, converter: Callable[[Any], Any] | None, rows: Sequence[Row]) -> list[Any]:
    values = [row[name] for row in rows]
    if converter is None:
        return values
    if len(set(map(id, values))) == 1:  # one moment for all rows is the common case
        return [converter(values[0])] * len(values)
    return [converter(value) for value in values]


def _arrays(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {column.name: _array(column, [row[column.name] for row in rows]) for column in columns}


def _array(column: Column[Any], values: list[Any]) -> list[Any]:
    if not isinstance(column.type, JSON):
        return values
    # JSON travels as text and is cast in the statement.
    return [None if value is None else json_text(value) for value in values]


def _unnest(columns: Sequence[Column[Any]]) -> str:
    arrays = ", ".join(f"%({column.name})b::{_array_type(column)}" for column in columns)
    names = ", ".join(column.name for column in columns)
    return f"unnest({arrays}) AS r({names})"


def _values(columns: Sequence[Column[Any]]) -> list[str]:
    return [
        f"r.{column.name}::jsonb" if isinstance(column.type, JSON) else f"r.{column.name}"
        for column in columns
    ]


def _array_type(column: Column[Any]) -> str:
    return "text[]" if isinstance(column.type, JSON) else f"{column.type.compile(dialect=_PG)}[]"
