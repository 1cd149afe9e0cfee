"""Who sells, and by which steps: the company's users, and its pipelines with their stages."""

from __future__ import annotations

from collections.abc import Iterator

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.pipedrive.calls import Calls, Entry
from crmsync.connectors.pipedrive.limits import LIST_USERS
from crmsync.errors import Unavailable
from crmsync.model import Owner, Stage

USERS = "/users"


def owners(calls: Calls) -> list[Owner]:
    """Return every user, deactivated ones too: one call, 20 tokens, by v1."""
    return [
        Owner(
            id=str(user["id"]),
            email=str(user.get("email") or "").strip().lower(),
            name=str(user.get("name") or ""),
            is_active=bool(user.get("active_flag")) and not user.get("is_deleted"),
        )
        for user in calls.v1_list(USERS, cost=LIST_USERS)
    ]


def stages(calls: Calls) -> list[Stage]:
    """Return the stages of all pipelines: two calls, 5 tokens each."""
    pipelines = {str(entry["id"]): entry for entry in _there(calls, "/pipelines")}
    told = list(_there(calls, "/stages"))
    try:
        return [
            Stage(
                id=str(entry["id"]),
                label=str(entry.get("name") or ""),
                pipeline_id=pipeline_id,
                pipeline=str(pipelines[pipeline_id].get("name") or ""),
                position=int(entry.get("order_nr") or 0),
            )
            for entry in told
            # Those of a pipeline that was deleted between the two calls are on their way out.
            if (pipeline_id := str(entry.get("pipeline_id"))) in pipelines
        ]
    except UNREADABLE:
        raise Unavailable("GET /stages: the answer has another shape than documented") from None


def _there(calls: Calls, path: str) -> Iterator[Entry]:
    for page in calls.pages(path, {}):
        yield from (entry for entry in page if not entry.get("is_deleted"))
