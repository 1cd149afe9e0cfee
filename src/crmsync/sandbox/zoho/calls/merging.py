"""Merging records through the API."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.calls.call import Call
from crmsync.sandbox.zoho.errors import ApiError

MAX_LOSERS = 2


def merge(call: Call) -> Answer:
    """Merge up to two records into the one in the path."""
    master = call.records.find(call.path["id"])
    if master is None:
        raise errors.invalid_id(1)
    [asked] = call.listed("merge", 1)
    given = asked.get("data")
    path = "$.merge[0].data"
    if not isinstance(given, list) or not given:
        raise errors.missing_member("data", path)
    losers = []
    try:
        if len(given) > MAX_LOSERS:
            raise errors.limit_exceeded(MAX_LOSERS, api_name="data", json_path=path)
        for place, one in enumerate(given):
            loser = call.records.find(str(one.get("id")))
            if loser is None or loser is master:
                raise errors.no_such_record(f"{path}[{place}].id")
            losers.append(loser)
    except ApiError as error:
        return Answer.of(error.status, {"merge": [error.entry()]})
    call.org.merge(call.module, master, losers)
    entry = {
        "code": "SUCCESS",
        "details": {"id": master.id},
        "message": "records merged",
        "status": "success",
    }
    return Answer.of(201, {"merge": [entry]})
