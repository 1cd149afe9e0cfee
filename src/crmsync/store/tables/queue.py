"""What is to be sent and what was: links, syncs, runs and their log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from crmsync.store.tables.columns import Instant, document, metadata, serial

links = Table(
    "links",
    metadata,
    serial(),
    Column("connection", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("profile_id", String(26), nullable=False),
    Column("is_primary", Boolean, nullable=False),
    Column("crm_id", Text),
    Column("create_intent_at", Instant),
    Column("desired_version", BigInteger, nullable=False),
    Column("acked_version", BigInteger, nullable=False),
    Column("snapshot_sealed", LargeBinary),  # links:<id>
    # When something was last sent of it: what was read of the record before may be older.
    Column("written_at", Instant),
    # When the last reading of everything came upon the record.
    Column("seen_at", Instant),
    # When the difference is due, by the earliest trigger among what changed; null: not by itself.
    Column("due_at", Instant),
    # When to read the record again, because a write may have been applied late.
    Column("verify_at", Instant),
    # The earliest moment at which anybody must look at this row: the lease's end while leased, else
    # the earlier of due_at and verify_at. The only column by which work is found.
    Column("wake_at", Instant),
    Column("priority", Integer, nullable=False),
    Column("trigger", String(8), nullable=False),
    Column("lease_token", String(32)),
    Column("attempts", Integer, nullable=False),
    # How often in a row a worker vanished while it held this row.
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("error_class", String(16)),
    Column("error_code", Text),
    Column("error_field", Text),
    Column("state", String(12), nullable=False),
    UniqueConstraint("connection", "object_type", "crm_id"),
    Index(
        "uq_links_primary",
        "connection",
        "object_type",
        "profile_id",
        unique=True,
        sqlite_where=text("is_primary"),
        postgresql_where=text("is_primary"),
    ),
    Index("ix_links_profile_id", "profile_id"),
    Index(
        "ix_links_wake",
        "connection",
        "object_type",
        "priority",
        "wake_at",
        sqlite_where=text("wake_at IS NOT NULL"),
        postgresql_where=text("wake_at IS NOT NULL"),
    ),
)

syncs = Table(
    "syncs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("mapping_hash", String(64)),
    # Up to which profile id a new mapping has marked its links; null when it is done.
    Column("marking_after", String(26)),
    Column("paused_at", Instant),
    Column("paused_why", Text),
    # A mapping that does not fit the CRM keeps its own sync waiting, not the whole connection.
    Column("rests_until", Instant),
    Column("rest_message", Text),
    # Held, because its next run would change too much: what it would do, and what of that a person
    # has let through. Counts, names of fields and ids of profiles; see `holds.py`.
    Column("held_at", Instant),
    Column("held", document()),
    Column("let_through", document()),
    UniqueConstraint("connection", "object_type"),
)

runs = Table(
    "runs",
    metadata,
    serial(),
    Column("sync", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("trigger", String(8), nullable=False),
    Column("window_start", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("created", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("retried", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    # Records in which values gave way to none, or to others: counted for the guard.
    Column("cleared", Integer, nullable=False, server_default=text("0")),
    Column("changed", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("sync", "trigger", "window_start"),
)

sync_log = Table(
    "sync_log",
    metadata,
    serial(),
    Column("run_id", BigInteger, nullable=False),
    Column("link_id", BigInteger, nullable=False),
    Column("profile_id", String(26), nullable=False),
    Column("crm_id", Text),
    Column("action", String(8), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("error_class", String(16)),
    Column("error_code", Text),
    Column("error_field", Text),
    Column("attempt", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("sealed", LargeBinary),  # sync_log:<link_id>: fields, message, hint, excerpt
    Index("ix_sync_log_run_id", "run_id"),
    Index("ix_sync_log_profile_id", "profile_id"),
)

schedule_ticks = Table(
    "schedule_ticks",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("trigger", Text, primary_key=True),
    Column("tick_at", Instant, primary_key=True),
)
