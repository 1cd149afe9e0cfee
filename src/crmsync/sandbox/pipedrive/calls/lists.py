"""Lists of records, filtered, in one of three orders, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.calls.call import Call, Json, is_number, page_answer
from crmsync.sandbox.pipedrive.calls.shown import shower
from crmsync.sandbox.pipedrive.records import PURGE_SECONDS, Position, Record, SortBy

MAX_IDS = 100

_COMMON = (
    "filter_id", "ids", "owner_id", "updated_since", "updated_until", "sort_by", "sort_direction",
    "include_fields", "custom_fields", "include_option_labels", "include_labels", "limit",
    "cursor",
)  # fmt: skip
_LINKS = {
    "persons": ("org_id",),
    "organizations": (),
    "deals": ("person_id", "org_id", "pipeline_id", "stage_id"),
}
"""Filters that compare a value, besides `owner_id`."""
_MORE = {"persons": ("deal_id",), "organizations": (), "deals": ("status",)}
_STATUSES = ("open", "won", "lost", "deleted")
_SORTS = ("id", "update_time", "add_time")

_Test = Callable[[Record], bool]


def list_records(call: Call) -> Answer:
    """Return a page of records that are not deleted; of deals, those that are not archived."""
    return _page(call, archived=False)


def list_archived(call: Call) -> Answer:
    """Return a page of archived deals."""
    return _page(call, archived=True)


def _page(call: Call, *, archived: bool) -> Answer:
    call.allow(*_COMMON, *_LINKS[call.type], *_MORE[call.type])
    sort_by = cast("SortBy", call.choice("sort_by", _SORTS))
    descending = call.choice("sort_direction", ("asc", "desc")) == "desc"
    tests, show = _tests(call, archived=archived), shower(call)
    records = call.company.records[call.type]
    data: list[Json] = []
    last: Position = (0, 0)
    after, among = _start(call, sort_by, descending=descending), _ids(call)
    for position, record in records.listed(sort_by, after, descending=descending, among=among):
        if not all(test(record) for test in tests):
            continue
        if len(data) == call.limit:
            return page_answer(data, {"field": sort_by, "value": last[0], "id": last[1]})
        data.append(show(record))
        last = position
    return page_answer(data, None)


def _start(call: Call, sort_by: SortBy, *, descending: bool) -> Position | None:
    cursor = call.cursor(sort_by, "value", "id")
    if cursor is not None:
        return cursor["value"], cursor["id"]
    since = call.moment("updated_since")
    if sort_by == "update_time" and not descending and since is not None:
        # Nothing before it would pass the filter.
        return since, -1
    return None


# --- filters ------------------------------------------------------------------------------------


def _tests(call: Call, *, archived: bool) -> list[_Test]:
    if call.request.one("filter_id") is not None:
        raise errors.not_found("filter")
    tests: list[_Test] = [_alive(call)]
    if call.type == "deals":
        tests.append(lambda record: record.values["is_archived"] is archived)
    tests += _times(call)
    for key in ("owner_id", *_LINKS[call.type]):
        wanted = call.number(key)
        if wanted is not None:
            tests.append(_holds(key, wanted))
    if call.type == "persons" and call.request.one("deal_id") is not None:
        deal = call.company.records["deals"].find(call.number("deal_id") or 0)
        person_id = deal.values["person_id"] if deal else None
        tests.append(lambda record: record.id == person_id)
    return tests


def _alive(call: Call) -> _Test:
    statuses = call.choices("status", _STATUSES) if call.type == "deals" else []
    oldest = call.company.now() - PURGE_SECONDS

    def test(record: Record) -> bool:
        if record.deleted is not None:
            return "deleted" in statuses and record.deleted > oldest
        return not statuses or record.values["status"] in statuses

    return test


def _ids(call: Call) -> list[int] | None:
    listed = call.names("ids", MAX_IDS)
    if call.request.one("ids") is None:
        return None
    if not all(is_number(one) for one in listed):
        raise errors.invalid(["ids: Expected integers joined by commas"])
    return [int(one) for one in listed]


def _times(call: Call) -> list[_Test]:
    tests: list[_Test] = []
    since, until = call.moment("updated_since"), call.moment("updated_until")
    if since is not None:
        tests.append(lambda record: record.updated >= since)
    if until is not None:
        tests.append(lambda record: record.updated < until)
    return tests


def _holds(key: str, wanted: int) -> _Test:
    return lambda record: record.values[key] == wanted
