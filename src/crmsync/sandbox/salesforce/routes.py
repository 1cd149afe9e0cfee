"""Which call answers which path, and whether it needs a token and counts toward the limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.salesforce.calls import about, collections, composite, oauth, query, records
from crmsync.sandbox.salesforce.calls.call import Call

Area = Literal["api", "identity", "open"]
"""`api` needs a token and counts, `identity` needs a token, `open` neither."""


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method."""

    method: str
    path: str
    """With what varies in braces."""
    answer: Callable[[Call], Answer]
    area: Area = "api"


_V = "/services/data/v{version}"
_S = f"{_V}/sobjects"
_C = f"{_V}/composite"
_O = "/services/oauth2"

_R = Route
ROUTES = (
    _R("GET", f"{_C}/sobjects/{{type}}", collections.read_by_get),
    _R("POST", f"{_C}/sobjects/{{type}}", collections.read_by_post),
    _R("PATCH", f"{_C}/sobjects/{{type}}/{{key}}", collections.upsert),
    _R("POST", f"{_C}/sobjects", collections.create),
    _R("PATCH", f"{_C}/sobjects", collections.update),
    _R("DELETE", f"{_C}/sobjects", collections.delete),
    _R("POST", _C, composite.composite),
    _R("GET", f"{_V}/query", query.query),
    _R("GET", f"{_V}/queryAll", query.query_all),
    _R("GET", f"{_V}/query/{{locator}}", query.more),
    _R("GET", f"{_V}/queryAll/{{locator}}", query.more),
    _R("GET", _S, about.sobjects),
    _R("GET", f"{_S}/{{type}}", about.metadata),
    _R("POST", f"{_S}/{{type}}", records.create),
    _R("GET", f"{_S}/{{type}}/describe", about.describe),
    _R("GET", f"{_S}/{{type}}/{{id}}", records.read),
    _R("PATCH", f"{_S}/{{type}}/{{id}}", records.update),
    _R("DELETE", f"{_S}/{{type}}/{{id}}", records.delete),
    _R("GET", f"{_S}/{{type}}/{{key}}/{{value}}", records.read_by_key),
    _R("PATCH", f"{_S}/{{type}}/{{key}}/{{value}}", records.upsert),
    _R("DELETE", f"{_S}/{{type}}/{{key}}/{{value}}", records.delete_by_key),
    _R("GET", f"{_V}/limits", about.limits),
    _R("GET", _V, about.resources),
    _R("GET", "/services/data", about.versions, "open"),
    _R("GET", f"{_O}/authorize", oauth.authorize, "open"),
    _R("POST", f"{_O}/token", oauth.token, "open"),
    _R("POST", f"{_O}/revoke", oauth.revoke, "open"),
    _R("GET", f"{_O}/userinfo", about.identity, "identity"),
    _R("GET", "/id/{organization}/{user}", about.identity, "identity"),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?")


_PATTERNS = [(_pattern(route.path), route) for route in ROUTES]


def find(request: Request) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and what varies in its path.

    The path is looked at as it came: an encoded slash belongs to a key, a bare one does not.
    """
    path = _raw_path(request)
    for pattern, route in _PATTERNS:
        if route.method == request.method:
            match = pattern.fullmatch(path)
            if match is not None:
                return route, {name: unquote(part) for name, part in match.groupdict().items()}
    return None


def methods(request: Request) -> list[str]:
    """Return the methods that the request's path is good for."""
    path = _raw_path(request)
    return [route.method for pattern, route in _PATTERNS if pattern.fullmatch(path)]


def _raw_path(request: Request) -> str:
    return request.target.partition("?")[0] or request.path
