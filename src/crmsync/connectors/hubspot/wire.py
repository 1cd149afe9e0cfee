"""HubSpot's wire format: bodies of batches, answers to results and records.

Answers come in any order, and name a record by trace id, by id, or by a lower-cased unique value,
never by position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crmsync.connectors.base import Key
from crmsync.connectors.hubspot.codes import HINTS, NOT_FOUND
from crmsync.connectors.hubspot.errors import complaint_of, context_of, failure_of, record_result
from crmsync.connectors.hubspot.values import from_wire, moment, to_wire
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    Failure,
    FieldType,
    Operation,
    Outcome,
    Record,
    Result,
)

BATCH_RECORDS = 100
"""Of every batch call: developers.hubspot.com, "CRM API | Object APIs", read 2026-10."""
EMAIL = "email"
ADDITIONAL_EMAILS = "hs_additional_emails"
MERGED_IDS = "hs_merged_object_ids"
MISSING = Failure(
    code="NO_RESULT",
    message="HubSpot's answer says nothing about this record.",
    hint="Nothing: it is looked at after the settle time.",
)
TWICE = Failure(
    code="DUPLICATE_IDS",
    message="The batch names this record twice.",
    hint=HINTS["DUPLICATE_IDS"],
)


# --- a write ------------------------------------------------------------------------------


def unsendable(batch: Batch) -> dict[int, Result]:
    """Return the results of operations that must not be sent, by place.

    An update without fields is refused by HubSpot, and so is a whole batch that names one record
    twice: the second one waits for the next batch. Associations may come in any number.
    """
    if batch.action is Action.ASSOCIATE:
        return {}
    settled: dict[int, Result] = {}
    seen: set[str] = set()
    for place, operation in enumerate(batch.operations):
        name = id_of(operation)
        if batch.action is Action.UPDATE and not operation.fields:
            settled[place] = Result(Outcome.SKIPPED, operation.crm_id)
        elif name in seen:
            settled[place] = Result(Outcome.RETRY, failure=TWICE)
        elif name:
            seen.add(name)
    return settled


def inputs_of(batch: Batch) -> list[dict[str, Any]]:
    """Return the batch's inputs. Each one's trace id is its place, so that a 207 can name it."""
    action, match_field = batch.action, batch.match_field
    if action is Action.ARCHIVE:
        return [{"id": operation.crm_id} for operation in batch.operations]
    inputs = []
    for place, operation in enumerate(batch.operations):
        properties = {name: to_wire(value) for name, value in operation.fields.items()}
        entry: dict[str, Any] = {"objectWriteTraceId": str(place), "properties": properties}
        if action is Action.UPDATE:
            entry["id"] = operation.crm_id
        elif action is Action.UPSERT:
            entry["id"], entry["idProperty"] = operation.match_value, match_field
            if match_field not in properties:
                properties[str(match_field)] = str(operation.match_value)
        inputs.append(entry)
    return inputs


def results_of(batch: Batch, payload: Mapping[str, Any]) -> list[Result]:
    """Return one result per operation from a 2xx answer.

    An operation that the answer does not mention is UNKNOWN: an empty success has been seen of
    HubSpot, with and without the records having been written, so it is neither "done" nor "safe to
    create again". Raises LookupError, TypeError, ValueError or AttributeError for an answer of
    another shape.
    """
    places = _Places(batch)
    found: list[Result | None] = [None] * len(batch.operations)
    creates = batch.action is Action.CREATE
    for entry in payload["results"]:
        place = places.of_result(entry)
        if place is not None:
            created = creates or bool(entry.get("new"))
            told = Result(Outcome.SUCCEEDED, crm_id_of(entry), created)
            # Two records for one operation: nobody knows whose they are.
            is_only = found[place] is None or found[place] == told
            found[place] = told if is_only else Result(Outcome.UNKNOWN, failure=MISSING)
    unlinked = MISSING
    for error in payload.get("errors") or ():
        named = list(places.of_error(error))
        for place in named:
            found[place] = record_result(error)
        if not named:
            unlinked = failure_of(complaint_of(error), error)
    return [result or Result(Outcome.UNKNOWN, failure=unlinked) for result in found]


class _Places:
    """Finds which operation a result or an error is about; None when that cannot be told."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._count = len(batch.operations)
        self._by_trace = {str(place): place for place in range(self._count)}
        self._by_id: dict[str, int] | None = None
        self._key_field: str | None = None
        self._by_key: dict[str, int] = {}

    def of_result(self, entry: Mapping[str, Any]) -> int | None:
        trace = entry.get("objectWriteTraceId")
        if trace is not None:
            return self._of_trace(trace)
        if self._batch.action is Action.UPDATE:
            return self._ids().get(str(entry["id"]))
        self._index_keys()
        if self._key_field is None:
            return None
        value = (entry.get("properties") or {}).get(self._key_field)
        return self._by_key.get(str(value).lower()) if value else None

    def of_error(self, error: Mapping[str, Any]) -> Iterable[int]:
        traces = context_of(error, "objectWriteTraceId")
        places = [place for trace in traces if (place := self._of_trace(trace)) is not None]
        if places:
            return places
        ids = [value.lower() for value in context_of(error, "ids")]
        return [place for value in ids if (place := self._ids().get(value)) is not None]

    def _of_trace(self, trace: object) -> int | None:
        return self._by_trace.get(str(trace))

    def _ids(self) -> dict[str, int]:
        """Index operations by what their input carried as `id`."""
        if self._by_id is None:
            operations = enumerate(self._batch.operations)
            self._by_id = {key: place for place, op in operations if (key := id_of(op))}
        return self._by_id

    def _index_keys(self) -> None:
        """Index operations by a field whose values tell them apart: the match field, or any."""
        if self._key_field is not None or not self._count:
            return
        operations = self._batch.operations
        if self._batch.match_field:
            self._key_field, self._by_key = self._batch.match_field, self._ids()
            return
        for name in operations[0].fields:
            values = [op.fields.get(name) for op in operations]
            keys = {to_wire(v).lower(): place for place, v in enumerate(values) if v is not None}
            if len(keys) == self._count:
                self._key_field, self._by_key = name, keys
                return


def id_of(operation: Operation) -> str:
    """Return what names the record in its input, lower-cased; empty for a create."""
    return str(operation.crm_id or operation.match_value or "").lower()


# --- a read -------------------------------------------------------------------------------


def record_of(
    entry: Mapping[str, Any], fields: Sequence[str], kinds: Mapping[str, FieldType]
) -> Record:
    """Return a record as HubSpot shows it, with the fields asked for."""
    properties = entry.get("properties") or {}
    values = {f: from_wire(properties.get(f), kinds.get(f, FieldType.TEXT)) for f in fields}
    updated = entry.get("updatedAt")
    at = moment(updated) if updated else None
    return Record(crm_id_of(entry), values, at, former_ids=former_ids_of(entry))


def former_ids_of(entry: Mapping[str, Any]) -> tuple[CrmId, ...]:
    """Return the ids of the records that were merged into this one, where they were asked for."""
    listed = str((entry.get("properties") or {}).get(MERGED_IDS) or "").split(";")
    return tuple(crm_id_in(old) for old in listed if old and old != str(entry["id"]))


def absent_of(entry: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """Return the fields that an answer leaves out, which one without a value is not."""
    properties = entry.get("properties") or {}
    return [name for name in fields if name not in properties]


def crm_id_of(entry: Mapping[str, Any]) -> CrmId:
    """Return the id of a record in an answer; ValueError for what cannot be one."""
    return crm_id_in(entry["id"])


def crm_id_in(said: object) -> CrmId:
    """Return what an answer says as an id; ValueError for what cannot be one."""
    text = str(said)
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("not an id")
    return CrmId(text)


def names_of(entry: Mapping[str, Any], key_field: str | None) -> set[str]:
    """Return every lower-cased key by which a record may have been asked for.

    A merged record answers to its old ids, a contact to its secondary addresses.
    """
    properties = entry.get("properties") or {}
    if key_field is None:
        return {str(entry["id"]), *former_ids_of(entry)}
    others = properties.get(ADDITIONAL_EMAILS) if key_field == EMAIL else None
    own = str(properties.get(key_field) or "")
    return {name.lower() for name in [own, *str(others or "").split(";")] if name}


def read_body(keys: Sequence[Key], fields: Sequence[str]) -> dict[str, Any]:
    """Return the body of a batch read: each key once, and what tells the answers apart."""
    key_field = keys[0].field
    extra = {None: [MERGED_IDS], EMAIL: [EMAIL, ADDITIONAL_EMAILS]}.get(key_field, [key_field])
    body: dict[str, Any] = {
        "properties": list(dict.fromkeys([*fields, *extra])),
        "inputs": [{"id": value} for value in dict.fromkeys(key.value for key in keys)],
    }
    return body if key_field is None else body | {"idProperty": key_field}


def not_found(payload: Mapping[str, Any]) -> bool:
    """Say whether a batch read's answer names records that do not exist."""
    return any(e.get("category") == NOT_FOUND for e in payload.get("errors") or ())


def unknown_properties(payload: Mapping[str, Any]) -> set[str]:
    """Return the properties asked for of which a batch read says that there are none."""
    errors = payload.get("errors") or ()
    return {name for error in errors for name in context_of(error, "propertyName")}
