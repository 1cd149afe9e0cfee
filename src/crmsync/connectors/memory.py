"""A CRM that lives in this process: for tests and trials, and the shortest complete connector.

Connections of one name share one `MemoryCrm`, found by `MemoryCrm.named`. It keeps records by
object type and id, refuses unknown fields and a second holder of a unique value, counts the calls
it gets, and fails as a test asks it to.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.http import Observer, unobserved
from crmsync.connectors.throttle import Throttle, is_background
from crmsync.connectors.windows import Call, with_overrides
from crmsync.errors import CrmsyncError
from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Failure,
    Fields,
    FieldSchema,
    FieldType,
    ObjectSchema,
    Operation,
    Outcome,
    Page,
    Record,
    Result,
)

PAGE_RECORDS = 100
LIMITS = (Limit("calls_per_10s", 1_000_000, 10),)
EMAIL = FieldSchema("email", "E-mail", FieldType.EMAIL, unique=True)


@dataclass
class MemoryCrm:
    """The CRM's side: what it holds, and what it was asked."""

    schemas: dict[str, dict[str, FieldSchema]] = field(default_factory=dict)
    """By object type; a type springs into being with its first description."""
    records: dict[str, dict[CrmId, Record]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[CrmsyncError, bool]] = field(default_factory=list)
    """What the next calls raise, and whether they are carried out first."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    _by_name: ClassVar[dict[str, MemoryCrm]] = {}

    @classmethod
    def named(cls, name: str) -> MemoryCrm:
        """Return the CRM of the connections of this name."""
        return cls._by_name.setdefault(name, cls())

    @classmethod
    def forget(cls, name: str) -> None:
        """Begin anew under this name."""
        cls._by_name.pop(name, None)

    def fail_next(self, error: CrmsyncError, *, carried_out: bool = False) -> None:
        """Make one call raise; `carried_out` first does what it asked, as a lost answer would."""
        self.failures.append((error, carried_out))

    def save(self, object_type: str, crm_id: CrmId | None, fields: Fields) -> CrmId:
        """Keep the fields of a record, new where it has no id, and say when."""
        self._now += timedelta(milliseconds=1)
        crm_id = crm_id or CrmId(str(next(self._ids)))
        held = self.records.setdefault(object_type, {})
        old = held[crm_id].fields if crm_id in held else {}
        held[crm_id] = Record(crm_id, {**old, **fields}, self._now)
        return crm_id

    def find(self, object_type: str, key: Key) -> Record | None:
        """Return the record with this id, or with this value in a field, whatever its case."""
        held = self.records.get(object_type, {})
        if key.field is None:
            return held.get(CrmId(key.value))
        wanted = key.value.lower()
        named = (r for r in held.values() if str(r.fields.get(key.field)).lower() == wanted)
        return next(named, None)


class Memory:
    """A connection to a `MemoryCrm`. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(Action, 100),
        records_per_read=100,
        upserts_by=frozenset({"email"}),
        creates_fields=True,
    )

    @staticmethod
    def limits(connection: Connection) -> tuple[Limit, ...]:
        """Return a limit that nobody reaches unless crmsync.yaml lowers it."""
        return with_overrides(LIMITS, connection.limits)

    def __init__(
        self,
        connection: Connection,
        throttle: Throttle,
        _authorisation: Authorisation,
        _observe: Observer = unobserved,
    ) -> None:
        """Join the CRM of this connection's name."""
        self._crm = MemoryCrm.named(connection.name)
        self._name = connection.name
        self._throttle = throttle
        self._seconds = connection.timing.request_deadline_seconds

    def check(self) -> Account:
        """Answer for the CRM."""
        self._call("check")
        return Account(id=self._name, name=f"{self._name} (in memory)")

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the fields made so far."""
        self._call("describe")
        return ObjectSchema(object_type, dict(self._fields(object_type)))

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a field, unless there is one of that name."""
        self._call("create_field")
        self._fields(object_type).setdefault(field.name, field)

    def write(self, batch: Batch) -> list[Result]:
        """Carry out a batch."""
        if not batch.operations:
            return []
        lost = self._call("write")
        with self._crm.lock:
            results = [self._write_one(batch, operation) for operation in batch.operations]
        if lost:
            raise lost
        return results

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id or field."""
        if keys:
            self._call("read")
        with self._crm.lock:
            found = [self._crm.find(object_type, key) for key in keys]
        return [record and _only(record, fields) for record in found]

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, which is a time."""
        since = cursor or ""
        with self._crm.lock:
            held = list(self._crm.records.get(object_type, {}).values())
        changed = sorted((str(r.modified_at), r) for r in held if str(r.modified_at) > since)
        for start in range(0, len(changed), PAGE_RECORDS):
            self._call("changes")
            some = changed[start : start + PAGE_RECORDS]
            yield Page([_only(record, fields) for _, record in some], some[-1][0])

    def _call(self, name: str) -> CrmsyncError | None:
        """Count one call; raise what a test asked for, or return it when it is to follow."""
        grant = self._throttle.acquire(
            Call(background=is_background()),
            hold_seconds=self._seconds,
            patience_seconds=self._seconds,
        )
        self._throttle.release(grant)
        self._crm.calls[name] += 1
        if not self._crm.failures:
            return None
        error, carried_out = self._crm.failures.pop(0)
        if carried_out and name == "write":
            return error
        raise error

    def _fields(self, object_type: str) -> dict[str, FieldSchema]:
        return self._crm.schemas.setdefault(object_type, {EMAIL.name: EMAIL})

    def _write_one(self, batch: Batch, operation: Operation) -> Result:
        """Carry out one operation, or say why not."""
        object_type, fields = batch.object_type, dict(operation.fields)
        crm, schema = self._crm, self._fields(object_type)
        if batch.action is Action.ARCHIVE:
            crm.records.get(object_type, {}).pop(operation.crm_id or CrmId(""), None)
            return Result(Outcome.SUCCEEDED, operation.crm_id)
        unknown = next((name for name in fields if name not in schema), None)
        if unknown:
            return _rejected("PROPERTY_DOESNT_EXIST", "Make this field first.", unknown)
        crm_id = operation.crm_id
        if batch.action is Action.UPDATE and not crm.find(object_type, Key(str(crm_id))):
            return _rejected("OBJECT_NOT_FOUND", "The record was deleted.")
        if batch.action is Action.UPSERT and batch.match_field:
            fields.setdefault(batch.match_field, operation.match_value)
            found = crm.find(object_type, Key(str(operation.match_value), batch.match_field))
            crm_id = found.crm_id if found else None
        for name in (name for name in fields if schema[name].unique and fields[name]):
            holder = crm.find(object_type, Key(str(fields[name]), name))
            if holder and holder.crm_id != crm_id:
                result = _rejected("CONFLICT", "Another record holds this value.", name)
                return Result(result.outcome, failure=result.failure, existing_id=holder.crm_id)
        created = crm_id is None
        return Result(Outcome.SUCCEEDED, crm.save(object_type, crm_id, fields), created)


def _only(record: Record, fields: Sequence[str]) -> Record:
    values = {name: record.fields.get(name) for name in fields}
    return Record(record.crm_id, values, record.modified_at)


def _rejected(code: str, hint: str, name: str | None = None) -> Result:
    return Result(Outcome.REJECTED, failure=Failure(code, "refused", hint, field=name))
