"""What goes out and what is read: operations, results, records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crmsync.model.ids import CrmId, Fields, LinkId


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
