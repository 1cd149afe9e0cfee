"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crmsync.store import tables
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Expand."""
    ${upgrades if upgrades else "pass"}
