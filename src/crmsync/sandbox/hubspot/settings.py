"""What can be set about the simulated HubSpot.

The second half are choices where the vendor's behaviour is not known for certain; each default is
what seems likeliest, or, between equals, what is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crmsync.sandbox.settings import Settings

ALL_SCOPES = (
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
)

Tier = Literal["free", "starter", "professional", "enterprise", "marketplace"]

TIERS: dict[Tier, tuple[int, int | None]] = {
    "free": (100, 250_000),
    "starter": (100, 250_000),
    "professional": (190, 625_000),
    "enterprise": (190, 1_000_000),
    "marketplace": (110, None),
}
"""Calls per 10 s and token, and per day and account (hubspot.com usage guidelines, 2026)."""

ASSOCIATION_TIERS: dict[Tier, int] = {
    "free": 100,
    "starter": 100,
    "professional": 150,
    "enterprise": 150,
    "marketplace": 100,
}
"""Calls per 10 s and token to the associations API, which has a count of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSpotSettings(Settings):
    """Settings of one HubSpot account."""

    # Who may call.
    tokens: tuple[str, ...] = ()
    """Static tokens that are good. None named: every token that begins with `pat-`."""
    scopes: tuple[str, ...] = ALL_SCOPES
    """What the app has been granted."""
    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - a simulated one
    refresh_tokens: tuple[str, ...] = ("na1-sandbox-refresh-token",)
    """Refresh tokens that are good from the start."""
    rotate_refresh_tokens: bool = False
    """Whether a refresh hands out a new refresh token and kills the old one."""
    access_token_seconds: int = 1800
    hub_connected: bool = True
    """Off: every token call fails with BAD_HUB."""

    # The account.
    portal_id: int = 1_234_567
    time_zone: str = "UTC"
    """IANA name; the daily quota resets at its midnight."""

    # Rate limits.
    tier: Tier = "free"
    limit_increase: bool = False
    """The bought add-on: 250 calls per 10 s and 1,000,000 more a day."""
    calls_per_10s: int | None = None
    """In place of the tier's."""
    daily_calls: int | None = None
    """In place of the tier's."""
    association_calls_per_10s: int | None = None
    """In place of the tier's."""
    search_per_second: int = 5
    retry_after_seconds: int | None = None
    """Sent with a 429 where set; HubSpot does not promise the header."""
    search_counts_daily: bool = True
    """Whether searches count toward the daily quota."""
    refused_calls_count: bool = False
    """Whether a call refused with 429 counts in the window."""

    # Time.
    search_lag_seconds: float = 5.0
    """How long a change stays invisible to search."""
    search_lag_jitter_seconds: float = 2.0
    """Up to this much more or less, drawn for each change."""
    settling_seconds: float = 2.0
    """How long after a create the modification time of contacts and companies moves once more by
    itself. 0: never."""

    # Answers that are true and still surprising.
    shuffle_results: bool = True
    """Whether batch answers come in another order than the inputs."""
    trace_ids_in_results: bool = True
    """Whether results name the trace id of their input."""
    empty_success_probability: float = 0.0
    """Share of batch upserts answered with a 200 that holds nothing, nothing having been done."""
    keep_history: bool = True
    """Whether records remember every write. Off saves memory in benchmarks."""

    # Choices: not confirmed by a source.
    same_record_twice: Literal["apply", "refuse"] = "apply"
    """Two inputs of a batch that are one record under two addresses: done in turn, or a 400."""
    missing_without_trace_ids: Literal["reject", "partial"] = "reject"
    """An unknown id in a batch update without trace ids: whole 400, or 207."""
    lifecycle_backward: Literal["ignore", "error"] = "ignore"
    """A write that moves lifecyclestage back: silently dropped, or refused."""
    merge_keeps_primary_id: bool = False
    """Off: the survivor of a merge has a third id. On: the beta that keeps the primary's."""
    batch_read_follows_merges: bool = True
    """Whether batch/read finds a survivor by an id merged away."""
    archived_values_reserved: bool = False
    """Whether a unique value stays taken while its record is archived."""
    deactivated_owner_assignable: bool = False
    """Whether a record may be given to an owner who was deactivated."""
    association_read_misses: Literal["error", "omit"] = "error"
    """A record without associations in a batch read: an entry under 207, or nothing."""
    associate_default_both_ways: bool = False
    """Whether the answer to associate/default lists the reverse direction as well."""
    search_429_bare: bool = False
    """Whether a refused search lacks `errorType` and `policyName`, as in recorded traffic."""
    search_daily_header_probability: float = 0.0
    """Share of search answers with the daily headers: about half in recorded traffic."""

    @property
    def burst_limit(self) -> int:
        """Calls per 10 s and token."""
        if self.calls_per_10s is not None:
            return self.calls_per_10s
        if self.limit_increase and self.tier != "marketplace":
            return 250
        return TIERS[self.tier][0]

    @property
    def daily_limit(self) -> int | None:
        """Calls per day and account; None where there is no limit."""
        if self.daily_calls is not None:
            return self.daily_calls
        daily = TIERS[self.tier][1]
        return daily + 1_000_000 if daily is not None and self.limit_increase else daily

    @property
    def association_limit(self) -> int:
        """Calls per 10 s and token to the associations API."""
        if self.association_calls_per_10s is not None:
            return self.association_calls_per_10s
        return 200 if self.limit_increase else ASSOCIATION_TIERS[self.tier]
