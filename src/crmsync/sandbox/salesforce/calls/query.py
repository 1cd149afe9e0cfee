"""SOQL over HTTP: a first page, and those that follow by locator."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crmsync.sandbox.http import Answer
from crmsync.sandbox.salesforce.calls.call import Call, Json
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.records import Record
from crmsync.sandbox.salesforce.soql.cursors import Cursor
from crmsync.sandbox.salesforce.soql.meaning import Selection
from crmsync.sandbox.salesforce.soql.run import run

_BATCH_SIZE = re.compile(r"batchsize\s*=\s*(\d+)", re.IGNORECASE)
_SMALLEST_PAGE, _LARGEST_PAGE = 200, 2000


def query(call: Call) -> Answer:
    """Run a query over live records."""
    return _query(call, deleted_too=False)


def query_all(call: Call) -> Answer:
    """Run a query over live and deleted records."""
    return _query(call, deleted_too=True)


def more(call: Call) -> Answer:
    """Return the page a locator stands for."""
    locator = call.path["locator"]
    cursor, start = call.org.cursors.find(locator)
    return Answer.of(200, _page(call, cursor, start, locator.partition("-")[0]))


def _query(call: Call, *, deleted_too: bool) -> Answer:
    text = call.request.one("q")
    if not text:
        raise Refusal("MALFORMED_QUERY", "A query string has to be specified")
    found = run(call.org.tables, text, deleted_too=deleted_too)
    if found.selection is None:
        return Answer.of(200, {"totalSize": len(found.rows), "done": True, "records": []})
    page = min(call.org.settings.query_page, _batch_size(call))
    return Answer.of(200, _first_page(call, found.rows, found.selection, page))


def _first_page(call: Call, rows: Sequence[Record], selection: Selection, page: int) -> Json:
    if len(rows) <= page:
        return _page(call, Cursor(rows, selection, page, 0.0), 0, "")
    locator = call.org.cursors.keep(rows, selection, page)
    cursor, _ = call.org.cursors.find(f"{locator}-0")
    return _page(call, cursor, 0, locator)


def _page(call: Call, cursor: Cursor, start: int, locator: str) -> Json:
    end = start + cursor.page
    rows = cursor.rows[start:end]
    answer: Json = {"totalSize": len(cursor.rows), "done": end >= len(cursor.rows)}
    if not answer["done"]:
        answer["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{locator}-{end}"
    answer["records"] = [_row(call, cursor.selection, record) for record in rows]
    return answer


def _row(call: Call, selection: Selection, record: Record) -> Json:
    row = selection.show(record, call.version)
    for name, children in selection.children.items():
        found, page = children.by_parent.get(record.id), call.org.settings.subquery_page
        row[name] = found and _first_page(call, found, children.selection, page)
    return row


def _batch_size(call: Call) -> int:
    asked = _BATCH_SIZE.search(call.request.headers.get("sforce-query-options", ""))
    if asked is None:
        return _LARGEST_PAGE
    return min(max(int(asked[1]), _SMALLEST_PAGE), _LARGEST_PAGE)
