"""A simulated HubSpot for each test, and the ways tests talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from crmsync.sandbox import Control, Sandbox
from tests.sandboxes import running

TOKEN = "pat-na1-test"  # noqa: S105 - a simulated one
_TIMEOUT_SECONDS = 10.0


class Api:
    """Calls one sandbox as an app with a static token does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Send JSON; return whatever comes back."""
        return self.session.request(
            method, self.url + path, json=body, timeout=_TIMEOUT_SECONDS, **more
        )

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send JSON; return the body of a success."""
        response = self.call(method, path, body, **more)
        assert response.ok, response.text
        return response.json() if response.content else None

    def contact(self, email: str, **properties: str) -> str:
        """Create a contact; return its id."""
        body = {"properties": {"email": email, **properties}}
        return str(self.ok("POST", "/crm/v3/objects/contacts", body)["id"])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A new HubSpot account whose search sees everything at once; tests may call it wrongly."""
    with running(check_requests=False, search_lag_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def control(sandbox: Sandbox) -> Control:
    """The control API of that account."""
    return sandbox.control


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    """An app that calls that account."""
    api = Api(sandbox.url)
    yield api
    api.session.close()
