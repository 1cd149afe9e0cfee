"""The page on the sandbox names everything the simulated Pipedrive can do."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from crmsync.sandbox.pipedrive import PipedriveSettings
from crmsync.sandbox.pipedrive.actions import ACTIONS

PAGE = (Path(__file__).resolve().parents[4] / "docs/connectors/sandbox.md").read_text()
SECTION = PAGE.partition("\n## Pipedrive\n")[2].partition("\n## ")[0]
SHARED = PAGE.partition("\n## HubSpot\n")[0]


@pytest.mark.parametrize("name", [*(one.name for one in fields(PipedriveSettings)), *ACTIONS])
def test_the_page_names_it(name):
    """Every setting and action is documented, those of all CRMs before the first of them."""
    assert f"`{name}`" in SECTION + SHARED
