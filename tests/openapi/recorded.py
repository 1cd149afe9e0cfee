"""A scripted CRM for unit tests of connectors, whose requests must be as the vendor describes them.

    @pytest.fixture
    def api():
        with scripted("hubspot") as mock:
            yield mock

Answers are not checked: each is written by the test, and many are wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import requests
import responses

from tests.openapi.described import FORM, Entry
from tests.openapi.exchanges import problems

HOSTS: Mapping[str, str] = {"api.hubapi.com": "hubspot"}
"""CRMs by host, for tests of what is the same for all of them: calls for tokens, which other
vendors' descriptions leave out."""


@contextmanager
def scripted(crm: str | None = None) -> Iterator[responses.RequestsMock]:
    """Answer as told while the block runs; every answer must be asked for.

    Fails with the list of the requests that are not as described. Without `crm`, each request is
    checked against the description of the CRM whose host it went to, if it is in `HOSTS`.
    """
    with responses.RequestsMock() as mock:
        yield mock
        sent = [call.request for call in mock.calls]
    wrong = []
    for request in sent:
        name = crm or HOSTS.get(urlsplit(request.url or "").hostname or "")
        wrong += problems(name, [entry(request)]) if name else []
    assert not wrong, "not as described:\n" + "\n".join(wrong)


def entry(request: requests.PreparedRequest) -> Entry:
    """Return what a sandbox's ledger would hold of a request that got no answer."""
    url = urlsplit(request.url or "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return {
        "method": request.method,
        "path": url.path,
        "query": parse_qs(url.query, keep_blank_values=True),
        "headers": headers,
        "body": _body(request.body, headers.get("content-type", "")),
        "status": None,
        "answer": None,
        "answer_type": None,
        "fault": None,
    }


def _body(body: bytes | str | None, content_type: str) -> Any:
    if not body:
        return None
    text = body if isinstance(body, str) else body.decode()
    if content_type.startswith(FORM):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
