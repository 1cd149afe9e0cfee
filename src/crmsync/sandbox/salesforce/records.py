"""The records of one object type: kept, found by their keys, changed, taken back.

Nothing here checks anything; `saving` does. Every change adds to the transaction's `undo` how to
take it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.schema import ObjectType
from crmsync.sandbox.salesforce.wire import make_id, stamp

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and by whom something is written."""

    at: int
    """Seconds since 1970."""
    user_id: str
    kept: bool
    """Whether the record's history remembers it."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write as the history keeps it."""

    changes: Mapping[str, Any]
    at: int
    user_id: str


@dataclass(slots=True, eq=False)
class Record:
    """One record. `values` is replaced by a write, never changed, so others may hold on to it."""

    id: str
    values: Values
    """By field, system fields included; a field without a value may be absent."""
    deleted_at: int | None = None
    merged_into: str | None = None
    history: list[Write] = field(default_factory=list)


class Table:
    """All records of one object type, deleted ones included."""

    def __init__(self, object_type: ObjectType) -> None:
        """Start empty."""
        self.type = object_type
        self.by_id: dict[str, Record] = {}
        """In the order of creation."""
        self._next_number = 1
        self._indexes: dict[str, dict[Any, list[str]]] = {}
        self.reindex()

    # --- finding ----------------------------------------------------------------------------

    def find(self, record_id: str | None) -> Record | None:
        """Return a live record."""
        record = self.by_id.get(record_id) if record_id else None
        return record if record is not None and record.deleted_at is None else None

    def find_by(self, name: str, value: object) -> list[str]:
        """Return the ids of live records that hold a value of an indexed field."""
        return self._indexes[name].get(self.type.fields[name].key(value), [])

    def live(self) -> Iterator[Record]:
        """Yield the records that are not deleted."""
        return (record for record in self.by_id.values() if record.deleted_at is None)

    def count(self) -> int:
        """Return how many records are not deleted."""
        return sum(1 for _ in self.live())

    # --- changing ---------------------------------------------------------------------------

    def insert(
        self, values: Values, by: Stamp, transaction: Transaction, record_id: str | None = None
    ) -> Record:
        """Add a record; the id is the next one, unless one is given."""
        if record_id is None:
            record_id = make_id(self.type.kind.prefix, self._next_number)
            self._next_number += 1
        moment = stamp(by.at)
        kept = {
            **values,
            "Id": record_id,
            "IsDeleted": False,
            "CreatedDate": moment,
            "CreatedById": by.user_id,
            "LastModifiedDate": moment,
            "LastModifiedById": by.user_id,
            "SystemModstamp": moment,
        }
        record = Record(record_id, kept)
        self.by_id[record_id] = record
        self._hold(record)
        if by.kept:
            record.history.append(Write(values, by.at, by.user_id))
        transaction.undo.append(lambda: self._forget(record))
        return record

    def put(self, record: Record, changes: Values, by: Stamp, transaction: Transaction) -> None:
        """Change a record's values."""
        moment = stamp(by.at)
        modified = {
            "LastModifiedDate": moment,
            "LastModifiedById": by.user_id,
            "SystemModstamp": moment,
        }
        self._replace(record, {**record.values, **changes, **modified}, transaction)
        if by.kept:
            record.history.append(Write(changes, by.at, by.user_id))
            transaction.undo.append(lambda: _drop_last(record))

    def touch(self, record: Record, at: int) -> None:
        """Move a record's SystemModstamp and nothing else."""
        record.values = {**record.values, "SystemModstamp": stamp(at)}

    def backdate(self, record: Record, at: int) -> None:
        """Move a record's last change to another time."""
        moved = {"SystemModstamp": stamp(at), "LastModifiedDate": stamp(at)}
        record.values = {**record.values, **moved}

    def delete(
        self, record: Record, by: Stamp, transaction: Transaction, merged_into: str | None = None
    ) -> None:
        """Put a record into the recycle bin; its keys are free."""
        self._release(record)
        record.deleted_at, record.merged_into = by.at, merged_into
        before, moment = record.values, stamp(by.at)
        record.values = {**before, "IsDeleted": True, "SystemModstamp": moment}
        if merged_into is not None:
            record.values["MasterRecordId"] = merged_into

        def take_back() -> None:
            record.deleted_at, record.merged_into, record.values = None, None, before
            self._hold(record)

        transaction.undo.append(take_back)

    def undelete(self, record: Record, at: int) -> None:
        """Take a record out of the recycle bin; its keys are its own again."""
        record.deleted_at = record.merged_into = None
        freed = {"IsDeleted": False, "SystemModstamp": stamp(at), "MasterRecordId": None}
        record.values = {**record.values, **freed}
        self._hold(record)

    def _replace(self, record: Record, values: Values, transaction: Transaction) -> None:
        before = record.values
        moves = any(before.get(field.name) != values.get(field.name) for field in self.type.indexed)
        if moves:
            self._release(record)
        record.values = values
        if moves:
            self._hold(record)

        def take_back() -> None:
            self._release(record)
            record.values = before
            self._hold(record)

        transaction.undo.append(take_back)

    def _forget(self, record: Record) -> None:
        self._release(record)
        del self.by_id[record.id]

    # --- keys -------------------------------------------------------------------------------

    def reindex(self) -> None:
        """Find records by the fields that are indexed now."""
        self._indexes = {field.name: {} for field in self.type.indexed}
        for record in self.live():
            self._hold(record)

    def _hold(self, record: Record) -> None:
        for indexed in self.type.indexed:
            value = record.values.get(indexed.name)
            if value is not None:
                keys = self._indexes[indexed.name]
                keys.setdefault(indexed.key(value), []).append(record.id)

    def _release(self, record: Record) -> None:
        for indexed in self.type.indexed:
            value = record.values.get(indexed.name)
            if value is not None:
                keys, key = self._indexes[indexed.name], indexed.key(value)
                keys[key].remove(record.id)
                if not keys[key]:
                    del keys[key]

    # --- for another day --------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return records and custom fields as JSON, without histories."""
        return {
            "next_number": self._next_number,
            "fields": [asdict(f) for f in self.type.fields.values() if f.custom],
            "records": [
                {"id": r.id, "values": r.values, "deleted_at": r.deleted_at,
                 "merged_into": r.merged_into}
                for r in self.by_id.values()
            ],
        }  # fmt: skip

    def load_records(self, snapshot: Mapping[str, Any]) -> None:
        """Hold the records of a snapshot, in place of all that was held."""
        self.by_id = {saved["id"]: Record(**saved) for saved in snapshot["records"]}
        self._next_number = snapshot["next_number"]
        self.reindex()


def _drop_last(record: Record) -> None:
    record.history.pop()
