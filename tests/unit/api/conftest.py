"""The API over real HTTP on a project without a CRM call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crmsync.sync.context import Works
from tests.served_api import Api, serving
from tests.workbench import KEYED, NewProject, new_project

__all__ = ["api", "database_url", "new_project", "works"]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: what is tested here is HTTP."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def works(new_project: NewProject) -> Works:
    """A project with one mapping."""
    return new_project(mappings={"contacts": KEYED}).open()


@pytest.fixture
def api(works: Works) -> Iterator[Api]:
    """The API of that project."""
    with serving(works) as served:
        yield served
