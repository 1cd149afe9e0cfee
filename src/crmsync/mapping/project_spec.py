"""What may stand in crmsync.yaml: names, shapes and descriptions.

As `spec` for mapping files. What depends on more than one key is checked in `connections`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from crmsync.mapping.spec import ConditionText, GuardKeys, Keys, Name, Share

Amount: TypeAlias = Annotated[int, Field(gt=0)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400)]


class OAuthKeys(Keys):
    """OAuth; `crmsync connect` finds and keeps the refresh token."""

    client_id: Name | None = None
    client_secret: Name | None = None
    refresh_token: Name | None = None


class JwtKeys(Keys):
    """The OAuth JWT bearer flow."""

    client_id: Name
    username: Name
    private_key_file: Name


class ClientCredentialsKeys(Keys):
    """The OAuth client credentials flow."""

    client_id: Name
    client_secret: Name


class AuthKeys(Keys):
    """How a connection proves who it is: exactly one of these."""

    token: Name | None = None
    oauth: OAuthKeys | None = None
    jwt: JwtKeys | None = None
    client_credentials: ClientCredentialsKeys | None = None


class QuotaKeys(Keys):
    """How much of the account's daily limit crmsync may use."""

    daily_share: Share = Field(0.8, description="Of what the CRM grants the whole account.")
    realtime_reserve: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Of our share and of every other rate limit, kept for real-time work.",
    )


class TimingKeys(Keys):
    """How long things may take; request deadline < lease < settle time."""

    request_deadline_seconds: Seconds | None = None
    lease_seconds: Seconds | None = None
    settle_seconds: Seconds | None = None
    sweep_seconds: Seconds | None = None
    linger_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    pull_seconds: Seconds | None = Field(
        None, description="How often the CRM is asked what changed."
    )
    reread_seconds: Annotated[float, Field(gt=0, le=31 * 86_400)] | None = Field(
        None, description="How often everything is read again, whatever the CRM says has changed."
    )


class WebhookKeys(Keys):
    """How the CRM tells us of changes; without it, changes are only asked for now and then."""

    url: str = Field(description="Of `/hooks/NAME`, as the CRM reaches it from outside.")
    secret: Name = Field(description="What a delivery proves itself by; as ${NAME}.")


class ConnectionKeys(Keys):
    """One CRM account."""

    connector: Name = Field(description="Which CRM it is.")
    auth: AuthKeys = Field(AuthKeys(), description="The credentials; secrets as ${NAME}.")
    base_url: str | None = Field(None, description="Another host for the API.")
    auth_url: str | None = Field(None, description="Another host for the token calls.")
    limits: dict[Name, Amount] = Field(
        {}, description="What the account may do, where that is not the connector's default."
    )
    quota: QuotaKeys = QuotaKeys()
    timing: TimingKeys = TimingKeys()
    webhooks: WebhookKeys | None = Field(None, description="How the CRM tells us of changes.")


class GoalKeys(Keys):
    """A goal; revenue is the sum of its events' `revenue` property."""


class IdentityKeys(Keys):
    """How events become people."""

    email_as_user_id: Literal["warn", "user_id"] = Field(
        "warn",
        description="An e-mail given as user id: taken as e-mail with a warning, or as a user id.",
    )
    types: Literal["lenient", "strict"] = Field(
        "lenient", description="A trait of another type: the last write wins, or it is refused."
    )
    max_trait_names: Amount = Field(1000, description="New names beyond it are ignored, reported.")


class ProjectKeys(Keys):
    """crmsync.yaml."""

    connections: dict[Name, ConnectionKeys] = Field(min_length=1)
    goals: dict[Name, GoalKeys | None] = Field({}, description="Tracked events that are goals.")
    segments: dict[Name, ConditionText] = Field({}, description="Named conditions on people.")
    identity: IdentityKeys = IdentityKeys()
    traits: dict[Name, Literal["string", "number", "boolean", "date", "datetime", "any"]] = Field(
        {}, description="Traits of your own and their types."
    )
    timing: TimingKeys = TimingKeys()
    guard: GuardKeys = Field(
        GuardKeys(), description="When a run stops and asks, for every mapping without its own."
    )
