"""The page on the sandbox names everything the sandbox can do."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import get_args

import pytest

from crmsync.sandbox.faults import Fault, Kind
from crmsync.sandbox.hubspot import HubSpot, HubSpotSettings
from crmsync.sandbox.registry import CRMS, SETTINGS, tiers_of

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


@pytest.mark.parametrize("crm", CRMS)
def test_the_page_lists_the_tiers(crm):
    """The table of tiers has them all in order, and the first is what a CRM has unasked."""
    tiers = tiers_of(crm)
    assert f"| {crm} | {', '.join(f'`{tier}`' for tier in tiers)} |" in PAGE
    assert asdict(SETTINGS[crm]())["tier"] == tiers[0]
