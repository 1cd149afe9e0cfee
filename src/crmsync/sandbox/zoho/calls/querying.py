"""COQL and search: finding records by what they hold."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.accounts import within
from crmsync.sandbox.zoho.calls.call import MAX_PAGE, Call, listing
from crmsync.sandbox.zoho.calls.reading import shown
from crmsync.sandbox.zoho.coql import plan
from crmsync.sandbox.zoho.coql.grammar import Query, Unreadable, parse
from crmsync.sandbox.zoho.criteria import Matches, read_criteria
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.paging import check_page

_BY = {"email": ("email",), "phone": ("phone",), "word": ("text", "email", "phone", "website")}
"""Types of the fields that a search without criteria looks into."""


def query(call: Call) -> Answer:
    """Answer a COQL query from what is held now."""
    asked = read_query(call)
    if not within(f"ZohoCRM.modules.{asked.module}.READ", call.scopes):
        raise errors.missing_scope()
    result = plan.run(call.org, asked)
    return listing(result.rows, {"count": len(result.rows), "more_records": result.more})


def read_query(call: Call) -> Query:
    """Return the query sent; 400 where it cannot be read."""
    text = call.body.get("select_query")
    if text is None:
        raise errors.missing_member("select_query", "$.select_query")
    if not isinstance(text, str):
        raise errors.wrong_type("text", "select_query", "$.select_query")
    try:
        return parse(text)
    except Unreadable as error:
        raise ApiError(
            400, "SYNTAX_ERROR", "error occurred while parsing the query",
            line=error.line, column=error.column, near=error.near,
        ) from None  # fmt: skip


def search(call: Call) -> Answer:
    """Answer a search from the index, which lags behind what is held."""
    matches = _matches(call)
    page = call.number("page", 1)
    per_page = call.number("per_page", MAX_PAGE, MAX_PAGE)
    check_page(page, per_page)
    now = call.org.clock.time()
    found = []
    for record in call.records.live():
        values = call.records.as_indexed(record, now)
        if values is not None and "converted" not in record.states and matches(values):
            found.append(record)
    data = found[(page - 1) * per_page : page * per_page]
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(data), "page": page, "more_records": more}
    names = call.names("fields") or list(call.records.fields.all)
    return listing([shown(call, record, names) for record in data], info)


def _matches(call: Call) -> Matches:
    criteria = call.request.one("criteria")
    if criteria is not None:
        return read_criteria(criteria, call.records.fields)
    for parameter, types in _BY.items():
        wanted = call.request.one(parameter)
        if wanted is not None:
            names = [f.api_name for f in call.records.fields.all.values() if f.data_type in types]
            return _holds(names, wanted.casefold(), whole=parameter != "word")
    raise errors.missing_parameter("criteria")


def _holds(names: list[str], wanted: str, *, whole: bool) -> Matches:
    def matches(values: dict[str, object]) -> bool:
        texts = (str(values.get(name) or "").casefold() for name in names)
        return any(wanted == text if whole else wanted in text for text in texts)

    return matches
