"""The simulated Pipedrive is what Pipedrive's own descriptions say: answers, prices and scopes."""

from __future__ import annotations

import json

import pytest
import requests

from crmsync.sandbox.pipedrive.routes import ROUTES
from tests.openapi.pipedrive_exchanges import EXCEPTIONS, described_path
from tests.openapi.tally import OPENAPI, available
from tests.sandboxes import running

pytestmark = pytest.mark.skipif(
    not available(), reason=f"the OpenAPI data of the CRMs is not at {OPENAPI}"
)

TOKEN = "0123456789abcdef" * 2 + "01234567"
ADDRESS = {"value": "1 Main St", "country": "UK"}
CONTACTS = [{"value": "a@x.io", "primary": True, "label": "work"}, {"value": "b@x.io"}]
BODIES = {
    "persons": {
        "name": "Ann Lee", "emails": CONTACTS, "phones": CONTACTS, "visible_to": 7,
        "label_ids": [1], "add_time": "2026-01-01T00:00:00Z", "birthday": "2000-01-01",
        "postal_address": ADDRESS, "notes": "N", "im": CONTACTS, "job_title": "CTO",
    },
    "organizations": {
        "name": "X", "address": ADDRESS, "website": "x.io", "industry": 1,
        "annual_revenue": 5, "employee_count": 6, "linkedin": None,
    },
    "deals": {
        "title": "D", "value": 1.5, "currency": "USD", "status": "lost", "lost_reason": "price",
        "probability": 50, "expected_close_date": "2026-01-01", "is_archived": False,
    },
}  # fmt: skip
SINGULAR = {"persons": "person", "organizations": "organization", "deals": "deal"}
DESCRIBED = [route for route in ROUTES if not route.open]


class Caller:
    """Calls the sandbox and remembers nothing."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.session.headers["x-api-token"] = TOKEN

    def __call__(self, method, path, body=None, **more):
        """Send JSON; return the `data` of a success."""
        url = self.url + (path if path.startswith("/") else f"/api/v2/{path}")
        response = self.session.request(method, url, json=body, timeout=10, **more)
        assert response.status_code == 200, response.text
        return response.json().get("data")


@pytest.fixture
def call():
    """A program whose requests are as described, like the answers it gets."""
    with running("pipedrive", search_lag_seconds=0, limits=False, contact_sync=True) as sandbox:
        call = Caller(sandbox.url)
        yield call
        call.session.close()


@pytest.mark.parametrize("name", BODIES)
def test_records_are_as_described(call, name):
    """Full and bare records, created, read, listed, found, changed, merged and deleted."""
    full = call("POST", name, BODIES[name])["id"]
    title = next(iter(BODIES[name]))
    bare = call("POST", name, {title: BODIES[name][title]})["id"]
    call("GET", f"{name}/{full}?include_option_labels=true")
    call("GET", f"{name}?limit=1&sort_by=update_time&sort_direction=desc")
    call("GET", f"{name}?ids={full},{bare}&updated_since=2026-01-01T00:00:00Z&limit=500")
    call("GET", f"{name}/search?term={BODIES[name][title]}&exact_match=true")
    call("PATCH", f"{name}/{bare}", {title: "New"})
    call("PUT", f"/v1/{name}/{full}/merge", {"merge_with_id": bare})
    call("DELETE", f"{name}/{bare}")
    call("GET", f"{name}/{bare}")


@pytest.mark.parametrize("name", BODIES)
def test_fields_are_as_described(call, name):
    """Listed, made of every kind, changed and deleted, with values in records."""
    path = f"{SINGULAR[name]}Fields"
    text = call("POST", path, {"field_name": "T", "field_type": "varchar"})["field_code"]
    options = [{"label": "A"}, {"label": "B"}]
    tags = call("POST", path, {"field_name": "S", "field_type": "set", "options": options})
    code, ids = tags["field_code"], [option["id"] for option in tags["options"]]
    title = next(iter(BODIES[name]))
    body = {title: "X", "custom_fields": {text: "t", code: ids}}
    record = call("POST", name, body)["id"]
    call("PATCH", f"{name}/{record}", {"custom_fields": {code: None}})
    call("GET", f"{name}?custom_fields={text}&include_option_labels=true")
    call("GET", path)
    call("GET", f"{path}/{code}")
    call("PATCH", f"{path}/{code}", {"field_name": "U"})
    call("POST", f"{path}/{code}/options", [{"label": "C"}])
    call("PATCH", f"{path}/{code}/options", [{"id": ids[0], "label": "Z"}])
    call("DELETE", f"{path}/{code}/options", [{"id": ids[1]}])
    call("DELETE", f"{path}/{code}")


def test_everything_else_is_as_described(call):
    """Pipelines, stages, users, archived deals and tokens."""
    call("POST", "deals", {"title": "D", "is_archived": True})
    for path in ("pipelines", "pipelines/1", "stages", "stages/1", "deals/archived"):
        call("GET", path)
    users = call("GET", "/api/v1/users")
    call("GET", "/v1/users/me")
    call("GET", f"/v1/users/{users[0]['id']}")
    call("GET", "/v1/users/find?term=ada&search_by_email=1")
    form = {"grant_type": "refresh_token", "refresh_token": "1:1:sandbox-refresh-token"}
    client = ("sandbox-client-id", "sandbox-client-secret")
    call("POST", "/oauth/token", data=form, auth=client)


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: f"{route.method} {route.path}")
def test_prices_and_scopes_are_as_described(route):
    """Each call costs the tokens and wants the scopes that the description names."""
    operation = _operations()[route.method.lower(), _without_names(described_path(route.path))]
    assert route.cost == operation["x-token-cost"]
    wanted = [scope for way in operation["security"] for scope in way.get("oauth2", ())]
    assert sorted(route.scopes) == sorted(wanted)


def test_every_exception_has_a_reason():
    """The table explains itself."""
    assert all(exception.reason for exception in EXCEPTIONS)


def _operations():
    operations = {}
    for version, prefix in (("v1", "/v1"), ("v2", "/api/v2")):
        paths = json.loads((OPENAPI / "pipedrive" / f"{version}.json").read_text())["paths"]
        for path, item in paths.items():
            for method, operation in item.items():
                operations[method, _without_names(prefix + path)] = operation
    return operations


def _without_names(path):
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
