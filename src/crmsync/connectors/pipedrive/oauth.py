"""How tokens are had from Pipedrive: pipedrive.readme.io, "OAuth authorization", read 2026-10.

An access token lasts about an hour; a refresh token dies after 60 days without use. The scopes are
the app's own: the consent page takes none.
"""

from __future__ import annotations

from crmsync.connectors.auth.vendors import Vendor

VENDOR = Vendor(
    label="Pipedrive",
    authorize_url="https://oauth.pipedrive.com/oauth/authorize",
    token_url="https://oauth.pipedrive.com/oauth/token",  # noqa: S106 - an address
    api_suffixes=(".pipedrive.com",),
    auth_suffixes=(".pipedrive.com",),
    basic_client=True,
    host_member="api_domain",
)
