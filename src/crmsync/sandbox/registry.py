"""Which CRMs can be simulated. The only place of the frame that names them."""

from __future__ import annotations

from collections.abc import Callable

from crmsync.sandbox.crm import SimulatedCrm
from crmsync.sandbox.hubspot import HubSpot, HubSpotSettings
from crmsync.sandbox.settings import Settings

SETTINGS: dict[str, type[Settings]] = {"hubspot": HubSpotSettings}

CRMS: dict[str, Callable[..., SimulatedCrm]] = {"hubspot": HubSpot}
"""By name, in the order in which ports are given out. Called with the CRM's settings."""
