"""Which CRMs can be simulated. The only place of the frame that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

from crmsync.sandbox.crm import SimulatedCrm
from crmsync.sandbox.hubspot import HubSpot, HubSpotSettings
from crmsync.sandbox.pipedrive import Pipedrive, PipedriveSettings
from crmsync.sandbox.salesforce import Salesforce, SalesforceSettings
from crmsync.sandbox.settings import Settings
from crmsync.sandbox.zoho import Zoho, ZohoSettings

SETTINGS: dict[str, type[Settings]] = {
    "hubspot": HubSpotSettings,
    "pipedrive": PipedriveSettings,
    "salesforce": SalesforceSettings,
    "zoho": ZohoSettings,
}

CRMS: dict[str, Callable[..., SimulatedCrm]] = {
    "hubspot": HubSpot,
    "pipedrive": Pipedrive,
    "salesforce": Salesforce,
    "zoho": Zoho,
}
"""By name, in the order in which ports are given out. Called with the CRM's settings."""

_SALESFORCE, _ZOHO = SalesforceSettings(), ZohoSettings()
CREDENTIALS: Mapping[str, Mapping[str, Any]] = {
    "hubspot": {"token": "pat-sandbox"},
    "pipedrive": {"token": "0123456789abcdef0123456789abcdef01234567"},
    "salesforce": {
        "client_credentials": {
            "client_id": _SALESFORCE.client_id,
            "client_secret": _SALESFORCE.client_secret,
        }
    },
    "zoho": {
        "oauth": {
            "client_id": _ZOHO.client_id,
            "client_secret": _ZOHO.client_secret,
            "refresh_token": _ZOHO.refresh_tokens[0],
        }
    },
}
"""What a new account lets in, as `auth:` of crmsync.yaml takes it."""


def tiers_of(name: str) -> tuple[str, ...]:
    """Return what a CRM calls its tiers, the lowest first."""
    return get_args(get_type_hints(SETTINGS[name])["tier"])
