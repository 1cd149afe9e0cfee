"""A simulated Zoho CRM for each test, and the ways tests talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from crmsync.sandbox import Control, Sandbox
from tests.sandboxes import running

TOKEN = "1000.sandbox-access-token"  # noqa: S105 - a simulated one
_TIMEOUT_SECONDS = 10.0


class Api:
    """Calls one sandbox as an authorised app does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Zoho-oauthtoken {TOKEN}"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Send JSON; return whatever comes back. Paths begin after `/crm/v8`."""
        url = f"{self.url}/crm/v8{path}"
        return self.session.request(method, url, json=body, timeout=_TIMEOUT_SECONDS, **more)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Read; return the response."""
        return self.call("GET", path, params=query, headers=headers)

    def write(self, method: str, path: str, *records: dict[str, Any], **body: Any) -> Any:
        """Write records; return the entries of `data`, of a refused call too."""
        response = self.call(method, path, {"data": list(records), **body})
        return response.json().get("data") or response.json()

    def upsert(self, module: str, *records: dict[str, Any], **body: Any) -> Any:
        """Upsert records; return the entries of `data`."""
        return self.write("POST", f"/{module}/upsert", *records, **body)

    def contact(self, last_name: str = "Li", **values: Any) -> str:
        """Insert a contact; return its id."""
        (entry,) = self.write("POST", "/Contacts", {"Last_Name": last_name, **values})
        return str(entry["details"]["id"])

    def coql(self, query: str) -> requests.Response:
        """Send a query; return the response."""
        return self.call("POST", "/coql", {"select_query": query})

    def token(self, form: dict[str, str], **more: Any) -> requests.Response:
        """Make a token call."""
        url = f"{self.url}/oauth/v2/token"
        return self.session.post(url, data=form, timeout=_TIMEOUT_SECONDS, **more)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A new organisation of the highest edition, whose search sees everything at once."""
    settings = {"tier": "ultimate", "search_lag_seconds": 0, "mixed_status": "207"}
    with running("zoho", check_requests=False, **settings) as sandbox:
        yield sandbox


@pytest.fixture
def control(sandbox: Sandbox) -> Control:
    """The control API of that organisation."""
    return sandbox.control


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    """An app that calls that organisation."""
    api = Api(sandbox.url)
    yield api
    api.session.close()


@pytest.fixture
def ext_id(control: Control) -> str:
    """A unique field of contacts, as crmsync has it."""
    unique = {"casesensitive": False}
    field = {"field_label": "Ext Id", "data_type": "text", "unique": unique, "length": 50}
    return str(control.act("add_field", module="Contacts", **field))
