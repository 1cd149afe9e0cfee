"""Which call answers which path, what scope it needs, what it costs and which limit counts it.

Costs in tokens of the daily budget: pipedrive.readme.io, rate limiting; OpenAPI `x-token-cost`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive.calls import (
    fields,
    lists,
    merging,
    oauth,
    records,
    sales,
    search,
    webhooks,
)
from crmsync.sandbox.pipedrive.calls.call import Call
from crmsync.sandbox.pipedrive.wire import OBJECT_TYPES, SINGULAR


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method."""

    method: str
    path: str
    """With what varies in braces."""
    answer: Callable[[Call], Answer]
    cost: int = 0
    scopes: tuple[str, ...] = ()
    """Of these the app needs one."""
    search: bool = False
    """Whether the limiter of searches counts it."""
    open: bool = False
    """Whether it needs no token."""
    type: str = ""
    """The object type it is about, in the plural."""


def _of_records(name: str) -> Iterator[Route]:
    area = "deals" if name == "deals" else "contacts"
    reading, writing = (f"{area}:read", f"{area}:full"), (f"{area}:full",)
    path, one = f"/api/v2/{name}", f"/api/v2/{name}/{{id}}"
    searching = (*reading, "search:read")
    yield Route("GET", path, lists.list_records, 10, reading)
    if name == "deals":
        yield Route("GET", f"{path}/archived", lists.list_archived, 20, reading)
    yield Route("GET", f"{path}/search", search.search_records, 20, searching, search=True)
    yield Route("POST", path, records.create, 5, writing)
    yield Route("GET", one, records.read, 1, reading)
    yield Route("PATCH", one, records.update, 5, writing)
    yield Route("DELETE", one, records.delete, 3, writing)
    yield Route("PUT", f"/api/v1/{name}/{{id}}/merge", merging.merge, 40, writing)


def _of_fields(name: str) -> Iterator[Route]:
    area = "deal" if name == "deals" else "contact"
    making = ("admin", f"{area}-fields:full")
    reading = (f"{area}s:read", f"{area}s:full", *making)
    changing = (f"{area}s:full", *making)
    path = f"/api/v2/{SINGULAR[name]}Fields"
    one, options = f"{path}/{{code}}", f"{path}/{{code}}/options"
    yield Route("GET", path, fields.list_fields, 10, reading)
    yield Route("POST", path, fields.create_field, 5, making)
    yield Route("GET", one, fields.read_field, 1, reading)
    yield Route("PATCH", one, fields.rename_field, 5, changing)
    yield Route("DELETE", one, fields.delete_field, 3, making)
    yield Route("POST", options, fields.add_options, 5, changing)
    yield Route("PATCH", options, fields.rename_options, 5, changing)
    yield Route("DELETE", options, fields.delete_options, 3, changing)


_SALES = ("deals:read", "deals:full", "admin")
_USERS = ("users:read",)

ROUTES = (
    *(replace(route, type=name) for name in OBJECT_TYPES for route in _of_records(name)),
    *(replace(route, type=name) for name in OBJECT_TYPES for route in _of_fields(name)),
    Route("GET", "/api/v2/pipelines", sales.list_pipelines, 5, _SALES),
    Route("GET", "/api/v2/pipelines/{id}", sales.read_pipeline, 1, _SALES),
    Route("GET", "/api/v2/stages", sales.list_stages, 5, _SALES),
    Route("GET", "/api/v2/stages/{id}", sales.read_stage, 1, _SALES),
    Route("GET", "/api/v1/users", sales.list_users, 20, _USERS),
    Route("GET", "/api/v1/users/me", sales.read_me, 2, ("base",)),
    Route("GET", "/api/v1/users/find", sales.find_users, 40, _USERS),
    Route("GET", "/api/v1/users/{id}", sales.read_user, 2, _USERS),
    Route("GET", "/api/v1/webhooks", webhooks.list_webhooks, 10, ("admin",)),
    Route("POST", "/api/v1/webhooks", webhooks.create, 10, ("admin",)),
    Route("DELETE", "/api/v1/webhooks/{id}", webhooks.delete, 6, ("admin",)),
    Route("GET", "/oauth/authorize", oauth.authorize, open=True),
    Route("POST", "/oauth/token", oauth.token, open=True),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?")


_PATTERNS = [(_pattern(route.path), route) for route in ROUTES]


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a path, and what varies in it; None where there is none."""
    spelled = _spelled(path)
    for pattern, route in _PATTERNS:
        match = pattern.fullmatch(spelled) if route.method == method else None
        if match is not None:
            return route, match.groupdict()
    return None


def exists(path: str) -> bool:
    """Say whether a path has any method."""
    spelled = _spelled(path)
    return any(pattern.fullmatch(spelled) for pattern, _ in _PATTERNS)


def _spelled(path: str) -> str:
    """Return a path of v1 in the longer of its two spellings."""
    return f"/api{path}" if path.startswith("/v1/") else path
