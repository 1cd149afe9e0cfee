"""CRM accounts: what they granted, how far they were read, what they told of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, text

from crmsync.store.tables.columns import Instant, document, metadata

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
