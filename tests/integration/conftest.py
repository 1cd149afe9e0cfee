"""A simulated HubSpot for each test, without limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmsync.sandbox import Sandbox
from tests.sandboxes import running
from tests.workbench import new_project

__all__ = ["new_project", "sandbox"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A simulated HubSpot on a port of its own."""
    with running(limits=False) as started:
        yield started
