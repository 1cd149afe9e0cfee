"""HubSpot's wire format: values to and from strings, bodies of batches, answers to results.

Every property value travels as a string, `""` clears. Answers come in any order, and name a record
by trace id, by id, or by a lower-cased unique value, never by position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from crmsync.connectors.base import Key
from crmsync.connectors.hubspot.errors import (
    HINTS,
    complaint_of,
    context_of,
    failure_of,
    record_result,
)
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
    Value,
)

LONGEST_NUMBER = 400
"""Digits before the point; "1e999999999" is eleven characters and would fill the memory."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def to_wire(value: Value) -> str:
    """Return a canonical value as HubSpot takes it.

    Dates and date-times are canonical text already and go as they are. Raises ValueError for NaN
    and infinities.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a finite number")
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return ";".join(value)


def from_wire(text: Any, kind: FieldType) -> Value:  # noqa: ANN401 (any JSON)
    """Return a property's text as a canonical value; text that does not fit its type stays text."""
    if text is None or text == "":
        return None
    # HubSpot says that it always is text.
    said: str = text if isinstance(text, str) else orjson.dumps(text).decode()
    reader = _READERS.get(kind)
    if reader is None:
        return said
    try:
        return reader(said)
    except (LookupError, ValueError, ArithmeticError):
        return said


def moment(text: str) -> datetime:
    """Read a time: ISO 8601 with or without milliseconds, or epoch milliseconds."""
    if text.lstrip("-").isdigit():
        return EPOCH + timedelta(milliseconds=int(text))
    return datetime.fromisoformat(text).astimezone(UTC)


def milliseconds(at: datetime) -> int:
    """Return epoch milliseconds."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def _number(text: str) -> int | float:
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > LONGEST_NUMBER:
        raise ValueError("not a number of any use")
    return int(number) if number == number.to_integral_value() else float(number)


def _datetime(text: str) -> str:
    return moment(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _date(text: str) -> str:
    return text if text[4:5] == "-" else moment(text).date().isoformat()


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _many(text: str) -> list[str]:
    return sorted(part for part in text.split(";") if part)


_READERS: Mapping[FieldType, Callable[[str], Value]] = {
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.MULTI_PICKLIST: _many,
}


# --- a write ------------------------------------------------------------------------------


def unsendable(batch: Batch) -> dict[int, Result]:
    """Return the results of operations that must not be sent, by place.

    An update without fields is refused by HubSpot, and so is a whole batch that names one record
    twice: the second one waits for the next batch.
    """
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
            found[place] = Result(Outcome.SUCCEEDED, crm_id_of(entry), created)
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
    return Record(crm_id_of(entry), values, moment(updated) if updated else None)


def crm_id_of(entry: Mapping[str, Any]) -> CrmId:
    """Return the id of a record in an answer; ValueError for what cannot be one."""
    text = str(entry["id"])
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("not an id")
    return CrmId(text)


def names_of(entry: Mapping[str, Any], key_field: str | None) -> set[str]:
    """Return every lower-cased key by which a record may have been asked for.

    A merged record answers to its old ids, a contact to its secondary addresses.
    """
    properties = entry.get("properties") or {}
    if key_field is None:
        others, own = properties.get(MERGED_IDS), str(entry["id"])
    else:
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
    return any(e.get("category") == "OBJECT_NOT_FOUND" for e in payload.get("errors") or ())
