"""Bodies of Zoho's writes, and its answers to them. Pure.

A record's place in `data` is its place in the answer; refusals say it in `json_path` as well, and
answers to updates and deletions name the record's id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmsync.connectors.zoho.codes import DONE, TAKEN
from crmsync.connectors.zoho.coql import MODIFIED
from crmsync.connectors.zoho.errors import complaint_of, record_result
from crmsync.connectors.zoho.fields import CONVERTED, CONVERTED_TO, LEADS, Module
from crmsync.connectors.zoho.values import INVALID_OPTION, Misfit, from_wire, moment, to_wire
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    Failure,
    Operation,
    Outcome,
    Record,
    Result,
    Value,
)

TRIGGER: list[str] = []
"""What a write sets off in Zoho, of `workflow`, `approval` and `blueprint`: nothing. Zoho's own
default is all of them, which would send people e-mails for every change of a visit counter."""
UNKNOWN_FIELD = "UNKNOWN_FIELD"
READ_ONLY_FIELD = "READ_ONLY_FIELD"
DOUBTFUL = {UNKNOWN_FIELD, READ_ONLY_FIELD, INVALID_OPTION}
"""What somebody can mend in Zoho at any time."""
MISSING = Failure(
    code="NO_RESULT",
    message="Zoho's answer says nothing certain about this record.",
    hint="Nothing: it is looked at after the settle time.",
)
TWICE = Failure(
    code="NAMED_TWICE",
    message="The batch names this record twice.",
    hint="Two profiles name the same record: merge them, or correct the match key.",
)


@dataclass(slots=True)
class Draft:
    """A batch on its way into a call."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """What is sent of each record."""
    operations: list[Operation] = field(default_factory=list)
    """Whose row it is."""
    settled: dict[int, Result] = field(default_factory=dict)
    """By place in the batch: results of operations that must not be sent."""

    @property
    def doubted(self) -> bool:
        """Whether something is kept back that the module may take by now."""
        failures = [result.failure for result in self.settled.values()]
        return any(f is not None and f.code in DOUBTFUL for f in failures)

    def joined(self, sent: Sequence[Result]) -> list[Result]:
        """Return one result for each operation of the batch, in its order."""
        results = iter(sent)
        places = range(len(self.settled) + len(self.operations))
        return [self.settled[p] if p in self.settled else next(results) for p in places]


def draft_of(batch: Batch, module: Module) -> Draft:
    """Turn operations into rows; set aside what Zoho would ignore, change or confuse silently."""
    draft, seen = Draft(), set[str]()
    for place, operation in enumerate(batch.operations):
        name = str(operation.crm_id or operation.match_value or "").lower()
        if batch.action is Action.UPDATE and not operation.fields:
            draft.settled[place] = Result(Outcome.SKIPPED, operation.crm_id)
            continue
        if name and name in seen:
            draft.settled[place] = Result(Outcome.RETRY, failure=TWICE)
            continue
        row = _row(operation, module, batch.match_field)
        if isinstance(row, Failure):
            draft.settled[place] = Result(Outcome.REJECTED, failure=row)
            continue
        seen.add(name)
        draft.rows.append(row)
        draft.operations.append(operation)
    return draft


def _row(operation: Operation, module: Module, match_field: str | None) -> dict[str, Any] | Failure:
    """Return what is sent of one record, or why nothing is."""
    fields = operation.fields
    if match_field is not None and fields.get(match_field) is None:
        fields = {**fields, match_field: operation.match_value}
    row: dict[str, Any] = {} if operation.crm_id is None else {"id": operation.crm_id}
    for name, value in fields.items():
        known = module.fields.get(name)
        if known is None:
            return _ignored(UNKNOWN_FIELD, module, name, "has no field of this name")
        if not known.schema.writable:
            return _ignored(READ_ONLY_FIELD, module, name, "fills this field itself")
        try:
            row[name] = to_wire(known, value)
        except Misfit as misfit:
            return Failure(misfit.code, misfit.message, misfit.hint, name)
    return row


def _ignored(code: str, module: Module, name: str, why: str) -> Failure:
    return Failure(
        code=code,
        message=f"{module.name} {why}: {name}. Zoho would leave the value out without a word.",
        hint=f"Correct '{name}' in the mapping (`crmsync fields` lists what there is), or make the"
        " field in Zoho.",
        field=name,
    )


# --- answers ------------------------------------------------------------------------------


def results_of(batch: Batch, operations: Sequence[Operation], entries: Any) -> list[Result]:  # noqa: ANN401 (any JSON)
    """Return one result per operation that was sent, from the entries of an answer.

    An operation of which nothing certain is said is UNKNOWN. Raises LookupError, TypeError,
    ValueError or AttributeError for an answer of another shape.
    """
    found: list[Result | None] = [None] * len(operations)
    for place, entry in _placed(operations, entries):
        if entry["status"] == "error" or entry["code"] != DONE:
            refused = record_result(entry, operations[place].fields)
            found[place] = _made_meanwhile(refused, batch.match_field) or refused
        else:
            created = batch.action is Action.CREATE or entry.get("action") == "insert"
            crm_id = entry["details"]["id"]
            if is_id(crm_id):
                found[place] = Result(Outcome.SUCCEEDED, CrmId(str(crm_id)), created)
    return [result or Result(Outcome.UNKNOWN, failure=MISSING) for result in found]


def is_id(told: Any) -> bool:  # noqa: ANN401 (any JSON)
    """Say whether what an answer calls an id can be one."""
    return str(told).isascii() and str(told).isdecimal() and not isinstance(told, float)


def _made_meanwhile(refused: Result, match_field: str | None) -> Result | None:
    """Return the result of an upsert that lost a race for its own key: the next one will find it.

    Zoho looks for the key before it writes; a call that was thought lost may write in between.
    """
    failure = refused.failure
    if match_field is None or failure is None:
        return None
    lost_race = failure.code == TAKEN and failure.field == match_field
    return Result(Outcome.RETRY, failure=failure) if lost_race else None


def _placed(
    operations: Sequence[Operation], entries: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Pair entries with places: by path or id where they say one, else by order.

    The order says nothing where the answer has more or fewer entries than the call had records,
    and the id in a refusal may be that of another record, which holds a unique value.
    """
    by_id = {str(op.crm_id): place for place, op in enumerate(operations) if op.crm_id}
    in_order = len(entries) == len(operations)
    for order, entry in enumerate(entries):
        named = by_id.get(str((entry.get("details") or {}).get("id")))
        if entry["status"] == "error":
            place = complaint_of(entry).place
            if place is None:
                place = order if in_order else named
        else:
            place = order if in_order and not by_id else named
        if place is not None and place < len(operations):
            yield place, entry


def record_of(
    row: Mapping[str, Any], names: Sequence[str], module: Module, *, is_converted: bool = False
) -> Record:
    """Return a record as Zoho shows it, with the fields asked for; one it lacks is None."""
    modified, contact = row.get(MODIFIED), row.get(CONVERTED_TO)
    is_converted = is_converted or (module.name == LEADS and row.get(CONVERTED) is True)
    return Record(
        CrmId(str(row["id"])),
        values_of(row, names, module),
        moment(modified) if modified else None,
        successor=CrmId(str(contact["id"])) if is_converted and contact else None,
        is_converted=is_converted,
    )


def values_of(row: Mapping[str, Any], names: Sequence[str], module: Module) -> dict[str, Value]:
    """Return canonical values of the fields asked for; None of a field that there is not."""
    values: dict[str, Value] = {}
    for name in names:
        known = module.fields.get(name)
        values[name] = None if known is None else from_wire(known, row.get(name))
    return values
