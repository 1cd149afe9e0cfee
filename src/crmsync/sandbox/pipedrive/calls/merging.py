"""Merges, which only v1 has; the survivor comes in v1's shape."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.calls.call import Call, Json, answer
from crmsync.sandbox.pipedrive.company import Company
from crmsync.sandbox.pipedrive.records import Record
from crmsync.sandbox.pipedrive.schemas import Values
from crmsync.sandbox.pipedrive.wire import parse_rfc3339, spaced

_TIMES = ("stage_change_time", "won_time", "lost_time", "close_time", "archive_time")
_RENAMED = {"emails": "email", "phones": "phone", "owner_id": "user_id"}
_NOT_IN_V1 = ("label_ids", "picture_id", "custom_fields")


def merge(call: Call) -> Answer:
    """Merge the record of the path with that of the body, whose data wins."""
    body = call.body
    other_id = body.get("merge_with_id")
    if not isinstance(other_id, int) or isinstance(other_id, bool):
        raise errors.gateway(400, "merge_with_id must be an integer")
    survivor = call.company.merge(call.type, call.id, other_id, "api")
    loser_id = call.id if survivor.id == other_id else other_id
    return answer({**_in_v1(call.company, call.type, survivor), "merge_what_id": loser_id})


def _in_v1(company: Company, object_type: str, record: Record) -> Json:
    shown: Json = {
        key: _old_time(value) if key in _TIMES else value
        for key, value in record.values.items()
        if key not in _NOT_IN_V1
    }
    for new, old in _RENAMED.items():
        if new in shown and (new != "owner_id" or object_type == "deals"):
            shown[old] = shown.pop(new)
    shown["visible_to"] = str(shown["visible_to"])
    if object_type == "deals":
        shown.update(active=shown["status"] == "open", deleted=False)
    else:
        shown.update(active_flag=True, company_id=company.settings.company_id)
    return {
        "id": record.id,
        **shown,
        "add_time": spaced(record.created),
        "update_time": spaced(record.updated),
        **_flat(company, object_type, record.custom),
    }


def _flat(company: Company, object_type: str, custom: Values) -> Json:
    """Return custom fields beside the API's own keys, each part under a key of its own."""
    flat: Json = {}
    for code in company.fields[object_type].custom:
        value = custom.get(code)
        if isinstance(value, dict):
            flat[code] = value["value"]
            flat.update({f"{code}_{part}": v for part, v in value.items() if part != "value"})
        elif isinstance(value, list):
            flat[code] = ",".join(str(one) for one in value)
        else:
            flat[code] = value
    return flat


def _old_time(text: str | None) -> str | None:
    seconds = parse_rfc3339(text) if text is not None else None
    return spaced(seconds) if seconds is not None else None
