"""Queries: how records are found by any field, and how a pull walks through what changed. Pure.

Names come out of a describe answer; values are quoted as the field's type asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from crmsync.connectors.salesforce.objects import Column
from crmsync.connectors.salesforce.values import moment
from crmsync.model import CrmId, FieldType

QUERY_BYTES = 11_000
"""Of a query as it stands in the address. Request line and headers may have 16,384 bytes together
(REST API guide, "Limits"); an access token can be some 2,000 of them."""
OVERLAP = timedelta(minutes=5)
"""How far behind a cursor a walk begins: a transaction is stamped before it is committed."""
BEGINNING = "1970-01-01T00:00:00Z"
MODIFIED = "SystemModstamp"
"""When a record last changed, by the system's doing too; LastModifiedDate can be set by imports."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_BARE: Mapping[FieldType, re.Pattern[str]] = {
    FieldType.DATE: _DATE,
    FieldType.DATETIME: re.compile(_DATE.pattern + r"T[\d:.]+Z", re.ASCII),
    FieldType.NUMBER: _NUMBER,
    FieldType.BOOLEAN: re.compile("true|false"),
}
"""What stands without quotes, by type of field; anything else of such a type finds nothing."""


def literal(value: str, column: Column, quoted: Callable[[str], str]) -> str | None:
    """Return a value as SOQL takes it for this field; None where no record can have it."""
    bare = _BARE.get(column.kind)
    if bare is not None:
        return value if bare.fullmatch(value) else None
    if not value.strip() or (column.length and len(value) > column.length):
        return None
    return quoted(value)


def lookups(
    object_type: str, name: str, literals: Sequence[str], fields: Sequence[str]
) -> Iterator[str]:
    """Yield the queries that find records by a field, as many values in each as fit.

    Where several records have a value, the one with the lowest id comes first.
    """
    columns = ", ".join(dict.fromkeys(["Id", name, *fields]))
    head = f"SELECT {columns} FROM {object_type} WHERE {name} IN ("  # noqa: S608 (see above)
    tail = ") ORDER BY Id"
    empty = QUERY_BYTES - len(quote_plus(head + tail))
    waiting: list[str] = []
    room = empty
    for text in literals:
        cost = len(quote_plus(text)) + len(quote_plus(","))
        if cost > room and waiting:
            yield f"{head}{','.join(waiting)}{tail}"
            waiting, room = [], empty
        waiting.append(text)
        room -= cost
    if waiting:
        yield f"{head}{','.join(waiting)}{tail}"


def fits(object_type: str, name: str, fields: Sequence[str]) -> bool:
    """Say whether a query has room for these fields and values besides."""
    [bare] = lookups(object_type, name, ["''"], fields)
    return len(quote_plus(bare)) < QUERY_BYTES / 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk through what changed stands: everything before has been seen.

    As a cursor it is text: the time, and where it is exact, the id as well.
    """

    at: datetime | None = None
    """None at the beginning."""
    after: CrmId | None = None
    """The last record seen of that time, where nothing can appear before it any more."""

    @classmethod
    def of(cls, cursor: str | None) -> Place:
        """Return the place that a cursor stands for."""
        if not cursor:
            return cls()
        at, _, after = cursor.partition("/")
        return cls(moment(at), CrmId(after) if after else None)

    def __str__(self) -> str:
        """Return the cursor of this place."""
        if self.at is None:
            return ""
        return f"{soql_time(self.at)}/{self.after}" if self.after else soql_time(self.at)

    @property
    def since(self) -> str:
        """From when on records are still to be seen, as a literal; some of them again."""
        if self.at is None:
            return BEGINNING
        return soql_time(self.at if self.after else self.at - OVERLAP)

    def query(self, object_type: str, columns: Sequence[str], only: str = "") -> str:
        """Return the query that goes on from here, `only`: a further condition."""
        names = ", ".join(dict.fromkeys(["Id", *columns, MODIFIED]))
        conditions = [f"{MODIFIED} >= {self.since}"]
        if self.after:
            conditions.append(f"({MODIFIED} > {self.since} OR Id > '{self.after}')")
        if only:
            conditions.append(only)
        what = f"SELECT {names} FROM {object_type}"  # noqa: S608 (see above)
        return f"{what} WHERE {' AND '.join(conditions)} ORDER BY {MODIFIED}, Id"


def soql_time(at: datetime) -> str:
    """Return a time as SOQL takes it, to the second, which is how exact Salesforce's stamps are."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
