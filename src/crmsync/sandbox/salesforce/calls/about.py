"""What the org is: API versions, object types and their fields, limits, and who is calling."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from crmsync.sandbox.http import Answer
from crmsync.sandbox.salesforce.calls.call import Call, Json
from crmsync.sandbox.salesforce.wire import API_USER_ID, ORGANIZATION_ID

OLDEST_VERSION, NEWEST_VERSION = 31, 67
_SEASONS = ("Winter", "Spring", "Summer")
_WINTER_24 = 59
_NOT_MODIFIED = 304


def versions(_call: Call) -> Answer:
    """List the API versions there are; no token needed."""
    listed = [
        {
            "label": f"{_SEASONS[(n - _WINTER_24) % 3]} '{24 + (n - _WINTER_24) // 3}",
            "url": f"/services/data/v{n}.0",
            "version": f"{n}.0",
        }
        for n in range(OLDEST_VERSION, NEWEST_VERSION + 1)
    ]
    return Answer.of(200, listed)


def resources(call: Call) -> Answer:
    """List the resources of one API version."""
    base = f"/services/data/v{call.version}"
    names = ("sobjects", "query", "queryAll", "composite", "limits")
    return Answer.of(200, {name: f"{base}/{name}" for name in names})


def sobjects(call: Call) -> Answer:
    """List the object types."""
    listed = [table.type.summary(call.version) for table in call.org.tables.values()]
    return Answer.of(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})


def metadata(call: Call) -> Answer:
    """Describe an object type briefly."""
    summary = call.table.type.summary(call.version)
    return Answer.of(200, {"objectDescribe": summary, "recentItems": []})


def describe(call: Call) -> Answer:
    """Describe an object type and the fields this user sees; 304 if nothing changed since."""
    changed_at = datetime.fromtimestamp(call.table.type.changed_at, UTC)
    headers = {"Last-Modified": format_datetime(changed_at, usegmt=True)}
    since = call.request.headers.get("if-modified-since")
    if since is not None and changed_at <= _read_date(since):
        return Answer(_NOT_MODIFIED, headers=headers)
    return Answer.of(200, call.table.type.describe(call.version), headers)


def limits(call: Call) -> Answer:
    """Return what is left of the org's allowances."""
    return Answer.of(200, call.org.usage.report())


def identity(call: Call) -> Answer:
    """Say whose token this is."""
    user = call.org.tables["User"].by_id[API_USER_ID].values
    base = f"{call.own_url}/services/data/v{{version}}/"
    answer: Json = {
        "id": f"{call.own_url}/id/{ORGANIZATION_ID}/{API_USER_ID}",
        "user_id": API_USER_ID,
        "organization_id": ORGANIZATION_ID,
        "username": user["Username"],
        "preferred_username": user["Username"],
        "display_name": user["Name"],
        "name": user["Name"],
        "email": user["Email"],
        "active": user["IsActive"],
        "urls": {"rest": base, "sobjects": f"{base}sobjects/", "query": f"{base}query/"},
    }
    return Answer.of(200, answer)


def _read_date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
