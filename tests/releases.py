"""A newer release of crmsync, for tests: this one with one migration more.

with monkeypatch.context() as patch:
    newer_release(tmp_path, EXPANDS).put_on(patch)
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from crmsync.store import schema

REVISION = "9999"
EXPANDS = f'''"""Something new, beside what was there."""

import sqlalchemy as sa
from alembic import op

revision = "{REVISION}"
down_revision = "{{head}}"


def upgrade():
    op.add_column("links", sa.Column("colour", sa.Text(), nullable=True))
    op.create_table("colours", sa.Column("name", sa.Text(), primary_key=True))
'''
"""A migration that the release before it does not notice."""
CONTRACTS = f"{EXPANDS}    op.execute(\"UPDATE schema_support SET revision = '{REVISION}'\")\n"  # noqa: S608 - ours
"""One that says that the release before it cannot work with the tables any more."""


@dataclass(frozen=True)
class Release:
    """Where a release has its migrations."""

    migrations: Path

    def put_on(self, patch: pytest.MonkeyPatch) -> None:
        """Be that release, until the patch is undone."""
        patch.setattr(schema, "MIGRATIONS", self.migrations)


def newer_release(folder: Path, text: str) -> Release:
    """Make the release after this one, whose last migration has this text."""
    migrations = folder / "newer-migrations"
    shutil.copytree(schema.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    head = ScriptDirectory.from_config(schema._config()).get_current_head()
    (migrations / "versions" / "9999_next.py").write_text(text.format(head=head))
    return Release(migrations)
