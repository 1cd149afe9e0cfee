"""What fields each CRM object has, as the CRM described it last."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from crmsync.model import Directory, FieldSchema, FieldType, ObjectSchema
from crmsync.store import bulk
from crmsync.store.tables import object_schemas

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def find_schema(
    connection: Connection, name: str, object_type: str, newer_than: datetime
) -> ObjectSchema | None:
    """Return the CRM's fields as last described, unless that is too long ago."""
    row = _row(connection, name, object_type)
    if row is None or row.fetched_at <= newer_than:
        return None
    return ObjectSchema(object_type, _described(row))


def save_schema(connection: Connection, name: str, schema: ObjectSchema, now: datetime) -> set[str]:
    """Remember the CRM's fields; return those that it described otherwise, or not at all, before.

    None where this is the first description.
    """
    row = _row(connection, name, schema.object_type)
    known = schema.fields if row is None else _described(row)
    connection.execute(delete(object_schemas).where(_is(name, schema.object_type)))
    fresh = {
        "connection": name,
        "object_type": schema.object_type,
        "fields": [asdict(field) for field in schema.fields.values()],
        "fetched_at": now,
    }
    bulk.insert(connection, object_schemas, [fresh])
    return {one.name for one in schema.fields.values() if known.get(one.name) != one}


def forget_schema(connection: Connection, name: str, object_type: str) -> None:
    """Have the CRM's fields described again before the next push."""
    connection.execute(
        update(object_schemas).where(_is(name, object_type)).values(fetched_at=LONG_AGO)
    )


def _is(name: str, object_type: str) -> ColumnElement[bool]:
    return and_(object_schemas.c.connection == name, object_schemas.c.object_type == object_type)


def _row(connection: Connection, name: str, object_type: str) -> Any:
    return connection.execute(select(object_schemas).where(_is(name, object_type))).first()


def _described(row: Any) -> dict[str, FieldSchema]:
    return {
        field["name"]: FieldSchema(
            **field
            | {
                "type": FieldType(field["type"]),
                "options": tuple((value, label) for value, label in field["options"]),
                "directory": Directory(field["directory"]) if field["directory"] else None,
            }
        )
        for field in row.fields
    }
