"""How tokens are had from HubSpot: developers.hubspot.com, "OAuth", read 2026-10.

An access token lasts 30 minutes. A refresh token lasts until the app is uninstalled; the same one
comes back each time, unless HubSpot decides otherwise.
"""

from __future__ import annotations

from crmsync.connectors.auth.vendors import Vendor

VENDOR = Vendor(
    label="HubSpot",
    authorize_url="https://app.hubspot.com/oauth/authorize",
    # OAuth v1 ends in February 2027; v3 takes the same form.
    token_url="https://api.hubapi.com/oauth/v3/token",  # noqa: S106 - an address
    api_suffixes=(".hubapi.com", ".hubspot.com"),
    auth_suffixes=(".hubapi.com", ".hubspot.com"),
    scopes=(
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.objects.deals.read",
        "crm.objects.owners.read",
        "crm.schemas.contacts.read",
        "crm.schemas.contacts.write",
        "crm.schemas.companies.read",
        "crm.schemas.companies.write",
        "crm.schemas.deals.read",
    ),
    # invalid_grant: BAD_REFRESH_TOKEN; access_denied: BAD_HUB, the account is gone.
    reconnect_codes=frozenset({"invalid_grant", "access_denied"}),
)
