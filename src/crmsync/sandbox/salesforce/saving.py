"""Writing one record: what was sent is read, checked against the org, and kept.

`read_row` knows the object type only, so that a whole call can be refused before anything is
written. `Saving` is one call's way of writing: who writes, when, and under which transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.org import Org
from crmsync.sandbox.salesforce.records import Record, Stamp, Table, Values
from crmsync.sandbox.salesforce.schema import ObjectType
from crmsync.sandbox.salesforce.wire import full_id, stamp

DUPLICATE_RULE_TYPES = ("Contact", "Lead")
_DUPLICATE_TEXT = (
    "You're creating a duplicate record. We recommend you use an existing record instead."
)
_PASSING = ("attributes", "id")


@dataclass(slots=True)
class Row:
    """What one record of a call asks for."""

    record_id: object = None
    """The `Id` in it, as it came."""
    changes: Values = field(default_factory=dict)
    parents: list[tuple[Field, str, object]] = field(default_factory=list)
    """References by external id: the reference field, the parent's key field and its value."""
    create_only: list[str] = field(default_factory=list)
    """Fields sent that no update may change."""


def read_row(object_type: ObjectType, given: Mapping[str, Any]) -> Row:
    """Read one record as sent; `Malformed` for what does not fit the type at all."""
    row = Row()
    for name, value in given.items():
        known = object_type.find(name)
        if known is not None and known.type != "id":
            if not known.createable:
                raise errors.read_only(known.name)
            if not known.updateable:
                row.create_only.append(known.name)
            row.changes[known.name] = object_type.checks[known.name](value)
        elif name.lower() == "id":
            row.record_id = value
        elif name.lower() not in _PASSING:
            _read_parent(object_type, row, name, value)
    return row


def _read_parent(object_type: ObjectType, row: Row, name: str, value: object) -> None:
    reference = object_type.find_relationship(name)
    if reference is None or not isinstance(value, dict):
        raise errors.no_such_field(name, object_type.name)
    if not reference.createable:
        raise errors.read_only(reference.name)
    keys = [(key, kept) for key, kept in value.items() if key != "attributes"]
    if len(keys) != 1:
        text = f"{name}: specify exactly one external id field of the parent"
        raise Refusal("INVALID_FIELD", text, [])
    row.parents.append((reference, *keys[0]))


class Saving:
    """One call's writes."""

    def __init__(
        self, org: Org, by: Stamp, transaction: Transaction, *, allow_duplicates: bool = False
    ) -> None:
        """Write in a transaction; `allow_duplicates` passes alerts of the duplicate rule."""
        self._org = org
        self._by = by
        self._allow_duplicates = allow_duplicates
        self.transaction = transaction

    def insert(self, table: Table, row: Row) -> Record:
        """Create a record."""
        changes = self._resolved(row)
        kept = {**table.type.defaults, **changes}
        missing = [name for name in table.type.required if kept.get(name) is None]
        if missing:
            raise errors.missing(missing)
        self._check(table, kept, None)
        record = table.insert(kept, self._by, self.transaction)
        if self._org.settings.row_locks:
            self._org.locks.created(self.transaction, record.id)
        return record

    def update(self, table: Table, record: Record, row: Row) -> None:
        """Change a record."""
        if row.create_only:
            raise errors.read_only(row.create_only[0])
        if record.deleted_at is not None:
            raise errors.deleted()
        if record.values.get("IsConverted"):
            text = "cannot reference converted lead"
            raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", text, [])
        changes = self._resolved(row)
        self._check(table, changes, record)
        table.put(record, changes, self._by, self.transaction)

    def delete(self, table: Table, record: Record) -> None:
        """Put a record, and what belongs to it, into the recycle bin."""
        if record.deleted_at is not None:
            raise errors.deleted()
        self._lock(table, record.values, record)
        self._org.delete(table, record, self._by, self.transaction)

    # --- checks -----------------------------------------------------------------------------

    def _resolved(self, row: Row) -> Values:
        changes = dict(row.changes)
        for reference, key_name, value in row.parents:
            changes[reference.name] = self._parent_id(reference, key_name, value)
        return changes

    def _parent_id(self, reference: Field, key_name: str, value: object) -> str:
        table = self._org.tables[reference.refers_to[0]]
        key_field = table.type.find(key_name)
        if key_field is None or not key_field.external_id:
            raise errors.no_such_field(key_name, table.type.name)
        found = self._org.matches(table, key_field.name, value, self.transaction)
        if len(found) != 1:
            raise errors.no_such_parent(str(value), key_field.name, table.type.name)
        return found[0].id

    def _check(self, table: Table, changes: Values, record: Record | None) -> None:
        """Check changes, and add to them what the org adds by itself."""
        held = record.values if record is not None else {}
        references = table.type.references
        for name in references.keys() & changes.keys():
            value = changes[name]
            if value is not None and value != held.get(name):
                self._check_reference(table, references[name], value)
        self._org.automation.run(table.type.name, changes, held, stamp(self._by.at))
        self._check_unique(table, changes, record)
        self._check_duplicates(table, changes, record)
        self._lock(table, changes, record)

    def _check_reference(self, table: Table, reference: Field, value: str) -> None:
        target = next(
            (
                self._org.tables[name]
                for name in reference.refers_to
                if value.startswith(self._org.tables[name].type.kind.prefix)
            ),
            None,
        )
        if target is None:
            raise errors.wrong_id(reference.label, reference.name, value)
        found = target.by_id.get(value)
        if found is None:
            raise errors.no_such_reference(reference.name)
        if found.deleted_at is not None:
            raise errors.deleted()
        is_user = target.type.name == "User"
        if reference.name == "OwnerId" and is_user and not found.values.get("IsActive"):
            owned = table.type.name.lower()
            text = f"operation performed with inactive user [{value}] as owner of {owned}"
            raise Refusal("INACTIVE_OWNER_OR_USER", text, [])

    def _check_unique(self, table: Table, changes: Values, record: Record | None) -> None:
        for unique in table.type.unique:
            value = changes.get(unique.name)
            if value is None:
                continue
            for holder in table.find_by(unique.name, value):
                if record is None or holder != record.id:
                    raise errors.taken(unique.name, holder)

    def _check_duplicates(self, table: Table, changes: Values, record: Record | None) -> None:
        rule = self._org.settings.duplicate_rule
        address = changes.get("Email")
        if rule == "off" or address is None or table.type.name not in DUPLICATE_RULE_TYPES:
            return
        if record is not None and record.values.get("Email") == address:
            return
        if rule == "alert" and self._allow_duplicates:
            return
        others = [
            holder
            for holder in table.find_by("Email", address)
            if record is None or holder != record.id
        ]
        if others:
            raise _duplicates(table.type.name, others, may_save=rule == "alert")

    def _lock(self, table: Table, changes: Values, record: Record | None) -> None:
        """Hold the row and what it refers to; refuse where somebody else does."""
        org, settings = self._org, self._org.settings
        held = record.values if record is not None else {}
        keys = [record.id] if record is not None else []
        for name in table.type.locking:
            for values in (held, changes):
                if values.get(name) is not None:
                    keys.append(values[name])  # noqa: PERF401 - two loops read better
        key = org.locks.held_on_order(keys)
        if key is None and settings.row_locks:
            key = org.locks.contended(self.transaction, keys)
            if key is not None and org.chance.random() >= settings.lock_failure_share:
                key = None
        if key is not None:
            if org.chance.random() < settings.lock_wrapped_share:
                raise errors.locked_in_trigger(table.type.name, key)
            raise errors.locked(key)
        org.locks.take(self.transaction, keys)


def id_of(table: Table, value: object) -> str:
    """Return the id a record was sent with, in 18 characters; refused where it is none of these."""
    if value is None:
        raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call", ["Id"])
    record_id = full_id(value) if isinstance(value, str) else None
    if record_id is None or not record_id.startswith(table.type.kind.prefix):
        raise errors.wrong_id(f"{table.type.name} ID", "Id", str(value))
    return record_id


def _duplicates(object_type: str, ids: Sequence[str], *, may_save: bool) -> Refusal:
    matches = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": object_type}, "Id": record_id},
        }
        for record_id in ids
    ]
    result = {
        "allowSave": may_save,
        "duplicateRule": f"Standard_{object_type}_Duplicate_Rule",
        "duplicateRuleEntityType": object_type,
        "errorMessage": _DUPLICATE_TEXT,
        "matchResults": [
            {
                "entityType": object_type,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": matches,
                "rule": f"Standard_{object_type}_Match_Rule",
                "size": len(matches),
                "success": True,
            }
        ],
    }
    return Refusal("DUPLICATES_DETECTED", _DUPLICATE_TEXT, None, duplicateResult=result)
