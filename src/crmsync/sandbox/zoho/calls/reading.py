"""Reading records: one, a list in pages, and those that were deleted."""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho import errors, paging
from crmsync.sandbox.zoho.calls.call import MAX_PAGE, NOTHING, Call, listing
from crmsync.sandbox.zoho.org import LISTED_SECONDS, RECYCLE_SECONDS
from crmsync.sandbox.zoho.records import Deletion, Record

MAX_FIELDS = 50
MAX_IDS = 100

_SORTS = ("id", "Created_Time", "Modified_Time")
_BOUND = ("fields", "per_page", "sort_by", "sort_order", "ids", "converted")
"""Parameters that have to stay the same from page to page."""


def read_list(call: Call) -> Answer:
    """Return a page of the records of a module."""
    names = fields_asked(call)
    per_page = call.number("per_page", MAX_PAGE, MAX_PAGE)
    offset = _offset(call, per_page)
    since = call.time_header("If-Modified-Since")
    found = _sorted(call, _wanted(call, since))
    page = found[offset : offset + per_page]
    info = {
        "per_page": per_page,
        "count": len(page),
        "page": offset // per_page + 1,
        "sort_by": call.request.one("sort_by") or "id",
        "sort_order": call.request.one("sort_order") or "desc",
        "more_records": offset + per_page < len(found),
        **_tokens(call, offset, per_page, len(found)),
    }
    data = [shown(call, record, names) for record in page]
    return listing(data, info, unmodified=since is not None)


def read_one(call: Call) -> Answer:
    """Return one record, with all its fields where none are named."""
    record_id = call.path["id"]
    if not record_id.isdigit():
        raise errors.invalid_id(1)
    record = call.records.find(record_id)
    if record is None:
        if call.org.settings.unknown_id == "400":
            raise errors.invalid_id(1)
        return Answer(NOTHING)
    names = call.names("fields") or list(call.records.fields.all)
    return Answer.of(200, {"data": [shown(call, record, names) | _states(record)]})


def read_deleted(call: Call) -> Answer:
    """Return a page of what was deleted or merged away, newest first."""
    kind = call.request.one("type") or "all"
    if kind not in ("all", "recycle", "permanent"):
        raise errors.invalid_parameter("type")
    since = call.time_header("If-Modified-Since")
    page = call.number("page", 1)
    per_page = call.number("per_page", MAX_PAGE, MAX_PAGE)
    found = [
        _deleted(call, record, deletion)
        for record in call.records.by_id.values()
        if (deletion := record.deleted) is not None
        and (since is None or deletion.at > since)
        and deletion.at > call.org.now() - LISTED_SECONDS
        and kind in ("all", _kind(call, deletion))
    ]
    found.sort(key=lambda entry: entry["deleted_time"], reverse=True)
    data = found[(page - 1) * per_page : page * per_page]
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(data), "page": page, "more_records": more}
    return listing(data, info, unmodified=since is not None)


def shown(call: Call, record: Record, names: Sequence[str]) -> Json:
    """Return a record as read, with its id; fields that do not exist are left out."""
    known = call.records.fields.all
    values = {name: call.org.shown(call.module, record, name) for name in names if name in known}
    return {**values, "id": record.id}


def fields_asked(call: Call) -> list[str]:
    """Return the fields a list is to show; they must be named."""
    names = call.names("fields")
    if not names:
        raise errors.missing_parameter("fields")
    if len(names) > MAX_FIELDS:
        raise errors.limit_exceeded(MAX_FIELDS, param_name="fields")
    return names


# --- inside -------------------------------------------------------------------------------------


def _wanted(call: Call, since: int | None) -> list[Record]:
    ids = call.names("ids")
    if len(ids) > MAX_IDS:
        raise errors.limit_exceeded(MAX_IDS, param_name="ids")
    if call.request.one("cvid") is not None:
        raise errors.invalid_parameter("cvid")
    found = (call.records.find(one) for one in ids) if ids else call.records.live()
    converted = call.request.one("converted") or "false"
    return [
        record
        for record in found
        if record is not None
        and (since is None or record.modified > since)
        and (converted == "both" or ("converted" in record.states) == (converted == "true"))
    ]


def _sorted(call: Call, found: list[Record]) -> list[Record]:
    sort_by = call.request.one("sort_by") or "id"
    order = call.request.one("sort_order") or "desc"
    if sort_by not in _SORTS:
        raise errors.invalid_parameter("sort_by")
    if order not in ("asc", "desc"):
        raise errors.invalid_parameter("sort_order")
    # Ids come in the order of making, which is the order records are kept in.
    if sort_by == "Modified_Time":
        found.sort(key=lambda record: record.modified)
    if order == "desc":
        found.reverse()
    return found


def _offset(call: Call, per_page: int) -> int:
    token = call.request.one("page_token")
    if token is None:
        page = call.number("page", 1)
        paging.check_page(page, per_page)
        return (page - 1) * per_page
    if call.request.one("page") is not None:
        raise errors.contradictory("page", "page_token")
    offset = call.org.page_tokens.redeem(token, _bound(call), call.org.now())
    paging.check_depth(offset + per_page)
    return offset


def _tokens(call: Call, offset: int, per_page: int, total: int) -> Json:
    tokens, bound = call.org.page_tokens, _bound(call)
    expires_at = call.org.now() + paging.TOKEN_SECONDS
    after, before = offset + per_page, max(offset - per_page, 0)
    following = tokens.issue(after, bound, expires_at) if after < total else None
    previous = tokens.issue(before, bound, expires_at) if offset > 0 else None
    return {
        "next_page_token": following,
        "previous_page_token": previous,
        "page_token_expiry": call.org.iso(expires_at) if following or previous else None,
    }


def _bound(call: Call) -> paging.Bound:
    return (call.module, call.scopes, *map(call.request.one, _BOUND))


def _states(record: Record) -> Json:
    return {
        "$approval_state": "waiting" if "waiting" in record.states else "approved",
        "$locked_for_me": "locked" in record.states,
        "$in_blueprint": "blueprint" in record.states,
        "$converted": "converted" in record.states,
    }


def _kind(call: Call, deletion: Deletion) -> str:
    old = deletion.at <= call.org.now() - RECYCLE_SECONDS
    return "permanent" if deletion.permanent or old else "recycle"


def _deleted(call: Call, record: Record, deletion: Deletion) -> Json:
    org = call.org
    return {
        "deleted_by": org.user(deletion.user).brief(),
        "id": record.id,
        "display_name": org.name_of(call.module, record),
        "type": _kind(call, deletion),
        "created_by": org.user(record.created_by).brief(),
        "deleted_time": org.iso(deletion.at),
    }
