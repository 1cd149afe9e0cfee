"""A CRM that lives in this process: for tests and trials, and the shortest complete connector.

It keeps records by object type and id (`memory_crm`), and refuses unknown fields and a second
holder of a unique value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from crmsync.connectors.answers import Observer, unobserved
from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.connectors.records_only import RecordsOnly
from crmsync.connectors.throttle import Throttle, is_background
from crmsync.connectors.windows import Call, with_overrides
from crmsync.errors import CrmsyncError
from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Deal,
    DealPage,
    Directory,
    Failure,
    FieldSchema,
    FieldType,
    ObjectSchema,
    Operation,
    Outcome,
    Owner,
    Page,
    Record,
    Result,
    Stage,
)

PAGE_RECORDS = 100
LIMITS = (Limit("calls_per_10s", 1_000_000, 10),)
DEAL_FIELDS = {
    "stage": FieldSchema("stage", "Stage", FieldType.PICKLIST, directory=Directory.STAGES),
    "owner": FieldSchema("owner", "Owner", FieldType.REFERENCE, directory=Directory.OWNERS),
    "amount": FieldSchema("amount", "Amount", FieldType.NUMBER),
}
EMAIL = FieldSchema("email", "E-mail", FieldType.EMAIL, unique=True)


class Memory(RecordsOnly):
    """A connection to a `MemoryCrm`. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(Action, 100),
        records_per_read=100,
        upserts_by=frozenset({"email"}),
        creates_fields=True,
        merges=True,
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

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield what changed since the cursor, which is a time."""
        with self._crm.lock:
            held = [(str(d.modified_at), d) for d in self._crm.deals.values()]
        changed = sorted(((at, d) for at, d in held if at > (cursor or "")), key=lambda one: one[0])
        for start in range(0, len(changed), PAGE_RECORDS):
            self._call("deals")
            some = changed[start : start + PAGE_RECORDS]
            yield DealPage([_only_deal(deal, fields) for _, deal in some], some[-1][0])

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read deals."""
        self._call("deals_by_id")
        held = self._crm.deals
        gone = [Deal(i, is_deleted=True) for i in ids if i not in held]
        return [*(_only_deal(held[i], fields) for i in ids if i in held), *gone]

    def describe_deals(self) -> ObjectSchema:
        """Return the fields of deals."""
        self._call("describe")
        return ObjectSchema("deals", DEAL_FIELDS)

    def owners(self) -> list[Owner]:
        """Return the users."""
        self._call("owners")
        return list(self._crm.owners)

    def stages(self) -> list[Stage]:
        """Return the stages."""
        self._call("stages")
        return list(self._crm.stages)

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Make one record of two."""
        self._call("merge")
        with self._crm.lock:
            self._crm.merge(object_type, winner, loser)
        return winner

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
        if batch.action is Action.ASSOCIATE:
            return self._tie(batch, operation)
        unknown = next((name for name in fields if name not in schema), None)
        if unknown:
            return _rejected("PROPERTY_DOESNT_EXIST", "Make this field first.", unknown)
        crm_id = operation.crm_id
        if batch.action is Action.UPDATE and crm.is_gone(object_type, crm_id):
            return replace(_rejected("OBJECT_NOT_FOUND", "It was deleted."), is_gone=True)
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
        crm.written += 1
        return Result(Outcome.SUCCEEDED, crm.save(object_type, crm_id, fields), created)

    def _tie(self, batch: Batch, operation: Operation) -> Result:
        for other, crm_id in operation.fields.items():
            if operation.crm_id is not None:
                tie = (batch.object_type, operation.crm_id, other, CrmId(str(crm_id)))
                self._crm.ties.add(tie)
        return Result(Outcome.SUCCEEDED, operation.crm_id)


def _only(record: Record, fields: Sequence[str]) -> Record:
    if record.is_deleted:
        return record
    return replace(record, fields={name: record.fields.get(name) for name in fields})


def _only_deal(deal: Deal, fields: Sequence[str]) -> Deal:
    return replace(deal, fields={name: deal.fields.get(name) for name in fields})


def _rejected(code: str, hint: str, name: str | None = None) -> Result:
    return Result(Outcome.REJECTED, failure=Failure(code, "refused", hint, field=name))
