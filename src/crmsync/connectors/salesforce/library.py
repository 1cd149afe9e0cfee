"""simple-salesforce on our own transport: describe, queries and their pages, quoting for SOQL.

The library is handed a `requests.Session` whose only adapter passes each request to
`Transport.request`: so its calls obey the connection's deadline, rate budget, host checks and
token, and a refused token is renewed there, once, for all threads. Its own ways of doing that are
never reached: it knows no deadline, always speaks https to the host it was given, and renews a dead
session in an endless loop (its issue 804). An answer other than success is judged by `errors.py`
before the library sees it, since its exceptions hold URLs and bodies.

It is imported on first use: it costs about 0.4 s and 13 to 40 MB, mostly for SOAP, which is not
used.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import BaseAdapter

from crmsync.connectors.answers import Effect, lost
from crmsync.connectors.http import Transport
from crmsync.connectors.paging import Pages
from crmsync.connectors.salesforce.errors import refuse

VERSION = "59.0"
"""Of the API; the library's own default. Salesforce keeps a version for about ten years."""
BASE = f"/services/data/v{VERSION}"
Row = Mapping[str, Any]
_LOCATOR = re.compile(r"/query/[^/]+$")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


def is_name(text: str) -> bool:
    """Say whether a text may stand in a path or a query as a name: nothing can be escaped there."""
    return _NAME.fullmatch(text) is not None


def quoted(value: str) -> str:
    """Return a text as a SOQL literal: backslash, quotes and control characters escaped."""
    text: str = _package().format.quote_soql_value(value)
    return text


class Library:
    """The calls that simple-salesforce makes for one connection. Safe to use from many threads."""

    def __init__(self, http: Transport) -> None:
        """Import nothing yet."""
        self._http = http

    def describe(self, object_type: str) -> Mapping[str, Any]:
        """Return what the org says of an object; `refuse` says what is raised."""
        kind = _package().SFType(
            object_type, "-", "transport", sf_version=VERSION, session=self._session(object_type)
        )
        described = kind.describe()
        if not isinstance(described, dict):
            raise lost(Effect.READ, "describe: Salesforce answered no object")
        return described

    def query(self, soql: str, *, deleted: bool = False) -> Iterator[Row]:
        """Yield a query's rows; see `pages`."""
        for rows in self.pages(soql, deleted=deleted):
            yield from rows

    def pages(self, soql: str, *, deleted: bool = False) -> Iterator[Sequence[Row]]:
        """Yield a query's pages, each fetched when it is asked for.

        `deleted`: with the records in the recycle bin. Raises what `refuse` says, and LookupError
        or TypeError for an answer of another shape.
        """
        yield from self.pages_from(self._client().query(soql, include_deleted=deleted))

    def pages_from(self, page: Mapping[str, Any]) -> Iterator[Sequence[Row]]:
        """Yield the rows of a page that is at hand, then those of each page that follows it."""
        client = None
        pages = Pages("GET /query")
        yield page["records"]
        while not page["done"]:
            client = client or self._client()
            pages.turn(page["nextRecordsUrl"], len(page["records"]))
            page = client.query_more(page["nextRecordsUrl"], identifier_is_url=True)
            yield page["records"]

    def _client(self) -> Any:  # noqa: ANN401 (the library's class)
        # Neither the address nor the token is used: the transport has its own.
        return _package().Salesforce(
            instance="transport", session_id="-", session=self._session(), version=VERSION
        )

    def _session(self, object_type: str = "") -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", _Adapter(self._http, object_type))
        return session


class _Adapter(BaseAdapter):
    """Where the library's requests leave for the transport."""

    def __init__(self, http: Transport, object_type: str) -> None:
        super().__init__()
        self._http = http
        self._object_type = object_type

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **_: object
    ) -> requests.Response:
        path = urlsplit(str(request.url)).path
        answer = self._http.request(
            str(request.method),
            request.path_url,
            effect=Effect.READ,
            route=_LOCATOR.sub("/query/{locator}", path),
        )
        if not answer.ok:
            refuse(answer, object_type=self._object_type)
        answer.json()  # one that is none is a lost answer
        response = _Response()
        response.status_code = answer.status
        response.url = path
        response.headers.update(answer.headers)
        response._content = answer.body  # noqa: SLF001 (where requests keeps a body)
        return response

    def close(self) -> None:
        """Nothing is open here."""


class _Response(requests.Response):
    """An answer that the library reads with a faster parser than its own."""

    def json(self, **_: Any) -> Any:  # noqa: ANN401 (any JSON)
        return orjson.loads(self.content)


def _package() -> Any:  # noqa: ANN401 (a module)
    return importlib.import_module("simple_salesforce")
