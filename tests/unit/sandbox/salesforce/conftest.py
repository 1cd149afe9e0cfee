"""A simulated Salesforce for each test, and the ways tests talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from crmsync.sandbox import Sandbox
from tests.sandboxes import running

TOKEN = "00D5e000000000A!sandbox-access-token"  # noqa: S105 - a simulated one
KEYS = ("Contact.Ext__c", "Account.AccExt__c", "Lead.Ext__c")
UPSERT = "composite/sobjects/Contact/Ext__c"
_TIMEOUT_SECONDS = 10.0


class Api:
    """Calls one sandbox with an access token; paths that do not begin with / are v59.0's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Send JSON; return whatever comes back."""
        url = self.url + (path if path.startswith("/") else f"/services/data/v59.0/{path}")
        more.setdefault("timeout", _TIMEOUT_SECONDS)
        return self.session.request(method, url, json=body, **more)

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send JSON; return the body of a success."""
        response = self.call(method, path, body, **more)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Send JSON; return the status and the code of an array of one error."""
        response = self.call(method, path, body, **more)
        assert response.status_code >= 400, response.text
        (error,) = response.json()
        return response.status_code, error["errorCode"]

    def create(self, object_type: str, **fields: Any) -> str:
        """Create a record; return its id."""
        return str(self.ok("POST", f"sobjects/{object_type}", fields)["id"])

    def read(self, object_type: str, record_id: str) -> Any:
        """Return a record."""
        return self.ok("GET", f"sobjects/{object_type}/{record_id}")

    def upsert(self, *records: dict[str, Any], **more: Any) -> list[Any]:
        """Upsert contacts by their external id in one collection; return the results."""
        headers = more.pop("headers", {})
        return list(self.ok("PATCH", UPSERT, collection(*records, **more), headers=headers))

    def query(self, soql: str) -> Any:
        """Return the first page of a query."""
        return self.ok("GET", "query", params={"q": soql})

    def token(self, **form: str) -> requests.Response:
        """Ask for a token, with the app's id and secret unless others are given."""
        known = {"client_id": "sandbox-consumer-key", "client_secret": "sandbox-consumer-secret"}
        return requests.post(
            f"{self.url}/services/oauth2/token", data=known | form, timeout=_TIMEOUT_SECONDS
        )


def collection(*records: dict[str, Any], kind: str = "Contact", **more: Any) -> dict[str, Any]:
    """Return the body of a collection call."""
    return {"records": [{"attributes": {"type": kind}, **record} for record in records], **more}


def codes(results: list[Any]) -> list[str | None]:
    """Return each row's code, None for those that succeeded."""
    return [None if row["success"] else row["errors"][0]["statusCode"] for row in results]


@contextmanager
def in_flight(sandbox: Sandbox, path: str, call: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Carry a call out in another thread and keep its answer back while the block runs."""
    control = sandbox.control
    fault = control.fault("hold", when="after", path=path, times=1)
    before = control.about()["requests"]
    with ThreadPoolExecutor(1) as pool:
        try:
            future = pool.submit(call)
            assert control.wait(since=before, path=path, applied=True)
            yield future
        finally:
            control.release(fault)
            control.clear_faults(fault)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A new Salesforce org with external ids on contacts, leads and accounts."""
    with running("salesforce", check_requests=False, external_id_fields=KEYS) as sandbox:
        yield sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    """An app that calls that org."""
    api = Api(sandbox.url)
    yield api
    api.session.close()
