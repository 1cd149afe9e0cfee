"""Which call answers which path, what scopes it needs, what it costs and whether it is heavy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from crmsync.sandbox.http import Answer
from crmsync.sandbox.zoho.calls import (
    merging,
    oauth,
    querying,
    reading,
    related,
    settings,
    upsert,
    watching,
    writing,
)
from crmsync.sandbox.zoho.calls.call import Call
from crmsync.sandbox.zoho.coql import plan
from crmsync.sandbox.zoho.errors import ApiError

_RECORDS_A_CREDIT = 10

Cost = Callable[[Call], int]
"""Returns the credits a call costs."""


def _one(_call: Call) -> int:
    return 1


def _two(_call: Call) -> int:
    return 2


def _by_records(call: Call) -> int:
    return max(-(-_records_in(call) // _RECORDS_A_CREDIT), 1)


def _by_limit(call: Call) -> int:
    try:
        return plan.credits_of(querying.read_query(call))
    except ApiError:
        return 1


def _by_view(call: Call) -> int:
    return 1 if call.request.one("cvid") is None else 3


def _never(_call: Call) -> bool:
    return False


def _always(_call: Call) -> bool:
    return True


def _many_records(call: Call) -> bool:
    return _records_in(call) > _RECORDS_A_CREDIT


def _view(call: Call) -> bool:
    return call.request.one("cvid") is not None


def _records_in(call: Call) -> int:
    try:
        data = call.body.get("data")
    except ApiError:
        return 0
    return len(data) if isinstance(data, list) else 0


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method."""

    method: str
    path: str
    """With what varies in braces."""
    answer: Callable[[Call], Answer]
    scopes: tuple[str, ...] = ()
    """All of which the caller needs, `{module}` standing for the one in the path. None: open."""
    cost: Cost = _one
    heavy: Callable[[Call], bool] = _never
    """Whether it takes one of the few places for heavy calls."""


_READ = ("modules.{module}.READ",)
_CREATE = ("modules.{module}.CREATE",)
_UPDATE = ("modules.{module}.UPDATE",)
_DELETE = ("modules.{module}.DELETE",)
_S = "/crm/v8/settings"
_M = "/crm/v8/{module}"
_W = "/crm/v8/actions/watch"

_R = Route
ROUTES = (
    _R("GET", "/oauth/v2/auth", oauth.authorize),
    _R("POST", "/oauth/v2/token", oauth.token),
    _R("GET", f"{_S}/modules", settings.list_modules, ("settings.modules.READ",)),
    _R("GET", f"{_S}/modules/{{module}}", settings.read_module, ("settings.modules.READ",)),
    _R("GET", f"{_S}/fields", settings.list_fields, ("settings.fields.READ",)),
    _R("POST", f"{_S}/fields", settings.create_fields, ("settings.fields.CREATE",)),
    _R("GET", f"{_S}/fields/{{id}}", settings.read_field, ("settings.fields.READ",)),
    _R("GET", f"{_S}/layouts", settings.list_layouts, ("settings.layouts.READ",)),
    _R("GET", f"{_S}/pipeline", settings.list_pipelines, ("settings.pipeline.READ",)),
    _R("GET", "/crm/v8/users", settings.list_users, ("users.READ",)),
    _R("GET", "/crm/v8/users/{id}", settings.read_user, ("users.READ",)),
    _R("GET", "/crm/v8/org", settings.read_org, ("org.READ",)),
    _R("POST", "/crm/v8/coql", querying.query, ("coql.READ",), _by_limit, _always),
    _R("GET", _W, watching.list_channels, ("notifications.READ",)),
    _R("POST", _W, watching.enable, ("notifications.CREATE",)),
    _R("PUT", _W, watching.update, ("notifications.UPDATE",)),
    _R("DELETE", _W, watching.disable, ("notifications.DELETE",)),
    _R("GET", "/crm/v8/Contacts/roles", related.list_roles, ("modules.Contacts.READ",)),
    _R("POST", f"{_M}/upsert", upsert.upsert, _CREATE + _UPDATE, _by_records, _many_records),
    _R("GET", f"{_M}/deleted", reading.read_deleted, _READ, _two),
    _R("GET", f"{_M}/search", querying.search, _READ),
    _R("GET", _M, reading.read_list, _READ, _by_view, _view),
    _R("POST", _M, writing.insert, _CREATE, _by_records, _many_records),
    _R("PUT", _M, writing.update, _UPDATE, _by_records, _many_records),
    _R("DELETE", _M, writing.delete, _DELETE),
    _R("GET", f"{_M}/{{id}}", reading.read_one, _READ),
    _R("PUT", f"{_M}/{{id}}", writing.update_one, _UPDATE),
    _R("DELETE", f"{_M}/{{id}}", writing.delete_one, _DELETE),
    _R("POST", f"{_M}/{{id}}/actions/merge", merging.merge, _UPDATE),
    _R("GET", f"{_M}/{{id}}/Contact_Roles", related.read_contact_roles, _READ),
    _R("PUT", f"{_M}/{{id}}/Contact_Roles/{{related}}", related.set_contact_role, _UPDATE),
    _R("GET", f"{_M}/{{id}}/{{list}}", related.read_related, _READ),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


_PATTERNS = [(_pattern(route.path), route) for route in ROUTES]


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a path, and what varies in it."""
    for pattern, route in _PATTERNS:
        if route.method == method:
            match = pattern.fullmatch(path)
            if match is not None:
                return route, match.groupdict()
    return None


def known(path: str) -> bool:
    """Say whether a path takes any method."""
    return any(pattern.fullmatch(path) for pattern, _ in _PATTERNS)
