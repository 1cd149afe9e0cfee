"""Persons, organizations and deals, one at a time. There are no batches and no upsert."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.calls.call import Call, answer
from crmsync.sandbox.pipedrive.calls.shown import shower
from crmsync.sandbox.pipedrive.records import Record
from crmsync.sandbox.pipedrive.wire import SINGULAR

_SHAPING = ("include_fields", "custom_fields", "include_option_labels", "include_labels")


def create(call: Call) -> Answer:
    """Create a record. One that is sent twice is there twice."""
    call.allow()
    record = call.company.create(call.type, call.body, "api")
    return answer(shower(call)(record))


def read(call: Call) -> Answer:
    """Return a record; one that is deleted is there for another 30 days."""
    call.allow(*_SHAPING)
    return answer(shower(call)(_readable(call)))


def update(call: Call) -> Answer:
    """Change a record."""
    call.allow()
    record = call.company.get(call.type, call.id)
    call.company.update(call.type, record, call.body, "api")
    return answer(shower(call)(record))


def delete(call: Call) -> Answer:
    """Delete a record."""
    call.allow()
    record = call.company.get(call.type, call.id)
    call.company.delete(call.type, record, "api")
    return answer({"id": record.id})


def _readable(call: Call) -> Record:
    records, company = call.company.records[call.type], call.company
    record = records.find(call.id)
    if record is None and company.settings.deleted_reads == "flagged":
        record = records.find_deleted(call.id, company.now())
    if record is None:
        raise errors.not_found(SINGULAR[call.type])
    return record
