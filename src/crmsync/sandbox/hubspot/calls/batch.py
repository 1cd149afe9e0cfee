"""Records a hundred at a time: create, read, update, upsert, archive.

Without a distinct trace id on every input a batch is all or nothing; with them each input stands
for itself, and an error names only its trace id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.calls.call import Call, Json, fields_of, shown, text_of
from crmsync.sandbox.hubspot.calls.objects import (
    Target,
    associate,
    check_unique,
    find,
    read_properties,
    targets_of,
    written,
)
from crmsync.sandbox.hubspot.errors import ApiError
from crmsync.sandbox.hubspot.records import Claims, Draft, Record, Stamp
from crmsync.sandbox.hubspot.wire import KINDS, iso

MAX_INPUTS = 100


@dataclass(frozen=True, slots=True)
class _Checked:
    """One input that may be carried out."""

    draft: Draft
    trace_id: str | None
    sent: Json
    new: bool
    targets: list[Target]


_Check = Callable[[Call, Json, Claims], _Checked]


def create_batch(call: Call) -> Answer:
    """Create records."""
    inputs = call.inputs(MAX_INPUTS)
    return _write(call, inputs, _check_create, 201)


def update_batch(call: Call) -> Answer:
    """Change records found by id or by a unique property."""
    inputs = call.inputs(MAX_INPUTS)
    _refuse_duplicates(inputs)
    return _write(call, inputs, _check_update, 200, bare=call.type == "contacts")


def upsert_batch(call: Call) -> Answer:
    """Change records found by a unique property, and create those that are not."""
    inputs = call.inputs(MAX_INPUTS)
    for item in inputs:
        check_unique(call.records, call.type, str(item.get("idProperty")))
    _refuse_duplicates(inputs)
    share = call.portal.settings.empty_success_probability
    if share and call.portal.chance.random() < share:
        return Answer.of(200, _envelope(call, []))
    return _write(call, inputs, _check_upsert, 200, upsert=True)


def read_batch(call: Call) -> Answer:
    """Return records fresh from the primary store, those that are missing under 207.

    With `archived` only those that are in the recycle bin.
    """
    inputs = call.inputs(MAX_INPUTS)
    body, records, name = call.body, call.records, call.type
    id_property = body.get("idProperty")
    asked = [*(body.get("properties") or ()), *(body.get("propertiesWithHistory") or ())]
    names = read_properties(name, asked, records.modified_name)
    now = call.portal.clock.milliseconds()
    results, missing = [], []
    for wanted in dict.fromkeys(text_of(item, "id") for item in inputs):
        record = _find_to_read(call, wanted, id_property)
        if record is None:
            missing.append(wanted)
        else:
            results.append(shown(records, records.settle(record, now), names))
    failures = [errors.some_not_found(KINDS[name], missing).entry(None)] if missing else []
    failures += [_unknown_property(x) for x in asked if x not in records.properties.checks]
    return _answer(call, 200, results, failures)


def archive_batch(call: Call) -> Answer:
    """Put records into the recycle bin; unknown ids do not matter."""
    for item in call.inputs(MAX_INPUTS):
        record = call.records.find(text_of(item, "id"))
        if record is not None:
            call.portal.archive(call.type, record)
    return Answer(204)


# --- one input ----------------------------------------------------------------------------------


def _check_create(call: Call, item: Json, claims: Claims) -> _Checked:
    fields = fields_of(item)
    draft = call.portal.draft_create(call.type, fields, claims)
    targets = list(targets_of(call.portal, call.type, item))
    return _Checked(draft, _trace_id(item), draft.changes, new=True, targets=targets)


def _check_update(call: Call, item: Json, claims: Claims) -> _Checked:
    wanted, fields = text_of(item, "id"), fields_of(item)
    id_property = item.get("idProperty")
    if id_property is None:
        # Ids that were merged away still work one at a time, but not here.
        record = call.records.find(wanted, follow_merges=False)
    else:
        record = find(call, call.type, wanted, id_property)
    if record is None:
        raise errors.some_not_found(KINDS[call.type], [wanted])
    draft = call.portal.draft_update(call.type, record, fields, claims)
    return _Checked(draft, _trace_id(item), fields, new=False, targets=[])


def _check_upsert(call: Call, item: Json, claims: Claims) -> _Checked:
    wanted, fields, id_property = text_of(item, "id"), fields_of(item), item["idProperty"]
    record = call.records.find_by(id_property, wanted)
    if record is not None:
        draft = call.portal.draft_update(call.type, record, fields, claims)
        return _Checked(draft, _trace_id(item), fields, new=False, targets=[])
    fields = {id_property: wanted, **fields}
    draft = call.portal.draft_create(call.type, fields, claims)
    return _Checked(draft, _trace_id(item), draft.changes, new=True, targets=[])


# --- the batch ----------------------------------------------------------------------------------


def _write(  # noqa: PLR0913 - the three writes differ in no more than this
    call: Call,
    inputs: list[Json],
    check: _Check,
    status: int,
    *,
    upsert: bool = False,
    bare: bool = False,
) -> Answer:
    traced = _distinct_trace_ids(inputs)
    claims, checked, failures = Claims(), [], []
    for item in inputs:
        try:
            checked.append(check(call, item, claims))
        except ApiError as error:
            if not traced and not _passable(call, error):
                raise
            failures.append(error.entry(_trace_id(item) if traced else None))
    if call.portal.settings.same_record_twice == "refuse":
        _refuse_same_record(checked)
    stamp = call.portal.by_api(call.type)
    results = [_commit(call, one, stamp, upsert=upsert, bare=bare) for one in checked]
    return _answer(call, status, results, failures)


def _commit(call: Call, checked: _Checked, stamp: Stamp, *, upsert: bool, bare: bool) -> Json:
    portal, name, records = call.portal, call.type, call.records
    record = records.commit(checked.draft, stamp)
    associate(portal, name, record, checked.targets)
    out = written(records, name, record, checked.sent, bare=bare)
    if upsert:
        out["new"] = checked.new
    if checked.trace_id is not None and portal.settings.trace_ids_in_results:
        out["objectWriteTraceId"] = checked.trace_id
    return out


def _answer(call: Call, status: int, results: list[Json], failures: list[Json]) -> Answer:
    if call.portal.settings.shuffle_results:
        call.portal.chance.shuffle(results)
    body = _envelope(call, results)
    if not failures:
        return Answer.of(status, body)
    return Answer.of(207, {**body, "numErrors": len(failures), "errors": failures})


def _envelope(call: Call, results: list[Json]) -> Json:
    now = iso(call.portal.clock.milliseconds())
    return {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}


def _refuse_duplicates(inputs: list[Json]) -> None:
    seen: set[tuple[object, str]] = set()
    twice: dict[str, None] = {}
    for item in inputs:
        id_property, wanted = item.get("idProperty"), text_of(item, "id")
        key = wanted.strip().lower() if id_property == "email" else wanted
        if (id_property, key) in seen:
            twice[key] = None
        seen.add((id_property, key))
    if twice:
        raise errors.duplicate_ids(list(twice))


def _refuse_same_record(checked: list[_Checked]) -> None:
    ids = [one.draft.id for one in checked]
    twice = dict.fromkeys(record_id for record_id in ids if ids.count(record_id) > 1)
    if twice:
        raise errors.duplicate_ids(list(twice))


def _distinct_trace_ids(inputs: list[Json]) -> bool:
    trace_ids = [_trace_id(item) for item in inputs]
    return None not in trace_ids and len(set(trace_ids)) == len(trace_ids)


def _trace_id(item: Json) -> str | None:
    trace_id = item.get("objectWriteTraceId")
    return None if trace_id is None else str(trace_id)


def _passable(call: Call, error: ApiError) -> bool:
    """Whether an error leaves the rest of a batch without trace ids alone."""
    partial = call.portal.settings.missing_without_trace_ids == "partial"
    return partial and error.category == errors.NOT_FOUND


def _find_to_read(call: Call, wanted: str, id_property: str | None) -> Record | None:
    if id_property is not None:
        return find(call, call.type, wanted, id_property)
    if call.flag("archived"):
        return call.portal.find_archived(call.type, wanted)
    follow = call.portal.settings.batch_read_follows_merges
    return call.records.find(wanted, follow_merges=follow)


def _unknown_property(name: str) -> Json:
    text = f'Property "{name}" does not exist'
    error = ApiError(400, text, errors.VALIDATION, context={"propertyName": [name]})
    return error.entry(None)
