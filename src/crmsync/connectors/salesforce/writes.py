"""Writes: what is sent for a batch, and which result each of its operations has.

A collection takes 200 records; where a batch has more, a composite carries up to five collections
in one call. Salesforce answers in the order of the request, with 200 even when every record failed,
and each collection of a composite has a fate of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPMethod
from typing import Any

from crmsync.connectors.answers import Answer
from crmsync.connectors.salesforce import composite
from crmsync.connectors.salesforce.codes import CONVERTED, GONE, Meaning
from crmsync.connectors.salesforce.composite import Call
from crmsync.connectors.salesforce.errors import (
    Complaint,
    complaint_of,
    errors_of,
    halted,
    rejected,
)
from crmsync.connectors.salesforce.ids import full_id
from crmsync.connectors.salesforce.objects import Column, Described
from crmsync.connectors.salesforce.values import misfit, to_wire
from crmsync.model import (
    Action,
    Batch,
    Failure,
    FieldType,
    Operation,
    Outcome,
    Result,
    Value,
)

PART_RECORDS = 200
"""Of a collection; EXCEEDED_ID_LIMIT beyond. REST API guide, "sObject Collections"."""
COLLECTION = f"{composite.PATH}/sobjects"
METHODS: Mapping[Action, HTTPMethod] = {
    Action.CREATE: HTTPMethod.POST,
    Action.UPDATE: HTTPMethod.PATCH,
    Action.UPSERT: HTTPMethod.PATCH,
    Action.ARCHIVE: HTTPMethod.DELETE,
}
MISSING = Failure(
    code="NO_RESULT",
    message="Salesforce's answer says nothing about this record.",
    hint="Nothing: it is looked at after the settle time.",
)
TWICE = Failure(
    code="DUPLICATE_IDS",
    message="The batch names this record twice.",
    hint="Two profiles name the same record: merge them, or correct the match key.",
)
OWNER = "OwnerId"
HALTING = frozenset({Meaning.PERMISSION, Meaning.FULL, Meaning.CONNECTION})
"""What is the connection's affair where it is said of every record; one that is refused its token
within a call that was let in is sent again, and the next call asks for another."""


@dataclass(frozen=True, slots=True)
class Part:
    """Operations of one batch that one collection carries."""

    operations: Sequence[Operation]
    call: Call


Fate = Result | Complaint
"""What became of an operation, or what Salesforce says against it."""


# --- what is sent -------------------------------------------------------------------------


def unsendable(batch: Batch, thing: Described) -> dict[int, Result]:
    """Return the results of operations that must not be sent, by place.

    A field that is not there would have the whole collection refused, and a key that is named twice
    would have every row that has it: the second one waits for the next batch.
    """
    settled: dict[int, Result] = {}
    seen: set[str] = set()
    no_key = _not_a_key(batch, thing)
    for place, operation in enumerate(batch.operations):
        name = _name_of(operation)
        failure = no_key or misfit(operation.fields, thing.columns)
        if batch.action is Action.UPDATE and not operation.fields:
            settled[place] = Result(Outcome.SKIPPED, operation.crm_id)
        elif failure is not None:
            settled[place] = Result(Outcome.REJECTED, failure=failure)
        elif name in seen:
            settled[place] = Result(Outcome.RETRY, failure=TWICE)
        elif name:
            seen.add(name)
    return settled


def _not_a_key(batch: Batch, thing: Described) -> Failure | None:
    """Return why records cannot be upserted by a batch's match field, or None."""
    name = batch.match_field
    field = thing.schema.fields.get(name) if name else None
    if name is None or (field is not None and field.unique):
        return None
    return Failure(
        code="NOT_A_KEY",
        message=f"'{name}' is not an external id field with unique values that we may see",
        hint="tick 'External ID' and 'Unique' for it in Salesforce, or match by another field",
        field=name,
    )


def parts_of(batch: Batch, columns: Mapping[str, Column]) -> list[Part]:
    """Return the collections that carry a batch: one where one is enough."""
    headers = headers_of(batch)
    starts = range(0, len(batch.operations), PART_RECORDS)
    return [
        _part(replace(batch, operations=batch.operations[start : start + PART_RECORDS]), columns,
              headers)
        for start in starts
    ]  # fmt: skip


def headers_of(batch: Batch) -> dict[str, str]:
    """Return what Salesforce is told about the org's own automation, for one kind of write.

    - A change of a record that exists passes alerts of duplicate rules: the record is no more a
      duplicate than it was. A record that may be new does not: the refusal names the one it
      resembles. Rules that block, block either way.
    - Assignment rules give a new lead to whom the org wants, unless the mapping sets its owner; a
      change never moves a lead from one salesperson to another.
    """
    changes = batch.action is Action.UPDATE
    sets_owner = any(OWNER in operation.fields for operation in batch.operations)
    allow = str(changes).lower()
    headers = {
        "Sforce-Duplicate-Rule-Header": f"allowSave={allow}; includeRecordDetails=true;"
        " runAsCurrentUser=true"
    }
    if changes or sets_owner:
        headers["Sforce-Auto-Assign"] = "FALSE"
    return headers


def _part(batch: Batch, columns: Mapping[str, Column], headers: Mapping[str, str]) -> Part:
    method, url = METHODS[batch.action], COLLECTION
    body: dict[str, Any] | None = None
    if batch.action is Action.ARCHIVE:
        ids = ",".join(str(operation.crm_id) for operation in batch.operations)
        url = f"{COLLECTION}?ids={ids}&allOrNone=false"
    else:
        kind = {"type": batch.object_type}
        body = {"allOrNone": False, "records": list(_records(batch, kind, columns))}
    if batch.action is Action.UPSERT:
        url = f"{COLLECTION}/{batch.object_type}/{batch.match_field}"
    return Part(batch.operations, Call(method, url, body, headers))


def _records(
    batch: Batch, kind: Mapping[str, str], columns: Mapping[str, Column]
) -> Iterator[dict[str, Any]]:
    for operation in batch.operations:
        record: dict[str, Any] = {"attributes": kind}
        for name, value in operation.fields.items():
            record[name] = to_wire(value, columns[name])
        if batch.action is Action.UPDATE:
            record["id"] = operation.crm_id
        elif batch.match_field is not None:
            record[batch.match_field] = _key(operation, columns[batch.match_field])
        yield record


def _key(operation: Operation, column: Column) -> Value:
    """Return a match value by the type of its field: an external id may be a number."""
    value = str(operation.match_value)
    if column.kind is not FieldType.NUMBER:
        return value
    try:
        return int(value)
    except ValueError:
        return value  # Salesforce has the last word on it


def _name_of(operation: Operation) -> str:
    """Return what names the record in its collection; empty for a create."""
    if operation.crm_id is not None:
        return full_id(operation.crm_id) or operation.crm_id
    return (operation.match_value or "").casefold()


# --- what came of it ----------------------------------------------------------------------


def fates_of(part: Part, answer: Answer | None) -> list[Fate]:
    """Return what became of each operation of a collection.

    Raises LookupError, TypeError, ValueError or AttributeError for an answer of another shape.
    """
    count = len(part.operations)
    if answer is None:
        return [Result(Outcome.UNKNOWN, failure=MISSING)] * count
    if not answer.ok:
        complaint = complaint_of(errors_of(answer), answer.status)
        if count == 1:
            return [_about(part.operations[0], complaint)]
        if complaint.meaning is Meaning.RECORD:
            complaint = replace(complaint, meaning=Meaning.SMALLER)
        return [complaint] * count
    rows = answer.json()
    if not isinstance(rows, list):
        raise TypeError("not a list of rows")
    if len(rows) == count:
        return [_fate(op, row, part) for op, row in zip(part.operations, rows, strict=True)]
    # Without the order that is promised, only what names its record can be told apart.
    named = {full_id(str(row.get("id") or "")): row for row in rows}
    return [
        _fate(op, named[name], part)
        if op.crm_id is not None and (name := full_id(op.crm_id)) in named
        else Result(Outcome.UNKNOWN, failure=MISSING)
        for op in part.operations
    ]


def _fate(operation: Operation, row: Mapping[str, Any], part: Part) -> Fate:
    crm_id = full_id(str(row.get("id") or operation.crm_id or ""))
    if row["success"] is True:
        if crm_id is None or row.get("errors"):  # nobody knows which of the two is so
            return Result(Outcome.UNKNOWN, failure=MISSING)
        created = row.get("created", part.call.method is HTTPMethod.POST)
        return Result(Outcome.SUCCEEDED, crm_id, bool(created))
    complaint = complaint_of(
        {**error, **({"duplicateResult": found} if (found := row.get("duplicateResult")) else {})}
        for error in row["errors"]
    )
    return _about(operation, complaint)


def _about(operation: Operation, complaint: Complaint) -> Complaint:
    """Return a complaint with whether it says that the operation's own record is gone."""
    blames_a_reference = complaint.field in operation.fields
    missing = complaint.code in GONE and operation.crm_id is not None and not blames_a_reference
    return replace(complaint, is_gone=missing or complaint.code == CONVERTED)


def settle(fates: Sequence[Fate]) -> list[Result]:
    """Return the results, where nothing has to be said of the call as a whole.

    Raises ConnectionHalted where every record was refused for what only a person can mend, and
    BatchRejected, with what is settled, where some records may pass among fewer.
    """
    complaints = [fate for fate in fates if isinstance(fate, Complaint)]
    if len(complaints) == len(fates) and all(one.meaning in HALTING for one in complaints):
        raise halted(complaints[0])
    smaller = [one for one in complaints if one.meaning is Meaning.SMALLER]
    results = [fate if isinstance(fate, Result) else fate.result() for fate in fates]
    if smaller and len(fates) > 1:
        settled = {
            place: result
            for place, (fate, result) in enumerate(zip(fates, results, strict=True))
            if not (isinstance(fate, Complaint) and fate.meaning is Meaning.SMALLER)
        }
        raise rejected(smaller[0], settled)
    return results
