"""The page on the sandbox names everything the simulated Salesforce can do."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from crmsync.sandbox.salesforce import Salesforce, SalesforceSettings
from crmsync.sandbox.settings import Settings

PAGE = (Path(__file__).resolve().parents[4] / "docs/connectors/sandbox.md").read_text()
SECTION = PAGE.partition("\n## Salesforce\n")[2].partition("\n## ")[0]
SHARED = {setting.name for setting in fields(Settings)}
NAMES = [
    *(one.name for one in fields(SalesforceSettings) if one.name not in SHARED),
    *Salesforce(SalesforceSettings()).actions(),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_it(name):
    """Every setting and action of its own is documented in its section."""
    assert f"`{name}`" in SECTION or f"`{name}:" in SECTION or f"`{name}=" in SECTION
