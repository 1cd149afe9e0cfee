"""Types of columns: times as UTC (`timestamptz` on PostgreSQL, sortable text on SQLite), JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


class Instant(TypeDecorator[datetime]):
    """An aware datetime; on SQLite text in UTC that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Keep what PostgreSQL has a type for; SQLite has text."""
        own = Text() if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(own)

    # The processors themselves, since a call into `process_...` per value would cost the push a
    # tenth of its time.

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return what turns a moment into what is stored."""
        return _as_text if dialect.name == "sqlite" else None

    def result_processor(
        self, dialect: Dialect, _coltype: object
    ) -> Callable[[Any], datetime | None] | None:
        """Return what turns what is stored into a moment."""
        return _from_text if dialect.name == "sqlite" else None


def _as_text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(sep=" ", timespec="microseconds")


def _from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def json_text(value: Any) -> str:
    """Return the JSON text of a stored document."""
    return orjson.dumps(value).decode()


def document() -> JSON:
    """Return the column type of a JSON document."""
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def serial() -> Column[Any]:
    """Return a primary key that counts up."""
    # SQLite gives row ids only to a column that is INTEGER PRIMARY KEY.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
