"""Who is at work, and which releases work with these tables."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from crmsync.store.tables.columns import Instant, document, metadata

# Who is at work, for people to see: nothing else hangs on it.
processes = Table(
    "processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("outdated", document(), nullable=False),  # names of syncs with a newer mapping
)

# One row: the oldest revision of the tables whose release works with them as they are now.
schema_support = Table(
    "schema_support",
    metadata,
    Column("revision", String(32), primary_key=True),
)
