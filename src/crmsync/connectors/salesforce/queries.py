"""Queries and their pages: one by itself, or up to five as one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus

from crmsync.connectors.answers import Effect
from crmsync.connectors.http import Transport
from crmsync.connectors.salesforce import composite
from crmsync.connectors.salesforce.composite import Call
from crmsync.connectors.salesforce.errors import refuse
from crmsync.connectors.salesforce.library import BASE, Library, Row


class Queries:
    """The queries of one connection.

    `deleted`: with the records in the recycle bin. They raise what `errors.refuse` says, and
    LookupError, TypeError, ValueError or AttributeError for an answer of another shape.
    """

    def __init__(self, http: Transport, library: Library) -> None:
        """Ask over this transport."""
        self._http = http
        self._library = library

    def rows(self, queries: Sequence[str], *, deleted: bool = False) -> Iterator[Row]:
        """Yield the rows of any number of queries, five of them a call."""
        for start in range(0, len(queries), composite.CALLS):
            some = queries[start : start + composite.CALLS]
            for pages in self.side_by_side(some, deleted=deleted):
                for page in pages:
                    yield from page

    def side_by_side(
        self, queries: Sequence[str], *, deleted: bool = False
    ) -> list[Iterator[Sequence[Row]]]:
        """Return the pages of up to five queries; of several, the first ones came in one call."""
        if len(queries) == 1:
            return [self.pages(queries[0], deleted=deleted)]
        path = f"{BASE}/queryAll" if deleted else f"{BASE}/query"
        calls = [Call("GET", f"{path}?q={quote_plus(soql)}") for soql in queries]
        found = []
        for answer in composite.send(self._http, calls, Effect.READ):
            if answer is None:
                raise ValueError("a query was not answered")
            if not answer.ok:
                refuse(answer)
            found.append(self.pages_from(answer.json()))
        return found

    def pages(self, soql: str, *, deleted: bool = False) -> Iterator[Sequence[Row]]:
        """Yield a query's pages, each fetched when it is asked for."""
        return self._library.pages(soql, deleted=deleted)

    def pages_from(self, page: Row) -> Iterator[Sequence[Row]]:
        """Yield a page at hand, of a query or of one within another's row, and what follows it."""
        return self._library.pages_from(page)
