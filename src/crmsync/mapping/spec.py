"""What may stand in a mapping file: names, shapes and descriptions.

The one source for the loader, which checks files against it (`shape`), and for the JSON Schema
that editors complete from (`schema`). What depends on more than one key is checked in `compile`.
The keys of crmsync.yaml are in `project_spec`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

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
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]
ConditionText: TypeAlias = Annotated[
    str, Field(description='A condition, such as plan = "pro" AND visits > 5.')
]


class Keys(BaseModel):
    """A set of keys: closed, and with no silent change of type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


def _form(value: object) -> str | None:
    """Tell the short form of a setting (a text) from the long one (keys) and from a list."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "keys" if isinstance(value, dict | Keys) else None


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
    conflict: Literal["ours", "theirs", "newest", "only_if_empty"] = Field(
        "ours",
        description="Who wins: always ours; theirs or the newest, which reads the field back too; "
        "or ours only while the CRM's field is empty.",
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


class DealFieldKeys(Keys):
    """Which CRM field a trait is read from, and what their values are called here."""

    from_: Name = Field(alias="from", description="The CRM's field to read.")
    map: dict[str, Scalar] | None = Field(
        None, min_length=1, description="The CRM's values and ours for them."
    )


class PullKeys(DealFieldKeys):
    """Which CRM field a trait is read from, what their values are called here, and who wins."""

    conflict: Literal["theirs", "newest", "only_if_empty"] = Field(
        "theirs",
        description="Who wins: always theirs; the newest; theirs only while the trait is empty.",
    )


AnyDealField: TypeAlias = Annotated[
    Annotated[Name, Tag("text")] | Annotated[DealFieldKeys, Tag("keys")], Discriminator(_form)
]
AnyPull: TypeAlias = Annotated[
    Annotated[Name, Tag("text")] | Annotated[PullKeys, Tag("keys")], Discriminator(_form)
]


class DealKeys(Keys):
    """What of a person's deals is read back."""

    pick: Literal["latest_open", "largest_open", "latest"] = Field(
        "latest_open", description="Which of a person's deals speaks for them."
    )
    none_open: Literal["latest_closed", "empty"] = Field(
        "latest_closed",
        description="While no deal is open: the one closed last counts, or the traits are empty.",
    )
    pull: dict[Name, AnyDealField] = Field(
        min_length=1, max_length=100, description="Our trait: field of the deal, or keys."
    )


class GuardKeys(Keys):
    """How much of a sync's records a run may change before it stops and asks."""

    changed: Share | None = Field(
        None,
        description="The share in which fields that hold a value may get another one. Without it "
        "half of them, and only in what follows from a changed mapping or a backfill.",
    )
    cleared: Share | None = Field(
        None, description="The share in which fields that hold a value may be emptied; else 0.2."
    )
    at_least: int | None = Field(
        None,
        ge=0,
        description="So many records may always be changed; else 100, and 500 where `changed` is "
        "not set.",
    )


AnyNames: TypeAlias = Annotated[
    Annotated[Name, Tag("text")]
    | Annotated[list[Name], Field(min_length=1, max_length=20), Tag("list")],
    Discriminator(_form),
]


_K = TypeVar("_K", FieldKeys, DealFieldKeys, PullKeys)


def long_form(keys: type[_K], given: str | _K) -> _K:
    """Return the keys that a line says, be it a name alone."""
    return keys.model_validate({"from": given}) if isinstance(given, str) else given


class MappingKeys(Keys):
    """One mapping: which of our profiles become which records of one CRM object."""

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
    associate: dict[Name, Name] = Field(
        {},
        min_length=1,
        max_length=10,
        description="The CRM's other object: the sync by which our companies become its records.",
    )
    unless_linked: AnyNames | None = Field(
        None, description="Syncs: who has a record by one of them is not sent by this one."
    )
    pull: dict[Name, AnyPull] = Field(
        {}, min_length=1, max_length=1000, description="Our trait: CRM field to read, or keys."
    )
    deals: DealKeys | None = Field(None, description="What of a person's deals is read back.")
    drift: Literal["report", "reassert"] = Field(
        "report",
        description="Where somebody changed a field that is ours: told, or sent again at once.",
    )
    on_delete: Literal["suppress", "recreate"] = Field(
        "suppress",
        description="Where a record was deleted in the CRM: not sent again, or made anew.",
    )
    on_merge: Literal["keep", "merge_in_crm"] = Field(
        "keep",
        description="Where two people turn out to be one: their records stay two, or are merged.",
    )
    on_duplicate: Literal["report", "merge"] = Field(
        "report",
        description="Where another record has the key of somebody who has one: told, or merged.",
    )
    reconcile: bool = Field(
        default=True,
        description="Whether all its records are compared with the CRM's now and then.",
    )
    guard: GuardKeys = Field(
        GuardKeys(), description="When a run stops and asks, where not as in crmsync.yaml."
    )


def names_of(given: AnyNames | None) -> list[str]:
    """Return the names that a key lists, be it one alone or none."""
    if given is None:
        return []
    return [given] if isinstance(given, str) else given
