"""A CRM's users and pipeline stages as we last read them: what turns ids into names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from crmsync.model import Directory, Owner, Stage
from crmsync.store import bulk
from crmsync.store.tables import directories, owners, stages


def read_at(connection: Connection, name: str, directory: Directory) -> datetime | None:
    """Return when a directory was last read."""
    moment: datetime | None = connection.execute(
        select(directories.c.read_at).where(
            directories.c.connection == name, directories.c.directory == directory
        )
    ).scalar()
    return moment


def load_owners(connection: Connection, name: str) -> list[Owner]:
    """Return a CRM's users."""
    rows = connection.execute(
        select(owners.c.id, owners.c.email, owners.c.name, owners.c.is_active)
        .where(owners.c.connection == name)
        .order_by(owners.c.id)
    )
    return [Owner(*row) for row in rows]


def load_stages(connection: Connection, name: str) -> list[Stage]:
    """Return a CRM's pipeline stages, in the order in which deals go through them."""
    rows = connection.execute(
        select(
            stages.c.id,
            stages.c.label,
            stages.c.pipeline_id,
            stages.c.pipeline,
            stages.c.position,
        )
        .where(stages.c.connection == name)
        .order_by(stages.c.pipeline_id, stages.c.position, stages.c.id)
    )
    return [Stage(*row) for row in rows]


def save_owners(connection: Connection, name: str, found: Sequence[Owner], now: datetime) -> None:
    """Keep a CRM's users as they are now."""
    connection.execute(delete(owners).where(owners.c.connection == name))
    rows = [
        {"connection": name, "id": o.id, "email": o.email, "name": o.name, "is_active": o.is_active}
        for o in {owner.id: owner for owner in found}.values()
    ]
    bulk.insert(connection, owners, rows)
    _note(connection, name, Directory.OWNERS, now)


def save_stages(connection: Connection, name: str, found: Sequence[Stage], now: datetime) -> None:
    """Keep a CRM's stages as they are now."""
    connection.execute(delete(stages).where(stages.c.connection == name))
    rows = [
        {
            "connection": name,
            "pipeline_id": s.pipeline_id,
            "id": s.id,
            "label": s.label,
            "pipeline": s.pipeline,
            "position": s.position,
        }
        for s in {(stage.pipeline_id, stage.id): stage for stage in found}.values()
    ]
    bulk.insert(connection, stages, rows)
    _note(connection, name, Directory.STAGES, now)


def _note(connection: Connection, name: str, directory: Directory, now: datetime) -> None:
    connection.execute(
        delete(directories).where(
            directories.c.connection == name, directories.c.directory == directory
        )
    )
    row = {"connection": name, "directory": directory, "read_at": now}
    bulk.insert(connection, directories, [row])
