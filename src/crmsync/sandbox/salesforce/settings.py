"""What can be set about the simulated Salesforce.

The last part are choices where the vendor's behaviour is not known for certain; each default is
what is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crmsync.sandbox.settings import Settings

Tier = Literal["developer", "professional", "enterprise", "unlimited", "sandbox"]

DAILY_CALLS: dict[Tier, tuple[int, int]] = {
    "developer": (15_000, 0),
    "professional": (100_000, 1_000),
    "enterprise": (100_000, 1_000),
    "unlimited": (100_000, 5_000),
    "sandbox": (5_000_000, 0),
}
"""Calls in 24 hours for the org, and more for each licence (salesforce.com limits guide, 2026)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesforceSettings(Settings):
    """Settings of one Salesforce org and of the app that calls it."""

    # Who may call.
    access_tokens: tuple[str, ...] = ("00D5e000000000A!sandbox-access-token",)
    """Access tokens that are good from the start."""
    session_seconds: int = 7200
    """How long an access token that was issued lives; no answer tells."""
    client_id: str = "sandbox-consumer-key"
    client_secret: str = "sandbox-consumer-secret"  # noqa: S105 - a simulated one
    require_client_secret: bool = True
    """Off: the app is public, and a code or refresh token does without."""
    require_pkce: bool = False
    redirect_uris: tuple[str, ...] = ()
    """Where the user may be sent back to. None named: anywhere."""
    user_agrees: bool = True
    """Off: the user denies at the authorize page."""
    username: str = "integration@acme.example"
    """The user behind every token."""
    refresh_tokens: tuple[str, ...] = ("5Aep861-sandbox-refresh-token",)
    """Refresh tokens that are good from the start; each is one authorisation."""
    authorisations_per_user: int = 5
    """A further one silently revokes the oldest."""
    rotate_refresh_tokens: bool = False
    """Whether a refresh hands out a new refresh token and kills the old one."""
    reuse_revokes_grant: bool = False
    """Whether a refresh by a token that was rotated away revokes its successor too."""
    refuse_simultaneous_refreshes: bool = False
    """Whether a refresh is refused while another one by the same token is under way."""
    token_error_descriptions: bool = True
    """Off: token errors come without `error_description`."""
    jwt_public_key: str = ""
    """PEM of the key or certificate that verifies JWT assertions; none: they are refused."""
    instance_url: str | None = None
    """What token answers give as the org's address. None: this simulator's own."""
    session_refusal: Literal["none", "expired", "unsuitable", "html", "status_500"] = "none"
    """Refuses every session, new ones too: as expired, as not valid for REST (which no refresh
    cures), as a 401 of HTML, or as INVALID_SESSION_ID under a 500."""

    # The org.
    external_id_fields: tuple[str, ...] = (
        "Account.crmsync_id__c",
        "Contact.crmsync_id__c",
        "Lead.crmsync_id__c",
    )
    """Unique external-id text fields that an administrator has made already. The API makes none;
    with an empty list the org is as a customer's before `crmsync connect` told them how."""
    hidden_fields: tuple[str, ...] = ()
    """Fields the user may not see: `Contact.Phone`. Absent from describe, unknown in calls."""
    read_only_fields: tuple[str, ...] = ()
    """Fields the user may see and not write."""
    duplicate_rule: Literal["off", "alert", "block"] = "off"
    """What contacts and leads with an e-mail address that another one has meet. `alert` lets them
    pass with `Sforce-Duplicate-Rule-Header: allowSave=true`."""
    query_page: int = 2000
    """Most rows of a query's page; the `batchSize` a caller asks for does not raise it."""
    subquery_page: int = 200
    """Most children of one record that a query shows; the others have pages of their own."""
    locator_seconds: int = 172_800
    """How long a query can be continued."""
    keep_history: bool = True
    """Whether records remember every write. Off saves memory in benchmarks."""

    # Limits.
    tier: Tier = "developer"
    licences: int = 10
    daily_calls: int | None = None
    """In place of the tier's."""
    long_calls: int | None = None
    """How many calls may run for 20 s and more at once. None: 5 for developers, else 25."""
    app_name: str | None = None
    """Where set, `Sforce-Limit-Info` has the part of the app too."""

    # Row locks.
    row_locks: bool = True
    """Whether a call that writes holds its rows and their accounts until it is answered."""
    lock_seconds: float = 10.0
    """The longest a call holds them, whatever becomes of its answer."""
    lock_failure_share: float = 0.5
    """Share of the rows that meet a row held by another call and fail."""
    lock_wrapped_share: float = 0.25
    """Share of those failures that come wrapped in a trigger's."""

    # Choices: not confirmed by a source.
    malformed_rows: Literal["call", "record"] = "call"
    """An unknown field or a value of a wrong kind in a collection: fails the call, or its row."""
    several_matches_code: Literal["DUPLICATE_EXTERNAL_ID", "DUPLICATE_VALUE"] = (
        "DUPLICATE_EXTERNAL_ID"
    )
    """What a row of a collection fails with whose key matches several records."""

    @property
    def daily_limit(self) -> int:
        """Calls in 24 hours."""
        if self.daily_calls is not None:
            return self.daily_calls
        base, more = DAILY_CALLS[self.tier]
        return base + more * self.licences

    @property
    def long_call_limit(self) -> int:
        """Calls that may run for 20 s and more at once."""
        if self.long_calls is not None:
            return self.long_calls
        return 5 if self.tier == "developer" else 25
