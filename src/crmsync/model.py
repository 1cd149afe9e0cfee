"""The nouns that cross rooms: what an event, a profile, an operation and a result are.

Every room may import this one; it imports nothing of crmsync.
All times are aware datetimes in UTC; a name that ends in `_seconds` says its unit.
A `Value` is a field's content in crmsync's canonical form, which survives JSON unchanged;
`planning.normalise` makes it and each connector turns it into its CRM's wire format and back.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType, TypeAlias

ProfileId = NewType("ProfileId", str)
"""26 characters of lower-case base32hex: sorts by time of making, safe where case is ignored."""
LinkId = NewType("LinkId", int)
RunId = NewType("RunId", int)
CrmId = NewType("CrmId", str)

Value: TypeAlias = str | int | float | bool | list[str] | None
Fields: TypeAlias = Mapping[str, Value]
Facts: TypeAlias = Mapping[str, Any]
"""Everything a mapping can read of one profile, by name: traits, statistics, derived names."""


def new_profile_id() -> ProfileId:
    """Return a fresh id: 48 bits of milliseconds, then 80 random bits."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return ProfileId(base64.b32hexencode(number.to_bytes(16, "big")).decode().rstrip("=").lower())


# --- what comes in -------------------------------------------------------------------------


class EventType(StrEnum):
    """The calls of the tracking specification."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


@dataclass(frozen=True, slots=True)
class Event:
    """One inbound call, checked and in one shape whatever client sent it."""

    type: EventType
    source: str
    """Which write key or file it came by."""
    message_id: str
    at: datetime
    """When it happened, after clock correction and clamping."""
    body_sha256: bytes
    """Of the body without what a retry changes (`sentAt`)."""
    user_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    """Lower-cased; from the traits or from an e-mail used as user id."""
    previous_id: str | None = None
    group_id: str | None = None
    session_id: str | None = None
    name: str | None = None
    """Of a track event, page or screen."""
    traits: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


class ProfileKind(StrEnum):
    """What a profile is about; a mapping's `source` names one of them in the plural."""

    PERSON = "person"
    COMPANY = "company"


class IdentifierKind(StrEnum):
    """What sort of value names a profile."""

    USER_ID = "user_id"
    EMAIL = "email"
    ANONYMOUS_ID = "anonymous_id"
    GROUP_ID = "group_id"
    COMPANY_ID = "company_id"
    COMPANY_NAME = "company_name"
    """Normalised; provisional, until an id is known."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A typed value naming a profile; unique over all profiles."""

    kind: IdentifierKind
    value: str


@dataclass(frozen=True, slots=True)
class TraitSource:
    """Where a trait's value came from: decides which of two values is newer, and explains it."""

    at: datetime
    origin: str
    """`source:<name>` for events, `connection:<name>` for what a CRM said."""
    message_id: str


@dataclass(slots=True)
class Profile:
    """Our unified person or company, as stored; the fold of events changes it in place."""

    id: ProfileId
    kind: ProfileKind = ProfileKind.PERSON
    version: int = 0
    user_id: str | None = None
    email: str | None = None
    company_id: ProfileId | None = None
    """The company profile this person belongs to."""
    traits: dict[str, Any] = field(default_factory=dict)
    trait_sources: dict[str, TraitSource] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    """See `identity.statistics`: sessions, pages_viewed, goals_completed, revenue, ..."""
    created_at: datetime | None = None
    identified_at: datetime | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None


# --- what a CRM looks like -----------------------------------------------------------------


class FieldType(StrEnum):
    """What sort of value a CRM field takes; decides how values are normalised and compared."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    PICKLIST = "picklist"
    MULTI_PICKLIST = "multi_picklist"
    REFERENCE = "reference"
    """The id of another record or of an owner."""


class Directory(StrEnum):
    """A list of a CRM's own that a field's values are ids of; people know them by name."""

    OWNERS = "owners"
    """Its users: known by e-mail."""
    STAGES = "stages"
    """The steps of its pipelines: known by label."""


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field of a CRM object, as the CRM describes it."""

    name: str
    label: str
    type: FieldType
    writable: bool = True
    required: bool = False
    unique: bool = False
    max_length: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    """(value, label) of each choice of a picklist."""
    whole_seconds: bool = False
    """Whether a date and time is kept without its fraction of a second."""
    directory: Directory | None = None
    """What its values are ids of, where people would not know them by the id."""


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """One CRM object and its fields."""

    object_type: str
    fields: Mapping[str, FieldSchema]


@dataclass(frozen=True, slots=True)
class Account:
    """Who answered when a connection was checked."""

    id: str
    name: str
    detail: str = ""


# --- who we are to a CRM -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a CRM granted a connection; kept sealed."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    """None where the grant is asked for anew each time, or cannot be."""
    lifetime_seconds: float | None = None
    """Of the access token, from when it was granted; None where the CRM does not say."""
    host: str | None = None
    """The API's address, as the CRM named it."""
    auth_host: str | None = None
    """Where tokens are renewed, where that is not the vendor's usual place."""
    client_id: str = ""
    """The app it was granted to; empty for a token that a person copied out of the CRM."""
    given: str | None = field(default=None, repr=False)
    """A hash of the secrets that stood in crmsync.yaml, so that others there are taken up."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a CRM grants a connection nothing any more; see `errors.ConnectionHalted`."""

    cause: str
    message: str
    hint: str
    client_id: str = ""
    given: str | None = field(default=None, repr=False)
    """As in Tokens: whose refusal it is."""


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """A connection's tokens as they are kept, by the clock of whoever keeps them."""

    version: int = 0
    tokens: Tokens | None = None
    age_seconds: float = 0.0
    """Since the tokens were kept."""
    refusal: Refusal | None = None
    """Set where the CRM does not renew this version."""
    refused_seconds_ago: float = 0.0


# --- what goes out -------------------------------------------------------------------------


class Action(StrEnum):
    """One way to write a record."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    ARCHIVE = "archive"
    ASSOCIATE = "associate"
    """Tie a record to one of another object: only where a field of the record does not say so."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One write to send."""

    link_id: LinkId
    action: Action
    fields: Fields
    """What to write: canonical values, None clears. Only what differs, where a record is linked.
    To associate: the other object and the id of its record."""
    crm_id: CrmId | None = None
    """The record to write: set for update, archive and associate."""
    match_value: str | None = None
    """The value of the batch's `match_field`: set for upsert."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations of one action on one object type that fit one call."""

    object_type: str
    action: Action
    operations: Sequence[Operation]
    match_field: str | None = None
    """The unique field by which records are upserted; the other object of associations."""


class Outcome(StrEnum):
    """What became of an operation."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    """Nothing needed to be sent."""
    RETRY = "retry"
    """Surely not applied; will be sent again."""
    UNKNOWN = "unknown"
    """Perhaps applied; will be looked at after the settle time."""
    REJECTED = "rejected"
    """Refused for what this record holds; will not pass unchanged."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation did not succeed, in the CRM's own words and in ours."""

    code: str
    """The CRM's code, or ours where it gave none."""
    message: str
    """The CRM's own words, without secrets. May hold personal data: stored encrypted."""
    hint: str
    """What to do about it."""
    field: str | None = None
    """The CRM field at fault, if one is."""
    excerpt: str = ""
    """The part of the CRM's answer that said so, cut to size, without secrets."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one operation of a batch. One per operation, in the same order."""

    outcome: Outcome
    crm_id: CrmId | None = None
    created: bool = False
    failure: Failure | None = None
    existing_id: CrmId | None = None
    """For a rejected create or upsert: the record that already holds the unique value."""
    is_gone: bool = False
    """Rejected because there is no such record any more: deleted, merged into another, converted.
    `read` tells which."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the CRM holds it now, canonical values, only the fields asked for.

    Read by an id that was merged into another record, it is that other one.
    """

    crm_id: CrmId
    fields: Fields
    modified_at: datetime | None = None
    """Of any of its fields, by whomever."""
    is_deleted: bool = False
    """Listed among changes because it is gone; its fields are empty."""
    successor: CrmId | None = None
    """Of a deleted record: the one it was merged into, where the CRM says."""
    former_ids: tuple[CrmId, ...] = ()
    """Of records that were merged into it, where the CRM says."""
    is_converted: bool = False
    """A lead that became a contact: it takes no more writes."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records changed since a cursor, and where to go on."""

    records: Sequence[Record]
    cursor: str


# --- what salespeople do -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of the CRM, to whom records belong."""

    id: str
    email: str
    """Empty where the CRM does not say."""
    name: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline that deals go through."""

    id: str
    """As deals name it."""
    label: str
    pipeline_id: str = ""
    """Empty where the CRM's stages are those of all pipelines."""
    pipeline: str = ""
    position: int = 0


class DealStatus(StrEnum):
    """Whether a deal is still to be decided."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal as the CRM holds it now."""

    crm_id: CrmId
    people: tuple[CrmId, ...] = ()
    """Ids of the people on it, the main one first."""
    status: DealStatus = DealStatus.OPEN
    amount: float | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    closed_at: datetime | None = None
    fields: Fields = field(default_factory=dict)
    """Those asked for, canonical: ids of owners and stages as they are."""
    is_deleted: bool = False
    """It is gone; nothing else of it is known."""


@dataclass(frozen=True, slots=True)
class DealPage:
    """Deals changed since a cursor, and where to go on."""

    deals: Sequence[Deal]
    cursor: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A CRM says that a record was changed: a reason to read it, nothing more."""

    object_type: str
    """As mappings name it; `deals` for a deal, whatever the CRM calls it."""
    crm_id: CrmId
    at: datetime
    """When it was changed, as the CRM says."""
    key: str
    """The same for every delivery of one event."""
    successor: CrmId | None = None
    """The record that it was merged into, where the CRM says so only here."""


# --- how it is done ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of what a CRM grants its whole account crmsync may use."""

    daily_share: float = 0.8
    """Of the account's allowance for a day; the rest is left to others."""
    realtime_reserve: float = 0.2
    """Of our share, and of every other rate limit: kept for real-time work during a backfill."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take; request deadline < lease < settle time (docs/reliability.md)."""

    request_deadline_seconds: float = 30.0
    lease_seconds: float = 120.0
    settle_seconds: float = 300.0
    sweep_seconds: float = 15.0
    """How often due work is looked for without a bell."""
    linger_seconds: float = 2.0
    """How long a real-time change waits for others, so that a burst is one write."""
    pull_seconds: float = 300.0
    """How often a CRM is asked what changed; its webhooks are faster, and may get lost."""
    reread_seconds: float = 86_400.0
    """How often everything is read from the beginning: a formula changes without its record."""

    @property
    def patience_seconds(self) -> float:
        """How long one call may wait for the rate budget."""
        slack = self.lease_seconds - self.request_deadline_seconds
        return min(self.request_deadline_seconds, slack / 6)

    @property
    def longest_call_seconds(self) -> float:
        """Within which a call surely ends: well within a lease.

        Patience counts twice, since the place where the budget is counted may be lost midway.
        """
        return self.request_deadline_seconds + 2 * self.patience_seconds

    @property
    def freshness_seconds(self) -> float:
        """How old may be what a connector answers a look-up with, from a list of its own."""
        return self.settle_seconds / 100

    @property
    def landed_seconds(self) -> float:
        """When a look-up shows whatever came of a create, counted from where it was begun."""
        return self.settle_seconds + self.freshness_seconds

    @property
    def renew_below_seconds(self) -> float:
        """Renew a lease when less than this is left: while a call may still begin under it."""
        return self.longest_call_seconds + self.lease_seconds / 4


class RunTrigger(StrEnum):
    """What opened a run."""

    REALTIME = "realtime"
    HOURLY = "hourly"
    DAILY = "daily"
    CRON = "cron"
    EVENT = "event"
    BACKFILL = "backfill"
    COMMAND = "command"
    PULL = "pull"
    """What the CRM changed was read."""
