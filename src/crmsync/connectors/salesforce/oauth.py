"""How tokens are had from Salesforce: help.salesforce.com, "OAuth Authorization Flows", 2026-10.

An access token's lifetime is the org's session timeout, which no answer tells: it is found dead by
a 401. At most five authorisations per user and app live at once; a sixth revokes the oldest, so two
installations should not share a user.
"""

from __future__ import annotations

from crmsync.connectors.auth.vendors import Grant, Vendor

PRODUCTION, TEST = "login.salesforce.com", "test.salesforce.com"


def audience_of(host: str) -> str:
    """Return whom a JWT assertion is for: the login server, which of a sandbox org is another."""
    is_test = host == TEST or ".sandbox.my.salesforce.com" in f".{host}"
    return f"https://{TEST if is_test else PRODUCTION}"


VENDOR = Vendor(
    label="Salesforce",
    authorize_url=f"https://{PRODUCTION}/services/oauth2/authorize",
    token_url=f"https://{PRODUCTION}/services/oauth2/token",
    api_suffixes=(".salesforce.com", ".force.com"),
    auth_suffixes=(".salesforce.com", ".force.com"),
    scopes=("api", "refresh_token"),
    grants=frozenset(Grant),
    pkce=True,
    host_member="instance_url",
    own_domain=True,
    login_hosts=frozenset({PRODUCTION, TEST}),
    audience_of=audience_of,
    # All of these last until somebody acts; only invalid_client is a mistake of ours.
    reconnect_codes=frozenset(
        {"invalid_grant", "inactive_user", "inactive_org", "inactive organization"}
    ),
)
