"""A simulated Pipedrive for each test, and the ways tests talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from crmsync.sandbox import Sandbox
from tests.sandboxes import running

TOKEN = "0123456789abcdef" * 2 + "01234567"
_TIMEOUT_SECONDS = 10.0


class Api:
    """Calls one sandbox with a user's API token; paths that do not begin with / are v2's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["x-api-token"] = TOKEN

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Send JSON; return whatever comes back."""
        url = self.url + (path if path.startswith("/") else f"/api/v2/{path}")
        more.setdefault("timeout", _TIMEOUT_SECONDS)
        return self.session.request(method, url, json=body, **more)

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send JSON; return the `data` of a success."""
        response = self.call(method, path, body, **more)
        assert response.status_code == 200, response.text
        assert response.json()["success"] is True
        return response.json()["data"]

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> str:
        """Send JSON; return the words of a validation error."""
        response = self.call(method, path, body, **more)
        answer = response.json()
        assert response.status_code == 400, response.text
        assert answer["success"] is False
        assert answer["code"] == "ERR_SCHEMA_VALIDATION_FAILED"
        return answer["error"]

    def person(self, name: str = "Ann Lee", **more: Any) -> int:
        """Create a person; return their id."""
        return self.ok("POST", "persons", {"name": name, **more})["id"]

    def deal(self, title: str = "D", **more: Any) -> int:
        """Create a deal; return its id."""
        return self.ok("POST", "deals", {"title": title, **more})["id"]

    def field(self, name: str, field_type: str = "varchar", labels: tuple[str, ...] = ()) -> Any:
        """Create a field of persons; return it."""
        body = {"field_name": name, "field_type": field_type}
        if labels:
            body["options"] = [{"label": label} for label in labels]
        return self.ok("POST", "personFields", body)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A new Pipedrive company without limits, whose search sees everything at once.

    Tests may call it wrongly; its answers are always checked.
    """
    with running("pipedrive", check_requests=False, search_lag_seconds=0, limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    """A program that calls that company."""
    api = Api(sandbox.url)
    yield api
    api.session.close()
