"""A simulated HubSpot account: CRM v3 objects, v4 associations, OAuth, and the date-based paths."""

from __future__ import annotations

from crmsync.sandbox.hubspot.crm import HubSpot
from crmsync.sandbox.hubspot.settings import HubSpotSettings

__all__ = ["HubSpot", "HubSpotSettings"]
