"""What can be set about the simulated Zoho CRM.

The last part are choices where the vendor's behaviour is not known for certain; each default is
what is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crmsync.sandbox.settings import Settings

ALL_SCOPES = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.notifications.ALL",
)

Tier = Literal["free", "standard", "professional", "enterprise", "ultimate"]


@dataclass(frozen=True, slots=True)
class Edition:
    """What an edition of Zoho CRM allows."""

    credits: int
    """In 24 hours, for the organisation."""
    credits_per_user: int
    most_credits: int | None
    """However many users; None where there is no bound."""
    concurrency: int
    """Calls under way at once, for an organisation and app."""


EDITIONS: dict[Tier, Edition] = {
    "free": Edition(5_000, 0, 5_000, 5),
    "standard": Edition(50_000, 250, 100_000, 10),
    "professional": Edition(50_000, 500, 3_000_000, 15),
    "enterprise": Edition(50_000, 1_000, 5_000_000, 20),
    "ultimate": Edition(50_000, 2_000, None, 25),
}
"""Zoho's API limits of 2026 (zoho.com/crm/developer/docs/api/v8/api-limits.html)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZohoSettings(Settings):
    """Settings of one Zoho CRM organisation."""

    # Who may call.
    client_id: str = "1000.SANDBOXCLIENT"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - a simulated one
    redirect_uris: tuple[str, ...] = ()
    """Addresses registered for the app. None named: any."""
    refresh_tokens: tuple[str, ...] = ("1000.sandbox-refresh-token",)
    """Refresh tokens that are good from the start."""
    access_tokens: tuple[str, ...] = ("1000.sandbox-access-token",)
    """Access tokens that are good from the start, and until `expire_access_tokens`."""
    scopes: tuple[str, ...] = ALL_SCOPES
    """What the tokens above carry, and what a user can agree to."""
    consent: Literal["agree", "refuse"] = "agree"
    """What the user does on the consent page."""
    access_token_seconds: int = 3600
    rotate_refresh_tokens: bool = False
    """Whether a refresh hands out a new refresh token and kills the old one. Zoho does not."""
    reuse_revokes_grant: bool = False
    """Whether a refresh token that was rotated away, or is being used by a request still under
    way, revokes all tokens of its grant. Zoho does not; a strict token server does."""
    oauth_error_status: int = 200
    """HTTP status of a refused token call."""
    expires_in_sec: bool = False
    """On: token answers in the old form, `expires_in_sec`, and `expires_in` in milliseconds."""
    expires_in_missing_probability: float = 0.0
    """Share of token answers that do not say when the token expires."""
    api_domain: str | None = None
    """Where token answers send the client. None: this server itself."""
    data_centre: str = "eu"
    """The `location` of the consent's redirect."""

    # The organisation.
    time_zone: str = "+05:30"
    """IANA name or fixed offset; all times are written with its offset."""
    users: int = 3
    """Licences bought; editions but the free one give credits for each."""

    # Limits.
    tier: Tier = "free"
    """Edition."""
    credits_per_day: int | None = None
    """In place of the edition's."""
    concurrency: int | None = None
    """In place of the edition's."""
    sub_concurrency: int = 10
    """Heavy calls under way at once: writes of more than 10 records, COQL."""

    # Time.
    search_lag_seconds: float = 30.0
    """How long a change stays invisible to search. COQL and lists see it at once."""
    match_lag_seconds: float = 0.0
    """How long an upsert by a field that is not unique does not find a new record: two calls at
    once then make two."""

    keep_history: bool = True
    """Whether records remember every write. Off saves memory in benchmarks."""

    # Choices: not confirmed by a source.
    mixed_status: Literal["any", "200", "202", "207"] = "any"
    """Status of a write of which a part failed; `any` draws 200 or 207, both seen."""
    several_faults: Literal["first", "all"] = "first"
    """A record with several wrong fields: the first is named, or MULTIPLE_OR_MULTI_ERRORS."""
    ambiguous_match: Literal["error", "first"] = "error"
    """Several records hold the key of an upsert: AMBIGUITY_DURING_PROCESSING, or the oldest one."""
    new_key_twice: Literal["two", "one"] = "two"
    """One new key twice in an upsert: two inserts (on a unique field, the second is refused), or an
    insert and an update."""
    unknown_picklist_value: Literal["refuse", "keep"] = "refuse"
    unknown_id: Literal["204", "400"] = "204"
    """Reading one record that does not exist."""
    lookup_by_name: Literal["create", "refuse"] = "create"
    """`Account_Name: {"name": ...}` of no known account makes one, or is refused."""
    coql_shows_converted: bool = False
    """Whether queries find leads that were converted without asking for them; lists do not."""
    zulu_accepted: bool = False
    """Whether a datetime may end in `Z`."""

    @property
    def credit_limit(self) -> int:
        """Credits in any 24 hours."""
        if self.credits_per_day is not None:
            return self.credits_per_day
        edition = EDITIONS[self.tier]
        credit_limit = edition.credits + edition.credits_per_user * self.users
        return min(credit_limit, edition.most_credits or credit_limit)

    @property
    def concurrency_limit(self) -> int:
        """Calls under way at once."""
        return EDITIONS[self.tier].concurrency if self.concurrency is None else self.concurrency
