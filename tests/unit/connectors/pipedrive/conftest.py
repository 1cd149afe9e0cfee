"""A scripted Pipedrive for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.openapi.recorded import scripted


@pytest.fixture
def api() -> Iterator[Any]:
    """Pipedrive, scripted; every answer must be asked for, every request be as described."""
    with scripted("pipedrive") as mock:
        yield mock
