"""The contract between crmsync and a CRM: one Protocol and one declaration.

`sync` is the only caller. A connector speaks HTTP through `http.Transport` alone, holds no store,
and turns canonical values (`model.Value`) into its CRM's wire format and back.
A fifth CRM is one file beside this one and one line in `registry.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Deal,
    DealPage,
    FieldSchema,
    Hint,
    ObjectSchema,
    Owner,
    Page,
    Quota,
    Record,
    Result,
    Stage,
    Timing,
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a CRM can do, declared rather than found out midway."""

    records_per_call: Mapping[Action, int]
    """The largest batch of each action; an action that is absent cannot be done."""
    records_per_read: int
    upserts_by: frozenset[str] = frozenset()
    """Fields other than unique custom ones by which the CRM can upsert (HubSpot: `email`)."""
    creates_fields: bool = False
    """Whether `create_field` works."""
    together: Mapping[str, str] = field(default_factory=dict)
    """Object type: field. Records that name the same record there are sent side by side, since the
    CRM locks that one while it writes (Salesforce: a contact's account)."""
    reference_fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Object type: other object type: the field that holds the id of its record (Salesforce:
    `{"Contact": {"Account": "AccountId"}}`). Where there is none, `Action.ASSOCIATE` ties them."""
    merges: bool = False
    """Whether `merge` works."""
    sends_webhooks: bool = False
    """Whether it tells of changes by itself: `hints` and `watch` work."""
    field_steps: str = ""
    """What a person does to make a unique text field `{field}` of `{object}` by hand."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One rate limit of a vendor: at most `amount` in any `window_seconds`."""

    name: str
    """As the `limits:` key of crmsync.yaml names it, for example `calls_per_10s`."""
    amount: int
    window_seconds: float
    """0 for a limit on calls under way at once."""
    scope: str = "call"
    """Which calls it counts: `call` for all, else a route's own pool such as `search`."""
    unit: str = "call"
    """What it counts of them: `call` for one each, else what each says it costs: `token`."""
    reserve: float = 0.0
    """The share of it that work in the background leaves alone."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How a CRM tells us of changes."""

    url: str
    """Of `/hooks/{connection}`, as the CRM reaches it."""
    secret: str = field(repr=False)
    """What a delivery proves itself by; what exactly it is, is each CRM's own."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the CRM was asked to tell us of."""

    detail: str
    """For a person: what was set up, or was there already."""
    ends_at: datetime | None = None
    """When it has to be renewed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to `/hooks/{connection}`."""

    method: str
    url: str
    """As the CRM called it: with the public host."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """One authorised CRM account, as crmsync.yaml and the token store describe it."""

    name: str
    connector: str
    auth: Mapping[str, Any] = field(repr=False)
    base_url: str | None = None
    auth_url: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    timing: Timing = field(default_factory=Timing)
    webhooks: Webhooks | None = None
    remedy: str = ""
    """What a person does when its credentials are not accepted: names variable and command."""


@dataclass(frozen=True, slots=True)
class Key:
    """How to find one record: by `field` = `value`, or by the CRM's id where `field` is None."""

    value: str
    field: str | None = None


class Connector(Protocol):
    """Code for one CRM. Calls raise `errors.RetryLater`, `OutcomeUnknown`, `ConnectionHalted`."""

    capabilities: Capabilities

    def check(self) -> Account:
        """Prove that the credentials work, with one read."""
        ...

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live fields of an object type; `ConfigError` when the CRM has no such type."""
        ...

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom field; one that exists with the same name is left as it is."""
        ...

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call; return one result per operation, in the same order.

        Raises `BatchRejected` when the CRM refused all of it for the sake of some.
        Never sends twice: whether a lost answer may be repeated is the caller's decision.
        """
        ...

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records fresh from the CRM's primary store, one call per `records_per_read` keys.

        Which record has a key may be answered from what the connector saw itself, no longer ago
        than `timing.freshness_seconds`; search indexes that lag are not enough.

        All keys name the same field. Returns one entry per key, in the same order; None where no
        record has it.
        """
        ...

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, oldest first, with the fields asked for.

        Each change at least once, however often its moment was shared, as it was committed late or
        as the CRM's index lags. What is gone is among them where the CRM lists it. The first time,
        without a cursor, everything there is. Every page's cursor is safe to go on from; the
        fewest calls that the CRM allows.
        """
        ...

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield the deals that changed since the cursor, or whose people did, as `changes` does.

        `fields`: the CRM's names of deal fields. With the people on them, whole.
        """
        ...

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read deals fresh; one that is gone as deleted. In any order, each once."""
        ...

    def describe_deals(self) -> ObjectSchema:
        """Return the live fields of deals, whatever the CRM calls the object."""
        ...

    def owners(self) -> list[Owner]:
        """Return every user of the CRM, also who left."""
        ...

    def stages(self) -> list[Stage]:
        """Return the steps of all pipelines of deals."""
        ...

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Make one record of two; return its id. Where one of them is gone, that is done already.

        Raises `ConfigError` where the CRM has no such call.
        """
        ...

    def hints(self, delivery: Delivery) -> list[Hint]:
        """Return which records a webhook's delivery is about.

        Raises `Forged` for one that is not from the CRM, was altered, or is too old.
        """
        ...

    def watch(self, object_types: Sequence[str]) -> Watch:
        """See to it that the CRM tells us of changes; keep what is there and right.

        `object_types`: as `Hint` names them. Raises `ConfigError` with the steps that a person
        takes, where the API cannot.
        """
        ...

    def unwatch(self) -> None:
        """Take down what `watch` set up."""
        ...
