"""The page on the sandbox names everything the simulated Zoho can do."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from crmsync.sandbox.settings import Settings
from crmsync.sandbox.zoho import Zoho, ZohoSettings

PAGE = (Path(__file__).resolve().parents[4] / "docs/connectors/sandbox.md").read_text()
SECTION = PAGE.partition("\n## Zoho\n")[2].partition("\n## ")[0]
SHARED = {setting.name for setting in fields(Settings)}
NAMES = [
    *(setting.name for setting in fields(ZohoSettings) if setting.name not in SHARED),
    *Zoho(ZohoSettings()).actions(),
]


@pytest.mark.parametrize("name", dict.fromkeys(NAMES))
def test_the_section_names_it(name):
    """Every setting and action is documented."""
    assert f"`{name}`" in SECTION
