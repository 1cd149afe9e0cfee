"""Pipelines and stages (v2), and users (v1)."""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.calls.call import Call, Json, answer, offset_page
from crmsync.sandbox.pipedrive.sales import User

_SORTING = ("sort_by", "sort_direction", "limit", "cursor")
_SORTS = ("id", "update_time", "add_time")
_SHORTEST = 2


def list_pipelines(call: Call) -> Answer:
    """Return a page of pipelines."""
    call.allow(*_SORTING)
    reports = [pipeline.report() for pipeline in call.company.pipelines.all.values()]
    return offset_page(call, _sorted(call, reports, _SORTS))


def read_pipeline(call: Call) -> Answer:
    """Return one pipeline."""
    return answer(call.company.pipelines.get(call.id).report())


def list_stages(call: Call) -> Answer:
    """Return a page of stages, of one pipeline or of all."""
    call.allow("pipeline_id", *_SORTING)
    wanted = call.number("pipeline_id")
    stages = call.company.pipelines.every_stage()
    reports = [stage.report() for stage in stages if wanted in (None, stage.pipeline_id)]
    return offset_page(call, _sorted(call, reports, (*_SORTS, "order_nr")))


def read_stage(call: Call) -> Answer:
    """Return one stage."""
    return answer(call.company.pipelines.get_stage(call.id).report())


def list_users(call: Call) -> Answer:
    """Return all users, deactivated ones too."""
    return answer([_user(call, user) for user in call.company.users.all.values()])


def find_users(call: Call) -> Answer:
    """Return users by a part of their name, or of their address."""
    term = (call.request.one("term") or "").lower()
    if len(term) < _SHORTEST:
        raise errors.gateway(400, "term must be at least 2 characters long")
    by_email = call.request.one("search_by_email") == "1"
    users = call.company.users.all.values()
    found = [user for user in users if term in (user.email if by_email else user.name).lower()]
    if not found and call.company.settings.empty_v1_lists_null:
        return answer(None)
    return answer([_user(call, user) for user in found])


def read_user(call: Call) -> Answer:
    """Return one user."""
    user = call.company.users.all.get(call.id)
    if user is None:
        raise errors.gateway(404, "User not found.")
    return answer(_user(call, user))


def read_me(call: Call) -> Answer:
    """Return the user whose token was sent, and their company."""
    settings = call.company.settings
    me = {
        **_user(call, call.company.users.caller),
        "company_id": settings.company_id,
        "company_name": settings.company_name,
        "company_domain": settings.company_domain,
        "company_country": "EE",
        "company_industry": "Software",
        "language": {"language_code": "en", "country_code": "US"},
    }
    return answer(me)


def _user(call: Call, user: User) -> Json:
    return user.report(call.company.created, call.company.users.caller.id)


def _sorted(call: Call, reports: list[Json], allowed: Sequence[str]) -> list[Json]:
    key = call.choice("sort_by", allowed)
    descending = call.choice("sort_direction", ("asc", "desc")) == "desc"
    return sorted(reports, key=lambda report: report[key], reverse=descending)
