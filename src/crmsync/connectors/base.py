"""The contract between crmsync and a CRM: one Protocol, five calls and one declaration.

`sync` is the only caller. A connector speaks HTTP through `http.Transport` alone, holds no store,
and turns canonical values (`model.Value`) into its CRM's wire format and back.
A fifth CRM is one file beside this one and one line in `registry.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from crmsync.model import (
    Account,
    Action,
    Batch,
    FieldSchema,
    ObjectSchema,
    Page,
    Quota,
    Record,
    Result,
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
        """Yield what changed since the cursor, oldest first, with the fields asked for."""
        ...
