"""docs/http.md says everything the API answers."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.routing import iter_route_contexts

from crmsync.api import bodies, events, hooks
from crmsync.api.app import make_app
from tests.served_api import WRITE_KEY

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "http.md").read_text()


def test_the_page_lists_exactly_the_routes_there_are(works):
    """Each method and path of the application has its line, and no line is about another."""
    found = iter_route_contexts(make_app(works, WRITE_KEY).routes)
    routes = {
        f"{method} {str(route.path).replace('{kind}', kind)}"
        for route in found
        for method in (route.methods or set()) - {"HEAD"}
        for kind in (events.KINDS if "{kind}" in str(route.path) else [""])
    }
    assert set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", PAGE, re.MULTILINE)) == routes


def test_the_page_lists_every_status_that_openapi_describes(works):
    """Those of every route have a line in the table of errors."""
    paths = make_app(works, WRITE_KEY).openapi()["paths"].values()
    described = {status for path in paths for status in path["post"]["responses"]}
    listed = set(re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE))
    assert described - {"200", "default"} <= listed


def test_the_page_names_the_limits_of_the_code():
    """1 MiB, a thousand calls, half a minute; and what a CRM may count on."""
    assert f"| {bodies.MAX_BODY_BYTES // 1024**2} MiB |" in PAGE
    assert f"| {events.MAX_CALLS:,} |" in PAGE
    assert f"| {bodies.BODY_SECONDS:g} s |" in PAGE
    assert f"takes {hooks.ANSWER_SECONDS:g} seconds at most" in PAGE
