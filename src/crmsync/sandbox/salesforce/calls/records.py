"""Records one at a time: create, read, change, delete, and by external id."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.calls.call import NO_CONTENT, Call, Json, saved
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.reading import attributes, shown_value
from crmsync.sandbox.salesforce.records import Record, Table
from crmsync.sandbox.salesforce.saving import Row, id_of, read_row
from crmsync.sandbox.salesforce.schema import refuse_writes
from crmsync.sandbox.salesforce.wire import full_id, record_url

_UPSERT_ANSWERS_SINCE = 46.0
"""The API version from which an upsert that updated answers 200 with a body, not 204."""


def create(call: Call) -> Answer:
    """Create a record."""
    refuse_writes(call.table.type, "inserted")
    row = read_new(call.table, call.body)
    record = call.saving.insert(call.table, row)
    return Answer.of(201, saved(record.id))


def read(call: Call) -> Answer:
    """Return a record; one that is deleted is not found."""
    record = call.table.find(full_id(call.path["id"]))
    if record is None:
        raise errors.no_such_resource()
    return Answer.of(200, _shown(call, record))


def update(call: Call) -> Answer:
    """Change a record."""
    refuse_writes(call.table.type, "updated")
    record = existing(call.table, id_of(call.table, call.path["id"]))
    row = read_row(call.table.type, call.body)
    _refuse_id(row)
    call.saving.update(call.table, record, row)
    return Answer(NO_CONTENT)


def delete(call: Call) -> Answer:
    """Put a record into the recycle bin."""
    refuse_writes(call.table.type, "deleted")
    record = existing(call.table, id_of(call.table, call.path["id"]))
    call.saving.delete(call.table, record)
    return Answer(NO_CONTENT)


def read_by_key(call: Call) -> Answer:
    """Return the record with an external id."""
    _, _, found = _matches(call)
    if not found:
        raise errors.no_such_resource()
    if len(found) > 1:
        return _choices(call, found)
    return Answer.of(200, _shown(call, found[0]))


def delete_by_key(call: Call) -> Answer:
    """Delete the record with an external id."""
    refuse_writes(call.table.type, "deleted")
    _, _, found = _matches(call)
    if not found:
        raise errors.no_such_resource()
    if len(found) > 1:
        return _choices(call, found)
    call.saving.delete(call.table, found[0])
    return Answer(NO_CONTENT)


def upsert(call: Call) -> Answer:
    """Change the record with an external id, or create it."""
    refuse_writes(call.table.type, "updated")
    key, value, found = _matches(call)
    row = read_row(call.table.type, call.body)
    _refuse_id(row)
    if key.name in row.changes:
        text = f"The external ID {key.name} should not be specified in the sobject data."
        raise Refusal("INVALID_FIELD", text)
    if len(found) > 1:
        return _choices(call, found)
    if found:
        call.saving.update(call.table, found[0], row)
        if float(call.version) < _UPSERT_ANSWERS_SINCE:
            return Answer(NO_CONTENT)
        return Answer.of(200, saved(found[0].id, created=False))
    if call.flag("updateOnly") or key.type == "id":
        raise errors.no_such_resource()
    row.changes[key.name] = value
    record = call.saving.insert(call.table, row)
    return Answer.of(201, saved(record.id, created=True))


def key_field(table: Table, name: str) -> Field:
    """Return the field a path names to find records by: an external id, or Id; 404 for others.

    Whether fields that are look-up ids only, such as Email, would do is not confirmed.
    """
    field = table.type.find(name)
    if field is None or not (field.external_id or field.type == "id"):
        raise errors.no_such_key(name)
    return field


def existing(table: Table, record_id: str) -> Record:
    """Return a record to be written, which may be deleted; 404 where there never was one."""
    record = table.by_id.get(record_id)
    if record is None:
        raise errors.no_such_resource()
    return record


def read_new(table: Table, given: Json) -> Row:
    """Read a record that is to be created."""
    row = read_row(table.type, given)
    if row.record_id is not None:
        text = "cannot specify Id in an insert call"
        raise Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", text, ["Id"])
    return row


def _refuse_id(row: Row) -> None:
    if row.record_id is not None:
        text = "The Id field should not be specified in the sobject data."
        raise Refusal("INVALID_FIELD", text)


def _matches(call: Call) -> tuple[Field, object, list[Record]]:
    table, key = call.table, key_field(call.table, call.path["key"])
    if key.type == "id":
        record = table.find(full_id(call.path["value"]))
        return key, None, [] if record is None else [record]
    value = table.type.checks[key.name](call.path["value"])
    return key, value, call.org.matches(table, key.name, value, call.transaction)


def _choices(call: Call, found: list[Record]) -> Answer:
    name = call.table.type.name
    return Answer.of(300, [record_url(call.version, name, record.id) for record in found])


def _shown(call: Call, record: Record) -> Json:
    object_type = call.table.type
    names = call.names("fields") or list(object_type.fields)
    fields = [object_type.find(name) for name in names]
    if call.names("fields") and None in fields:
        raise errors.no_such_field(names[fields.index(None)], object_type.name)
    shown: Json = {"attributes": attributes(object_type.name, record, call.version)}
    for field in fields:
        if field is not None:
            shown[field.name] = shown_value(record.values, field)
    return shown
