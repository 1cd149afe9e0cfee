"""People and companies, what names them, and what came in about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text, UniqueConstraint

from crmsync.store.tables.columns import Instant, document, metadata, serial

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
    serial(),
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
    serial(),
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
