"""How tokens are had from Zoho: www.zoho.com/crm/developer/docs, "OAuth", read 2026-10.

Every data centre has its own servers; which one is the account's comes with the consent
(`accounts-server`) and with each token (`api_domain`). Refusals may come under a status of 200.
At most 10 renewals in 10 minutes, and 15 access tokens of a refresh token live at once.
"""

from __future__ import annotations

from crmsync.connectors.auth.vendors import Vendor

VENDOR = Vendor(
    label="Zoho",
    authorize_url="https://accounts.zoho.com/oauth/v2/auth",
    token_url="https://accounts.zoho.com/oauth/v2/token",  # noqa: S106 - an address
    api_suffixes=(
        ".zohoapis.com", ".zohoapis.eu", ".zohoapis.in", ".zohoapis.com.au",
        ".zohoapis.jp", ".zohoapis.com.cn", ".zohoapis.ca", ".zohoapis.sa",
    ),
    auth_suffixes=(
        ".accounts.zoho.com", ".accounts.zoho.eu", ".accounts.zoho.in", ".accounts.zoho.com.au",
        ".accounts.zoho.jp", ".accounts.zoho.com.cn", ".accounts.zohocloud.ca",
        ".accounts.zoho.sa",
    ),
    scopes=(
        "ZohoCRM.modules.ALL",
        "ZohoCRM.settings.ALL",
        "ZohoCRM.users.READ",
        "ZohoCRM.org.READ",
        "ZohoCRM.coql.READ",
        "ZohoCRM.notifications.ALL",
    ),
    scope_separator=",",
    # Without both there is no refresh token for a person who has agreed before.
    consent={"access_type": "offline", "prompt": "consent"},
    host_member="api_domain",
    auth_host_parameter="accounts-server",
    reconnect_codes=frozenset({"invalid_grant", "invalid_code"}),
)  # fmt: skip
