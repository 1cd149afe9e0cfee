"""Projects on SQLite whose CRM is in memory: what is decided here is the same on any database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.model import FieldSchema, FieldType
from crmsync.sync.context import Works
from tests.workbench import KEY, ROOMY, NewProject, new_project

__all__ = ["crm", "database_url", "new_project", "works_with"]

WorksWith = Callable[..., Works]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: the store's own tests run on both databases."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def crm() -> Iterator[MemoryCrm]:
    """The CRM of the connection `crm`, with an empty object `contacts`."""
    MemoryCrm.forget("crm")
    fresh = MemoryCrm.named("crm")
    fresh.schemas["contacts"] = {
        "email": FieldSchema("email", "E-mail", FieldType.EMAIL, unique=True),
        KEY: FieldSchema(KEY, KEY, FieldType.TEXT, unique=True),
        **{
            name: FieldSchema(name, name, FieldType.TEXT)
            for name in ("firstname", "lastname", "phone", "company", "stage", "our_ref")
        },
        "visits": FieldSchema("visits", "visits", FieldType.NUMBER),
    }
    yield fresh
    MemoryCrm.forget("crm")


@pytest.fixture
def works_with(new_project: NewProject, crm: MemoryCrm) -> WorksWith:
    """Opens a project with one mapping of contacts, or with several by name."""

    def make(contacts: str = "", **keys: Any) -> Works:
        mappings = {"contacts": contacts} if contacts else {}
        mappings |= keys.pop("others", {})
        return new_project(mappings=mappings, **{"timing": ROOMY, **keys}).open()

    return make
