"""What is read back for the sake of deals: owners, stages, the deals and who is on them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from crmsync.store.tables.columns import Instant, metadata

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
