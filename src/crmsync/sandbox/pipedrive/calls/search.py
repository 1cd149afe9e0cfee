"""Search: what the index has come to know so far."""

from __future__ import annotations

from itertools import islice

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.calls.call import Call, Json, page_answer
from crmsync.sandbox.pipedrive.company import Company
from crmsync.sandbox.pipedrive.search_index import SEARCHED, Seen
from crmsync.sandbox.pipedrive.wire import SINGULAR

_COMMON = ("term", "fields", "exact_match", "include_fields", "limit", "cursor")
_FILTERS = {
    "persons": ("organization_id",),
    "organizations": (),
    "deals": ("person_id", "organization_id", "status"),
}
_EXACT_SCORE, _SCORE = 1.0, 0.5
_SHORTEST = 2


def search_records(call: Call) -> Answer:
    """Return a page of what has the term in one of the fields."""
    call.allow(*_COMMON, *_FILTERS[call.type])
    exact = call.flag("exact_match")
    term = (call.request.one("term") or "").strip()
    if len(term) < (1 if exact else _SHORTEST):
        raise errors.invalid([f"term: Expected at least {1 if exact else _SHORTEST} characters"])
    names = call.choices("fields", SEARCHED[call.type]) or SEARCHED[call.type]
    company = call.company
    found = company.indexes[call.type].find(term, names, company.clock.monotonic(), exact=exact)
    wanted = _filters(call)
    hits = (seen for seen in found if all(seen.values[k] == v for k, v in wanted.items()))
    cursor = call.cursor("offset", "value")
    start = cursor["value"] if cursor else 0
    page = list(islice(hits, start, start + call.limit + 1))
    score = _EXACT_SCORE if exact else _SCORE
    items = [{"result_score": score, "item": _ITEMS[call.type](company, seen)} for seen in page]
    more = len(items) > call.limit
    following = {"field": "offset", "value": start + call.limit} if more else None
    return page_answer({"items": items[: call.limit]}, following)


def _filters(call: Call) -> Json:
    wanted: Json = {}
    for parameter, key in (("person_id", "person_id"), ("organization_id", "org_id")):
        if parameter in _FILTERS[call.type] and call.request.one(parameter) is not None:
            wanted[key] = call.number(parameter)
    if call.type == "deals" and call.request.one("status") is not None:
        wanted["status"] = call.choice("status", ("open", "won", "lost"))
    return wanted


# --- what was found -----------------------------------------------------------------------------


def _person(company: Company, seen: Seen) -> Json:
    return {
        **_common("persons", seen),
        "name": seen.values["name"],
        "phones": list(seen.texts["phone"]),
        "emails": list(seen.texts["email"]),
        "organization": _link(company, "organizations", seen.values["org_id"]),
    }


def _organization(_company: Company, seen: Seen) -> Json:
    return {
        **_common("organizations", seen),
        "name": seen.values["name"],
        "address": next(iter(seen.texts["address"]), None),
    }


def _deal(company: Company, seen: Seen) -> Json:
    values = seen.values
    stages = {stage.id: stage.name for stage in company.pipelines.every_stage()}
    stage_id = values["stage_id"]
    return {
        **_common("deals", seen),
        "title": values["title"],
        "value": values["value"],
        "currency": values["currency"],
        "status": values["status"],
        "stage": {"id": stage_id, "name": stages.get(stage_id)},
        "person": _link(company, "persons", values["person_id"]),
        "organization": _link(company, "organizations", values["org_id"]),
        "is_archived": values["is_archived"],
    }


_ITEMS = {"persons": _person, "organizations": _organization, "deals": _deal}


def _common(object_type: str, seen: Seen) -> Json:
    return {
        "id": seen.id,
        "type": SINGULAR[object_type],
        "visible_to": seen.values["visible_to"],
        "owner": {"id": seen.values["owner_id"]},
        "custom_fields": list(seen.texts["custom_fields"]),
        "notes": list(seen.texts["notes"]),
    }


def _link(company: Company, object_type: str, record_id: int | None) -> Json | None:
    record = company.records[object_type].find(record_id) if record_id is not None else None
    return {"id": record.id, "name": record.values["name"]} if record else None
