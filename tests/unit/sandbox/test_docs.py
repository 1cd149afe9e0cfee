"""The page on the sandbox names everything the sandbox can do."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from crmsync.sandbox.faults import Fault, Kind
from crmsync.sandbox.hubspot import HubSpot, HubSpotSettings

PAGE = (Path(__file__).resolve().parents[3] / "docs/connectors/sandbox.md").read_text()
NAMES = [
    *(setting.name for setting in fields(HubSpotSettings)),
    *(detail.name for detail in fields(Fault) if detail.name != "kind"),
    *get_args(Kind),
    *HubSpot(HubSpotSettings()).actions(),
]


@pytest.mark.parametrize("name", dict.fromkeys(NAMES))
def test_the_page_names_it(name):
    """Every setting, fault and action is documented."""
    assert f"`{name}`" in PAGE or f"`{name}:" in PAGE or f"`{name}=" in PAGE
