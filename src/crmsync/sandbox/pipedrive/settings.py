"""What can be set about the simulated Pipedrive.

The last part are choices where the vendor's behaviour is not known for certain; each default is
what is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crmsync.sandbox.settings import Settings

ALL_SCOPES = (
    "base",
    "deals:full",
    "contacts:full",
    "users:read",
    "search:read",
    "admin",
    "deal-fields:full",
    "contact-fields:full",
)

Tier = Literal["lite", "growth", "premium", "ultimate"]

DAILY_MULTIPLIERS: dict[Tier, int] = {"lite": 1, "growth": 2, "premium": 5, "ultimate": 7}
"""Of the daily token budget of a seat (pipedrive.readme.io, rate limiting, 2026)."""

TOKENS_PER_SEAT = 30_000

BURSTS: dict[Tier, tuple[int, int]] = {
    "lite": (20, 80),
    "growth": (40, 160),
    "premium": (100, 400),
    "ultimate": (120, 480),
}
"""Calls per 2 s of an API token, and of an OAuth app for one user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipedriveSettings(Settings):
    """Settings of one Pipedrive company."""

    # Who may call.
    tokens: tuple[str, ...] = ()
    """API tokens that are good. None named: every token of 40 hexadecimal digits."""
    scopes: tuple[str, ...] = ALL_SCOPES
    """What the OAuth app has been granted. API tokens know no scopes."""
    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - a simulated one
    redirect_uri: str | None = None
    """The app's one callback URL. None: whatever is asked for."""
    refresh_tokens: tuple[str, ...] = ("1:1:sandbox-refresh-token",)
    """Refresh tokens that are good from the start."""
    access_token_seconds: int = 3599
    refresh_idle_seconds: float = 60 * 86_400
    """A refresh token not used for so long is dead."""
    rotate_refresh_tokens: bool = False
    """Whether a refresh hands out a new refresh token and kills the old one."""
    reuse_revokes_grant: bool = True
    """Whether using a refresh token that was rotated away revokes all tokens of its grant."""
    api_domain: str | None = None
    """What token answers name as the company's address. None: the address that was called."""

    # The company.
    company_id: int = 7_654_321
    company_name: str = "Sandbox"
    company_domain: str = "sandbox"
    currency: str = "EUR"
    """Of deals that name none."""
    account_open: bool = True
    """Off: every call is a 402, as after a trial or an unpaid bill."""
    contact_sync: bool = False
    """Whether persons have the fields that come with contact sync."""
    open_deals_limit: int | None = None
    """How many open deals the plan allows."""
    custom_fields_limit: int | None = None
    """How many custom fields the plan allows, of all object types together."""

    # Rate limits.
    tier: Tier = "lite"
    seats: int = 1
    top_up_tokens: int = 0
    """Daily tokens bought on top."""
    daily_tokens: int | None = None
    """In place of what tier, seats and top-up come to."""
    time_zone: str = "UTC"
    """IANA name; the daily budget resets at its midnight. Pipedrive does not say where that is."""
    calls_per_2s: int | None = None
    """In place of the tier's, whatever the kind of token."""
    searches_per_2s: int = 10
    daily_header_probability: float = 0.0
    """Share of answers with the undocumented headers on the daily budget."""
    retry_after_seconds: int | None = None
    """Sent with a 429 where set; Pipedrive does not document the header."""
    refusals_before_block: int | None = 30
    """After so many 429s within 10 s an API token gets Cloudflare's page. None: never."""
    block_seconds: float = 120.0

    # Time.
    search_lag_seconds: float = 5.0
    """How long a change, a deletion too, stays unknown to search."""

    # What is remembered.
    keep_history: bool = True
    """Whether records remember every write. Off saves memory in benchmarks."""

    # Choices: not confirmed by a source.
    deleted_reads: Literal["flagged", "missing"] = "flagged"
    """A deleted or merged record read by id: a 200 that says `is_deleted`, or a 404."""
    merge_survivor: Literal["merge_with", "path"] = "merge_with"
    """Which id survives a merge: that of the body, whose data wins, or that of the path."""
    emails_patch: Literal["replace", "add"] = "replace"
    """Whether a PATCH of emails or phones replaces those held, or adds to them."""
    deactivated_owner_assignable: bool = False
    """Whether a record may be given to a user who was deactivated."""
    empty_v1_lists_null: bool = True
    """Whether an empty list of v1 is null, as integrators report, or empty."""

    @property
    def daily_budget(self) -> int:
        """Tokens per day and company."""
        if self.daily_tokens is not None:
            return self.daily_tokens
        return TOKENS_PER_SEAT * DAILY_MULTIPLIERS[self.tier] * self.seats + self.top_up_tokens

    def burst_limit(self, *, oauth: bool) -> int:
        """Return the calls per 2 s of one token."""
        if self.calls_per_2s is not None:
            return self.calls_per_2s
        return BURSTS[self.tier][oauth]
