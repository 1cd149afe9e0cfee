"""The spine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crmsync.store import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("profile_id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", tables.Instant(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_profile_id", "changes", ["profile_id", "version"])

    op.create_table(
        "connections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_until", tables.Instant(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("backfill_from", tables.Instant(), nullable=True),
        sa.Column("misses", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("throttle", tables.document(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connections")),
    )
    op.create_table(
        "cursors",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("fields_hash", sa.String(length=64), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("read_at", tables.Instant(), nullable=True),
        sa.Column("swept_at", tables.Instant(), nullable=True),
        sa.Column("sweep_cursor", sa.Text(), nullable=True),
        sa.Column("sweep_began_at", tables.Instant(), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", tables.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "subject", name=op.f("pk_cursors")),
    )
    op.create_table(
        "deal_people",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "deal_id", "person_id", name=op.f("pk_deal_people")),
    )
    op.create_index("ix_deal_people_person_id", "deal_people", ["connection", "person_id"])

    op.create_table(
        "deals",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("amount", sa.Float(), nullable=True),
        sa.Column("created_at", tables.Instant(), nullable=True),
        sa.Column("modified_at", tables.Instant(), nullable=True),
        sa.Column("closed_at", tables.Instant(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "crm_id", name=op.f("pk_deals")),
    )
    op.create_table(
        "directories",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("read_at", tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "directory", name=op.f("pk_directories")),
    )
    op.create_table(
        "duplicates",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=False),
        sa.Column("linked_crm_id", sa.Text(), nullable=False),
        sa.Column("error_field", sa.Text(), nullable=False),
        sa.Column("found_at", tables.Instant(), nullable=False),
        sa.Column("confirmed_at", tables.Instant(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "object_type", "crm_id", name=op.f("pk_duplicates")),
    )
    op.create_index("ix_duplicates_link_id", "duplicates", ["link_id"])

    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("profile_id", sa.String(length=26), nullable=True),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("at", tables.Instant(), nullable=False),
        sa.Column("received_at", tables.Instant(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("source", "message_id", name=op.f("uq_events_source_message_id")),
    )
    op.create_index("ix_events_profile_id", "events", ["profile_id"])

    op.create_table(
        "field_flips",
        sa.Column("link_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("since", tables.Instant(), nullable=False),
        sa.Column("theirs", sa.LargeBinary(), nullable=False),
        sa.Column("frozen_at", tables.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("link_id", "field", name=op.f("pk_field_flips")),
    )
    op.create_table(
        "hints",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=False),
        sa.Column("due_at", tables.Instant(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("successor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "object_type", "crm_id", name=op.f("pk_hints")),
    )
    op.create_index("ix_hints_due_at", "hints", ["connection", "due_at"])

    op.create_table(
        "hook_events",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("received_at", tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "key", name=op.f("pk_hook_events")),
    )
    op.create_index("ix_hook_events_received_at", "hook_events", ["received_at"])

    op.create_table(
        "identifiers",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_identifiers")),
    )
    op.create_index("ix_identifiers_profile_id", "identifiers", ["profile_id"])

    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.String(length=26), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=True),
        sa.Column("create_intent_at", tables.Instant(), nullable=True),
        sa.Column("desired_version", sa.BigInteger(), nullable=False),
        sa.Column("acked_version", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("written_at", tables.Instant(), nullable=True),
        sa.Column("seen_at", tables.Instant(), nullable=True),
        sa.Column("due_at", tables.Instant(), nullable=True),
        sa.Column("verify_at", tables.Instant(), nullable=True),
        sa.Column("wake_at", tables.Instant(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(length=8), nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("error_class", sa.String(length=16), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_field", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint(
            "connection",
            "object_type",
            "crm_id",
            name=op.f("uq_links_connection_object_type_crm_id"),
        ),
    )
    op.create_index("ix_links_profile_id", "links", ["profile_id"])
    op.create_index(
        "ix_links_wake",
        "links",
        ["connection", "object_type", "priority", "wake_at"],
        unique=False,
        sqlite_where=sa.text("wake_at IS NOT NULL"),
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_index(
        "uq_links_primary",
        "links",
        ["connection", "object_type", "profile_id"],
        unique=True,
        sqlite_where=sa.text("is_primary"),
        postgresql_where=sa.text("is_primary"),
    )

    op.create_table(
        "oauth_tokens",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("granted_at", tables.Instant(), nullable=True),
        sa.Column("refusal_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("refused_at", tables.Instant(), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", tables.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_oauth_tokens")),
    )
    op.create_table(
        "object_schemas",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("fields", tables.document(), nullable=False),
        sa.Column("fetched_at", tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "object_type", name=op.f("pk_object_schemas")),
    )
    op.create_table(
        "owners",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name=op.f("pk_owners")),
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("company_id", sa.String(length=26), nullable=True),
        sa.Column("traits", tables.document(), nullable=False),
        sa.Column("trait_sources", tables.document(), nullable=False),
        sa.Column("stats", tables.document(), nullable=False),
        sa.Column("created_at", tables.Instant(), nullable=True),
        sa.Column("identified_at", tables.Instant(), nullable=True),
        sa.Column("first_seen", tables.Instant(), nullable=True),
        sa.Column("last_seen", tables.Instant(), nullable=True),
        sa.Column("merged_into", sa.String(length=26), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
    )
    op.create_index("ix_profiles_company_id", "profiles", ["company_id"])
    op.create_index("ix_profiles_email", "profiles", ["email"])
    op.create_index("ix_profiles_merged_into", "profiles", ["merged_into"])
    op.create_index("ix_profiles_user_id", "profiles", ["user_id"])

    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("trigger", sa.String(length=8), nullable=False),
        sa.Column("window_start", tables.Instant(), nullable=False),
        sa.Column("started_at", tables.Instant(), nullable=False),
        sa.Column("last_at", tables.Instant(), nullable=False),
        sa.Column("finished_at", tables.Instant(), nullable=True),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("retried", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("cleared", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("changed", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint(
            "sync", "trigger", "window_start", name=op.f("uq_runs_sync_trigger_window_start")
        ),
    )
    op.create_table(
        "schedule_ticks",
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("tick_at", tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("sync", "trigger", "tick_at", name=op.f("pk_schedule_ticks")),
    )
    op.create_table(
        "stages",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("pipeline_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "pipeline_id", "id", name=op.f("pk_stages")),
    )
    op.create_table(
        "sync_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.String(length=26), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=True),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("error_class", sa.String(length=16), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_field", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", tables.Instant(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_log")),
    )
    op.create_index("ix_sync_log_profile_id", "sync_log", ["profile_id"])
    op.create_index("ix_sync_log_run_id", "sync_log", ["run_id"])

    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", tables.Instant(), nullable=False),
        sa.Column("seen_at", tables.Instant(), nullable=False),
        sa.Column("outdated", tables.document(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_table(
        "schema_support",
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_support")),
    )
    op.execute("INSERT INTO schema_support (revision) VALUES ('0001')")
    op.create_table(
        "syncs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("mapping_hash", sa.String(length=64), nullable=True),
        sa.Column("marking_after", sa.String(length=26), nullable=True),
        sa.Column("paused_at", tables.Instant(), nullable=True),
        sa.Column("paused_why", sa.Text(), nullable=True),
        sa.Column("rests_until", tables.Instant(), nullable=True),
        sa.Column("rest_message", sa.Text(), nullable=True),
        sa.Column("held_at", tables.Instant(), nullable=True),
        sa.Column("held", tables.document(), nullable=True),
        sa.Column("let_through", tables.document(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_syncs")),
        sa.UniqueConstraint(
            "connection", "object_type", name=op.f("uq_syncs_connection_object_type")
        ),
    )
    op.create_table(
        "trait_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen_at", tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trait_names")),
    )
    op.create_table(
        "watches",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("look_at", tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_watches")),
    )
