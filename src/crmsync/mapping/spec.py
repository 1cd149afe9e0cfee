"""What may stand in crmsync.yaml and in a mapping file: names, shapes and descriptions.

The one source for the loader, which checks files against it (`shape`), and for the JSON Schema
that editors complete from (`schema`). What depends on more than one key is checked in
`connections` and `compile`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError


def _scalar(value: object) -> object:
    if isinstance(value, list | dict):
        raise PydanticCustomError("scalar", "expected a text, a number, true or false")
    return value


Scalar: TypeAlias = Annotated[
    Any,
    AfterValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Amount: TypeAlias = Annotated[int, Field(gt=0)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400)]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]
ConditionText: TypeAlias = Annotated[
    str, Field(description='A condition, such as plan = "pro" AND visits > 5.')
]


class Keys(BaseModel):
    """A set of keys: closed, and with no silent change of type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)

    later: ClassVar[frozenset[str]] = frozenset()
    """Keys of the design that this version cannot honour: refused, rather than ignored."""


def _form(value: object) -> str | None:
    """Tell the short form of a setting (a text) from the long one (keys) and from a list."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "keys" if isinstance(value, dict | Keys) else None


# --- mappings/*.yaml -----------------------------------------------------------------------


class CronTrigger(Keys):
    """Due at the times of a cron expression, in UTC."""

    cron: str = Field(description="minute hour day-of-month month day-of-week, in UTC")


class EventTrigger(Keys):
    """Due when one of these events is tracked."""

    event: list[Name] = Field(min_length=1, description="Names of tracked events.")


def _trigger_form(value: object) -> str | None:
    if isinstance(value, dict):
        return "event" if "event" in value else "cron"
    return _form(value)


OneTrigger: TypeAlias = Annotated[
    Annotated[Literal["realtime", "hourly", "daily"], Tag("text")]
    | Annotated[CronTrigger, Tag("cron")]
    | Annotated[EventTrigger, Tag("event")],
    Discriminator(_trigger_form),
]
AnyTrigger: TypeAlias = Annotated[
    Annotated[Literal["realtime", "hourly", "daily"], Tag("text")]
    | Annotated[CronTrigger, Tag("cron")]
    | Annotated[EventTrigger, Tag("event")]
    | Annotated[list[OneTrigger], Field(min_length=1), Tag("list")],
    Discriminator(_trigger_form),
]

OneTransform: TypeAlias = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[dict[str, Scalar], Field(min_length=1, max_length=1), Tag("keys")],
    Discriminator(_form),
]
AnyTransform: TypeAlias = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[dict[str, Scalar], Field(min_length=1, max_length=1), Tag("keys")]
    | Annotated[list[OneTransform], Field(max_length=20), Tag("list")],
    Discriminator(_form),
]


class FieldKeys(Keys):
    """Where one CRM field's value comes from, and how it is made."""

    from_: Name | None = Field(None, alias="from", description="The trait or statistic to send.")
    template: str | None = Field(
        None,
        max_length=2048,
        description='A text with names in braces: "{first_name} of {company}".',
    )
    value: Scalar = Field(None, description="A constant.")
    transform: AnyTransform | None = Field(
        None, description="Transforms, applied in order before `map`."
    )
    map: dict[str, Scalar] | None = Field(
        None, min_length=1, description="Our values and the CRM's values for them."
    )
    default: Scalar = Field(None, description="Sent when the value is missing or not in `map`.")
    trigger: AnyTrigger | None = Field(
        None, description="When this field is due; else as the file."
    )
    conflict: Literal["ours", "only_if_empty"] = Field(
        "ours", description="Who wins: always ours, or only while the CRM's field is empty."
    )
    when: ConditionText | None = Field(
        None, description="The field is left as it is unless this condition holds."
    )


AnyField: TypeAlias = Annotated[
    Annotated[Name, Tag("text")] | Annotated[FieldKeys, Tag("keys")], Discriminator(_form)
]


class LeaveKeys(Keys):
    """Values to set when a profile no longer meets `only`."""

    set: dict[Name, Scalar] = Field(min_length=1)


AnyLeave: TypeAlias = Annotated[
    Annotated[Literal["keep", "clear"], Tag("text")] | Annotated[LeaveKeys, Tag("keys")],
    Discriminator(_form),
]


class MappingKeys(Keys):
    """One mapping: which of our profiles become which records of one CRM object."""

    later: ClassVar[frozenset[str]] = frozenset({"associate", "pull", "deals"})

    connection: Name = Field(description="A name under `connections` in crmsync.yaml.")
    source: Literal["profiles", "companies"] = Field("profiles", description="Whose data is sent.")
    object: Name = Field(description="The CRM's own name of the object, such as contacts.")
    match: dict[Name, Name] = Field(
        min_length=1,
        max_length=10,
        description="CRM field: our trait. Tried in this order while a profile has no link.",
    )
    trigger: AnyTrigger = Field("realtime", description="When changes are sent.")
    only: ConditionText | None = Field(
        None, description="Only profiles that meet this condition are sent."
    )
    mode: Literal["upsert", "update", "insert"] = Field(
        "upsert", description="upsert; update never creates; insert never overwrites."
    )
    on_leave: AnyLeave = Field(
        "keep", description="What to do with the record of a profile that no longer meets `only`."
    )
    fields: dict[Name, AnyField] = Field(
        min_length=1, max_length=1000, description="CRM field: our trait, or keys that make it."
    )


# --- crmsync.yaml --------------------------------------------------------------------------


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


class LimitKeys(Keys):
    """What the CRM's account may do, where it is more or less than the connector's default."""

    calls_per_10s: Amount | None = None
    calls_per_2s: Amount | None = None
    search_per_second: Amount | None = None
    search_per_2s: Amount | None = None
    daily_calls: Amount | None = None
    daily_tokens: Amount | None = None
    daily_credits: Amount | None = None
    concurrent_calls: Amount | None = None


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


class ConnectionKeys(Keys):
    """One CRM account."""

    connector: Name = Field(description="Which CRM it is.")
    auth: AuthKeys = Field(AuthKeys(), description="The credentials; secrets as ${NAME}.")
    base_url: str | None = Field(None, description="Another host for the API.")
    auth_url: str | None = Field(None, description="Another host for the token calls.")
    limits: LimitKeys = LimitKeys()
    quota: QuotaKeys = QuotaKeys()
    timing: TimingKeys = TimingKeys()


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
