"""One call on its way through the API, and the ways all calls read their parameters and bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.org import Org
from crmsync.sandbox.salesforce.records import Table
from crmsync.sandbox.salesforce.saving import Saving

Json = dict[str, Any]

NO_CONTENT = 204
_DUPLICATE_HEADER_SINCE = 52.0


@dataclass(frozen=True)
class Call:
    """A request that has been let in, and what its path says."""

    org: Org
    request: Request
    path: dict[str, str]
    """The parts of the path that vary, by name, without percent signs."""
    transaction: Transaction
    dispatch: Callable[[Request, Transaction], Answer]
    """Carries out a call inside this one."""

    @property
    def version(self) -> str:
        """The API version in the path: `59.0`."""
        return self.path["version"]

    @property
    def own_url(self) -> str:
        """Where this simulator is, as the caller reached it."""
        return f"http://{self.request.headers.get('host', '127.0.0.1')}"

    @cached_property
    def table(self) -> Table:
        """The records of the object type in the path; 404 for none such."""
        table = self.org.table(self.path["type"])
        if table is None:
            raise errors.no_such_resource()
        return table

    @cached_property
    def saving(self) -> Saving:
        """The way this call writes."""
        header = self.request.headers.get("sforce-duplicate-rule-header", "").lower()
        words = header.replace(" ", "").replace(",", ";").split(";")
        allowed = "allowsave=true" in words and float(self.version) >= _DUPLICATE_HEADER_SINCE
        return Saving(self.org, self.org.by_api(), self.transaction, allow_duplicates=allowed)

    @cached_property
    def body(self) -> Json:
        """The JSON object sent; 400 for anything else."""
        if not self.request.body:
            raise errors.malformed_body("No content to map to Object due to end of input")
        try:
            value = self.request.json()
        except orjson.JSONDecodeError as error:
            place = f"[line:{error.lineno}, column:{error.colno}]"
            raise errors.malformed_body(f"{error.msg} at {place}") from None
        if not isinstance(value, dict):
            raise errors.malformed_body("Can not deserialize Object out of START_ARRAY token")
        return value

    def flag(self, parameter: str) -> bool:
        """Return a parameter that is true or false."""
        return (self.request.one(parameter) or "").lower() == "true"

    def names(self, parameter: str) -> list[str]:
        """Return a parameter that lists names or ids, joined by commas."""
        listed = self.request.one(parameter) or ""
        return [name.strip() for name in listed.split(",") if name.strip()]


def objects_of(body: Json, member: str) -> list[Json]:
    """Return a member of a body that is a list of objects; 400 for anything else."""
    items = body.get(member)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise errors.malformed_body(f"{member}: a list of objects is expected")
    return items


def saved(record_id: str, *, created: bool | None = None) -> Json:
    """Return what a write that succeeded is answered with."""
    answer: Json = {"id": record_id, "success": True, "errors": []}
    return answer if created is None else {**answer, "created": created}
