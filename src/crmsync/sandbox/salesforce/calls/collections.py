"""sObject collections: up to 200 records in a call, each with a result of its own.

Answers have the order of the request and are 200 even when every record failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from crmsync.sandbox.http import Answer
from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.calls.call import Call, Json, objects_of, saved
from crmsync.sandbox.salesforce.calls.records import key_field, read_new
from crmsync.sandbox.salesforce.errors import Malformed, Refusal
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.reading import attributes, shown_value
from crmsync.sandbox.salesforce.records import Table
from crmsync.sandbox.salesforce.saving import Row, id_of, read_row
from crmsync.sandbox.salesforce.schema import refuse_writes
from crmsync.sandbox.salesforce.wire import full_id

MAX_RECORDS = 200
MAX_READ = 2000
_MAX_CHUNKS = 10
_UPSERT_SINCE = 46.0

_Entry = tuple[Table, Row | Refusal]
_Write = Callable[[Table, Row], Json]


def create(call: Call) -> Answer:
    """Create records, of several types if need be."""
    entries = [_entry(call, t, item, read_new) for t, item in _typed(call, "inserted")]

    def write(table: Table, row: Row) -> Json:
        return saved(call.saving.insert(table, row).id)

    return _answer(call, entries, write)


def update(call: Call) -> Answer:
    """Change records by their ids."""
    entries = [_entry(call, t, item, _read) for t, item in _typed(call, "updated")]
    _refuse_repeated(entries, lambda row: row.record_id, "Id")

    def write(table: Table, row: Row) -> Json:
        record = table.by_id.get(id_of(table, row.record_id))
        if record is None:
            raise errors.no_such_reference("Id")
        call.saving.update(table, record, row)
        return saved(record.id)

    return _answer(call, entries, write)


def upsert(call: Call) -> Answer:
    """Change the records that an external id finds, and create those it does not."""
    if float(call.version) < _UPSERT_SINCE:
        raise errors.no_such_resource()
    table, key = call.table, key_field(call.table, call.path["key"])
    entries = []
    for given, item in _typed(call, "updated"):
        if given is not table:
            text = f"Mismatched type: {given.type.name} in a call for {table.type.name}"
            raise Refusal("INVALID_TYPE", text)
        entries.append(_entry(call, table, item, _read))
    if key.type != "id":
        _refuse_repeated(entries, lambda row: key.key(row.changes.get(key.name)), key.name)
    return _answer(call, entries, lambda _, row: _upsert(call, key, row))


def _upsert(call: Call, key: Field, row: Row) -> Json:
    table = call.table
    if key.type == "id":
        if row.record_id is None:
            return saved(call.saving.insert(table, row).id, created=True)
        found = [table.by_id[one] for one in [id_of(table, row.record_id)] if one in table.by_id]
        if not found:
            raise errors.no_such_reference("Id")
    else:
        if row.record_id is not None:
            text = "The Id field should not be specified in the sobject data."
            raise Refusal("INVALID_FIELD", text, ["Id"])
        value = row.changes.get(key.name)
        if value is None:
            raise Refusal("MISSING_ARGUMENT", f"{key.name} not specified", [key.name])
        found = call.org.matches(table, key.name, value, call.transaction)
    if len(found) > 1:
        raise errors.several_matches(call.org.settings.several_matches_code, key.name)
    if found:
        call.saving.update(table, found[0], row)
        return saved(found[0].id, created=False)
    return saved(call.saving.insert(table, row).id, created=True)


def delete(call: Call) -> Answer:
    """Put records into the recycle bin."""
    ids = call.names("ids")
    if len(ids) > MAX_RECORDS:
        raise errors.too_many_records(MAX_RECORDS)
    entries: list[_Entry] = []
    for given in ids:
        table = _table_of(call, given)
        refuse_writes(table.type, "deleted")
        entries.append((table, Row(record_id=given)))

    def write(table: Table, row: Row) -> Json:
        record = table.by_id.get(id_of(table, row.record_id))
        if record is None:
            raise errors.no_such_reference("Id")
        call.saving.delete(table, record)
        return saved(record.id)

    return _answer(call, entries, write, all_or_none=call.flag("allOrNone"))


def read_by_get(call: Call) -> Answer:
    """Return records named in the query, nulls for those that are not there."""
    return _read_all(call, call.names("ids"), call.names("fields"))


def read_by_post(call: Call) -> Answer:
    """Return records named in the body, nulls for those that are not there."""
    return _read_all(call, _texts(call.body, "ids"), _texts(call.body, "fields"))


# --- reading ------------------------------------------------------------------------------------


def _read_all(call: Call, ids: list[str], names: list[str]) -> Answer:
    if len(ids) > MAX_READ:
        raise errors.too_many_records(MAX_READ)
    object_type = call.table.type
    rows: list[Json | None] = []
    fields = []
    for name in names:
        field = object_type.find(name)
        if field is None:
            raise errors.no_such_field(name, object_type.name)
        fields.append(field)
    for given in ids:
        record = call.table.find(full_id(given))
        if record is None:
            rows.append(None)
            continue
        row: Json = {"attributes": attributes(object_type.name, record, call.version)}
        row["Id"] = record.id
        row.update((field.name, shown_value(record.values, field)) for field in fields)
        rows.append(row)
    return Answer.of(200, rows)


def _texts(body: Json, member: str) -> list[str]:
    items = body.get(member)
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise errors.malformed_body(f"{member}: a list of strings is expected")
    return items


# --- what was sent ------------------------------------------------------------------------------


def _typed(call: Call, verb: str) -> list[tuple[Table, Json]]:
    """Return the records sent, each with its object type; 400 where one has none."""
    records = objects_of(call.body, "records")
    if len(records) > MAX_RECORDS:
        raise errors.too_many_records(MAX_RECORDS)
    typed = [(_type_of(call, item), item) for item in records]
    for table in {id(table): table for table, _ in typed}.values():
        refuse_writes(table.type, verb)
    chunks = sum(
        place == 0 or table is not typed[place - 1][0] for place, (table, _) in enumerate(typed)
    )
    if chunks > _MAX_CHUNKS:
        # Which code that is, is not confirmed.
        text = f"Number of chunks of object types must be at most {_MAX_CHUNKS}, found {chunks}"
        raise Refusal("LIMIT_EXCEEDED", text)
    return typed


def _type_of(call: Call, item: Json) -> Table:
    described = item.get("attributes")
    name = described.get("type") if isinstance(described, dict) else None
    if not isinstance(name, str):
        raise errors.malformed_body("attributes.type: the object type is missing")
    table = call.org.table(name)
    if table is None:
        raise errors.no_such_type(name)
    return table


def _table_of(call: Call, given: str) -> Table:
    record_id = full_id(given)
    if record_id is not None:
        for table in call.org.tables.values():
            if record_id.startswith(table.type.kind.prefix):
                return table
    raise Refusal("MALFORMED_ID", f"malformed id {given}")


def _entry(call: Call, table: Table, item: Json, read: Callable[[Table, Json], Row]) -> _Entry:
    try:
        return table, read(table, item)
    except Malformed as problem:
        if call.org.settings.malformed_rows == "call":
            raise
        return table, problem
    except Refusal as problem:
        return table, problem


def _read(table: Table, item: Json) -> Row:
    return read_row(table.type, item)


def _refuse_repeated(entries: list[_Entry], key: Callable[[Row], object], name: str) -> None:
    """Put a refusal in place of every record whose key the call names more than once."""
    keys = [key(row) if isinstance(row, Row) else None for _, row in entries]
    counts = Counter(keys)
    for place, (table, row) in enumerate(entries):
        value = keys[place]
        if value is not None and counts[value] > 1 and isinstance(row, Row):
            shown = row.changes.get(name, row.record_id)
            entries[place] = (table, errors.repeated_key(shown, name))


# --- the answer ---------------------------------------------------------------------------------


def _answer(
    call: Call, entries: Sequence[_Entry], write: _Write, *, all_or_none: bool | None = None
) -> Answer:
    if all_or_none is None:
        all_or_none = call.body.get("allOrNone") is True
    begun, results = len(call.transaction.undo), []
    for table, row in entries:
        try:
            if isinstance(row, Refusal):
                raise row
            results.append(write(table, row))
        except Refusal as refusal:
            results.append(refusal.row())
    if all_or_none and not all(result["success"] for result in results):
        call.transaction.roll_back(begun)
        innocent = errors.rolled_back().row()
        results = [innocent if result["success"] else result for result in results]
    return Answer.of(200, results)
