"""The plain script of Salesforce: simple-salesforce as it comes.

It asks for indented answers (`X-PrettyPrint: 1`), reads them into ordered dictionaries and has no
timeout. It has no call for collections, so `restful` is given the body as JSON. It speaks https
only, so an adapter sends its calls to the simulated org: the parsing of one address a call.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

from bench.children import Said
from bench.crms import SALESFORCE, TOKEN
from bench.figures import Figures
from bench.floor import BULKS, COLLECTION, TIMEOUT_SECONDS, Row, collection
from bench.script import NotTaken, Send, send_rows


def send_all(url: str, database: str, threads: int) -> tuple[Figures, Said]:
    """Send every row of the table."""
    return send_rows(lambda: sender(url), database, BULKS[SALESFORCE.name].records, threads)


def client_of(url: str) -> Salesforce:
    """Make a client of the org at this address."""
    session = requests.Session()
    session.mount("https://", _ToLocal(urlsplit(url).netloc))
    return Salesforce(instance_url=url, session_id=TOKEN, session=session)


def sender(url: str) -> Send:
    """Make what sends to the org at this address."""
    client = client_of(url)

    def send(rows: Sequence[Row]) -> None:
        body = json.dumps(collection(rows))
        answer = client.restful(COLLECTION, method="PATCH", data=body)
        # A 200 says nothing of the rows.
        for row in answer or ():
            if not row["success"]:
                raise NotTaken(row["errors"])

    return send


class _ToLocal(HTTPAdapter):
    """Sends what is meant for https to a plain server of this machine."""

    def __init__(self, netloc: str) -> None:
        self._netloc = netloc
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        address = urlsplit(str(request.url))
        request.url = urlunsplit(("http", self._netloc, address.path, address.query, ""))
        options["timeout"] = options.get("timeout") or TIMEOUT_SECONDS
        return super().send(request, *args, **options)
