"""The tables, as docs/reliability.md needs them; their meaning lives in the modules beside.

Times are stored as UTC: `timestamptz` on PostgreSQL, sortable text on SQLite.
Columns named `sealed` hold ciphertext (`vault.py`), with the context said beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
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


def _serial() -> Column[Any]:
    # SQLite gives row ids only to a column that is INTEGER PRIMARY KEY.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

profiles = Table(
    "profiles",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("user_id", Text),
    Column("email", Text),
    Column("company_id", String(26), index=True),
    Column("traits", document(), nullable=False),
    Column("trait_sources", document(), nullable=False),
    Column("stats", document(), nullable=False),
    Column("created_at", Instant),
    Column("identified_at", Instant),
    Column("first_seen", Instant),
    Column("last_seen", Instant),
    Column("merged_into", String(26), index=True),
    Index("ix_profiles_user_id", "user_id"),
    Index("ix_profiles_email", "email"),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("profile_id", String(26), nullable=False, index=True),
)

# The inbox and the history in one: `source` and `message_id` make a repeated event harmless for as
# long as the event is kept.
events = Table(
    "events",
    metadata,
    _serial(),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("body_sha256", LargeBinary, nullable=False),
    Column("profile_id", String(26), index=True),
    Column("type", String(8), nullable=False),
    Column("name", Text),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # events:<source>:<message_id>
    UniqueConstraint("source", "message_id"),
)

# One row per profile, fold and origin: which traits changed, from what to what.
changes = Table(
    "changes",
    metadata,
    _serial(),
    Column("profile_id", String(26), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # changes:<profile_id>
    Index("ix_changes_profile_id", "profile_id", "version"),
)

trait_names = Table(
    "trait_names",
    metadata,
    Column("name", Text, primary_key=True),
    Column("first_seen_at", Instant, nullable=False),
)

links = Table(
    "links",
    metadata,
    _serial(),
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

connections = Table(
    "connections",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused_until", Instant),
    Column("cause", Text),
    Column("message", Text),
    # Until when a backfill waits, which has used up its share of a limit.
    Column("backfill_from", Instant),
    # How often in a row the connection could not be reached.
    Column("misses", Integer, nullable=False, server_default=text("0")),
    Column("throttle", document()),
)

# What a connection was granted. Also holds tokens that were given to `crmsync connect`.
oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    Column("connection", Text, primary_key=True),
    # Grows by one with each change of the tokens.
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary),  # oauth_tokens:<connection>:tokens
    Column("granted_at", Instant),
    # Set where the CRM does not renew this version.
    Column("refusal_sealed", LargeBinary),  # oauth_tokens:<connection>:refusal
    Column("refused_at", Instant),
    # Who renews: its lease.
    Column("lease_token", String(32)),
    Column("lease_until", Instant),
)

object_schemas = Table(
    "object_schemas",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object_type", Text, primary_key=True),
    Column("fields", document(), nullable=False),
    Column("fetched_at", Instant, nullable=False),
)

# How far what changed in a CRM was read: an object type, or `@deals`.
cursors = Table(
    "cursors",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    # Of the fields that were asked for: where others are, everything is read again.
    Column("fields_hash", String(64), nullable=False),
    Column("cursor", Text),
    Column("read_at", Instant),
    # When all of it was last read from the beginning.
    Column("swept_at", Instant),
    # How far the reading of all of it is that was begun and is not over, and since when it goes on:
    # whatever process takes it over, the same is not seen yet.
    Column("sweep_cursor", Text),
    Column("sweep_began_at", Instant),
    # Who reads: its lease.
    Column("lease_token", String(32)),
    Column("lease_until", Instant),
)

# Records to read, because a webhook told of them or what was known of them is not to be relied on:
# one row however often that was said.
hints = Table(
    "hints",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object_type", Text, primary_key=True),
    Column("crm_id", Text, primary_key=True),
    Column("due_at", Instant, nullable=False),
    # How often it was told of: one that was told of again while it was read is read again.
    Column("told", Integer, nullable=False),
    Column("successor", Text),  # the record it was merged into, where only the webhook says so
    Index("ix_hints_due_at", "connection", "due_at"),
)

# Deliveries of webhooks that were taken, so that a repeated one changes nothing.
hook_events = Table(
    "hook_events",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("received_at", Instant, nullable=False, index=True),
)

# Connections whose CRM was asked to tell us of changes; without a row nobody asked for that.
watches = Table(
    "watches",
    metadata,
    Column("connection", Text, primary_key=True),
    # When somebody looks whether it still does: the CRM ends or deletes what nobody renews.
    Column("look_at", Instant, nullable=False),
)

# Records that are no link's, and whose key says that they are somebody's who has another one.
duplicates = Table(
    "duplicates",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object_type", Text, primary_key=True),
    Column("crm_id", Text, primary_key=True),
    Column("link_id", BigInteger, nullable=False, index=True),
    Column("linked_crm_id", Text, nullable=False),  # the record of that link
    Column("error_field", Text, nullable=False),  # the key that both have
    Column("found_at", Instant, nullable=False),
    # When both were last read and it was still so.
    Column("confirmed_at", Instant, nullable=False),
    # Why the CRM does not merge the two, where it was asked to.
    Column("refused", Text),
)

owners = Table(
    "owners",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
)

stages = Table(
    "stages",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("pipeline_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("pipeline", Text, nullable=False),
    Column("position", Integer, nullable=False),
)

# When a connection's owners or stages were last read.
directories = Table(
    "directories",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("directory", Text, primary_key=True),
    Column("read_at", Instant, nullable=False),
)

deals = Table(
    "deals",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("crm_id", Text, primary_key=True),
    Column("status", String(8), nullable=False),
    Column("amount", Float),
    Column("created_at", Instant),
    Column("modified_at", Instant),
    Column("closed_at", Instant),
    Column("sealed", LargeBinary, nullable=False),  # deals:<connection>:<crm_id>
)

deal_people = Table(
    "deal_people",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("deal_id", Text, primary_key=True),
    Column("person_id", Text, primary_key=True),  # the CRM's id of the person
    Column("place", Integer, nullable=False),  # 0 for the main one
    Index("ix_deal_people_person_id", "connection", "person_id"),
)

# A two-way field whose value went back and forth; frozen, it is left alone on both sides.
field_flips = Table(
    "field_flips",
    metadata,
    Column("link_id", BigInteger, primary_key=True, autoincrement=False),
    Column("field", Text, primary_key=True),
    Column("turns", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("theirs", LargeBinary, nullable=False),  # a keyed hash of the value they turn it to
    Column("frozen_at", Instant),
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

schedule_ticks = Table(
    "schedule_ticks",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("trigger", Text, primary_key=True),
    Column("tick_at", Instant, primary_key=True),
)

runs = Table(
    "runs",
    metadata,
    _serial(),
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
    _serial(),
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
