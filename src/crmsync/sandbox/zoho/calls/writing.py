"""Insert, update and delete: up to 100 records a call, each with an answer of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.calls.call import Call
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.org import TRIGGERS, Org
from crmsync.sandbox.zoho.records import Record, Stamp

MAX_RECORDS = 100
_ALL_FAILED = 400

One = Callable[[int, dict[str, Any]], Json]
"""Writes one record, given its place in the body; `ApiError` refuses it alone."""


def insert(call: Call) -> Answer:
    """Make records; each one sent again is made again."""
    stamp = stamp_of(call)

    def one(place: int, given: dict[str, Any]) -> Json:
        draft = call.records.draft_create(given, f"$.data[{place}]", stamp.at)
        return added(call.org, call.org.commit(call.module, draft, stamp))

    return write_each(call, one, 201)


def update(call: Call) -> Answer:
    """Change records, each found by its `id`."""
    _refuse_newer(call, [given.get("id") for given in call.listed("data", MAX_RECORDS)])
    return _update(call, lambda given: given.get("id"))


def update_one(call: Call) -> Answer:
    """Change the record in the path."""
    if not call.path["id"].isdigit():
        raise errors.invalid_id(1)
    _refuse_newer(call, [call.path["id"]])
    return _update(call, lambda _given: call.path["id"])


def _update(call: Call, id_of: Callable[[dict[str, Any]], object]) -> Answer:
    stamp = stamp_of(call)

    def one(place: int, given: dict[str, Any]) -> Json:
        path = f"$.data[{place}]"
        record_id = id_of(given)
        if record_id is None:
            raise errors.missing_member("id", f"{path}.id")
        record = call.records.find(str(record_id))
        if record is None:
            raise errors.no_such_record(f"{path}.id")
        draft = call.records.draft_update(record, given, path, stamp.at)
        return updated(call.org, call.org.commit(call.module, draft, stamp))

    return write_each(call, one, 200)


def delete(call: Call) -> Answer:
    """Put the records named by `ids` into the recycle bin."""
    ids = call.names("ids")
    if not ids:
        raise errors.missing_parameter("ids")
    if len(ids) > MAX_RECORDS:
        raise errors.limit_exceeded(MAX_RECORDS, param_name="ids")
    return _delete(call, ids)


def delete_one(call: Call) -> Answer:
    """Put the record in the path into the recycle bin."""
    return _delete(call, [call.path["id"]])


def _delete(call: Call, ids: list[str]) -> Answer:
    entries = []
    for record_id in ids:
        record = call.records.find(record_id)
        if record is None or "locked" in record.states:
            entries.append(errors.not_deleted(record_id).entry())
        else:
            call.org.delete(call.module, record)
            details = {"id": record_id}
            entries.append(_success("record deleted", details))
    return in_all(call.org, entries, 200)


# --- shared with upsert -------------------------------------------------------------------------


def stamp_of(call: Call) -> Stamp:
    """Stamp the writes of a call; `trigger` says what they set off: absent or null, everything."""
    trigger = call.body.get("trigger")
    if trigger is None:
        trigger = TRIGGERS
    elif not isinstance(trigger, list) or any(one not in TRIGGERS for one in trigger):
        raise errors.invalid_member("trigger", "$.trigger")
    return call.org.stamp("API", trigger)


def write_each(call: Call, one: One, status: int) -> Answer:
    """Write the records sent, in their order."""
    entries = []
    for place, given in enumerate(call.listed("data", MAX_RECORDS)):
        try:
            entries.append(one(place, given))
        except ApiError as error:
            entries.append(error.entry())
    return in_all(call.org, entries, status)


def in_all(org: Org, entries: list[Json], status: int) -> Answer:
    """Answer with every record's outcome, under the status that they make together."""
    failed = sum(entry["status"] == "error" for entry in entries)
    if failed == len(entries):
        status = _ALL_FAILED
    elif failed:
        chosen = org.settings.mixed_status
        status = int(org.chance.choice(("200", "207")) if chosen == "any" else chosen)
    return Answer.of(status, {"data": entries})


def added(org: Org, record: Record) -> Json:
    """Say that a record was made."""
    return _success("record added", {**_stamped(org, record), "$approval_state": "approved"})


def updated(org: Org, record: Record) -> Json:
    """Say that a record was changed."""
    return _success("record updated", _stamped(org, record))


def refuse_newer(call: Call, records: list[Record]) -> None:
    """Refuse the whole call where one of its targets is newer than the caller wants; 412."""
    since = call.time_header("If-Unmodified-Since")
    if since is not None:
        for record in records:
            if record.modified > since:
                raise errors.already_modified(record.id)


def _refuse_newer(call: Call, ids: list[object]) -> None:
    found = (call.records.find(str(record_id)) for record_id in ids)
    refuse_newer(call, [record for record in found if record is not None])


def _success(message: str, details: Json) -> Json:
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


def _stamped(org: Org, record: Record) -> Json:
    return {
        "Modified_Time": org.iso(record.modified),
        "Modified_By": org.user(record.modified_by).brief(),
        "Created_Time": org.iso(record.created),
        "id": record.id,
        "Created_By": org.user(record.created_by).brief(),
    }
