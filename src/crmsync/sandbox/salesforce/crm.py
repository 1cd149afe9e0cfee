"""The simulated Salesforce as the frame sees it: lets calls in, words refusals, acts on order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.http import HTML, Answer, Request
from crmsync.sandbox.salesforce import errors, routes
from crmsync.sandbox.salesforce.actions import Actions, known_table, write_directly
from crmsync.sandbox.salesforce.calls.about import NEWEST_VERSION, OLDEST_VERSION
from crmsync.sandbox.salesforce.calls.call import Call
from crmsync.sandbox.salesforce.customisation import Customisation
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import loaded
from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.org import Org
from crmsync.sandbox.salesforce.records import Record
from crmsync.sandbox.salesforce.settings import SalesforceSettings
from crmsync.sandbox.salesforce.wire import stamp
from crmsync.sandbox.settings import Settings

MAX_HEAD_BYTES = 16_384
"""Of the request line and the headers together."""

_GATEWAY = (413, 414, 431, 502, 503, 504)
"""Statuses that the edge in front of Salesforce answers with, in HTML."""
_WORDS = {
    401: errors.dead_session,
    403: errors.daily_limit,
    404: errors.no_such_resource,
}
_VERSION = re.compile(r"(\d+)\.0")
_DATA = "/services/data/v"
_LIMIT_INFO = "Sforce-Limit-Info"


class Salesforce:
    """One Salesforce org."""

    def __init__(self, settings: SalesforceSettings) -> None:
        """Open a new org."""
        self.clock = Clock()
        self.settings = settings
        self._org = Org(self.clock, settings)
        self._actions = Actions(lambda: self._org)
        self._customisation = Customisation(lambda: self._org)

    # --- what the frame calls ---------------------------------------------------------------

    def route_of(self, request: Request) -> str:
        """Return the path with what varies in braces."""
        found = routes.find(request)
        return found[0].path if found else request.path

    def answer(self, request: Request) -> Answer:
        """Carry a request out."""
        if _head_bytes(request) > MAX_HEAD_BYTES:
            return self.failure(414)
        try:
            answer = self._let_in(request)
        except Refusal as refusal:
            answer = _worded(refusal)
        if request.path.startswith(_DATA) and answer.status != 401:  # noqa: PLR2004 - unknown caller
            answer.headers[_LIMIT_INFO] = self._org.usage.header()
        answer.headers["Date"] = formatdate(self.clock.time(), usegmt=True)
        return answer

    def failure(self, status: int) -> Answer:
        """Word a failure that comes from nothing the client did."""
        if status in _GATEWAY:
            return _page(status)
        refusal = _WORDS.get(status, _unknown)()
        return Answer.of(status, refusal.body())

    def configure(self, settings: Settings) -> None:
        """Go on with other settings."""
        if not isinstance(settings, SalesforceSettings):
            raise TypeError("a Salesforce org takes Salesforce settings")
        self._org.configure(settings)
        self.settings = settings

    def reset(self) -> None:
        """Open a new org in place of the old."""
        self._org = Org(self.clock, self.settings)

    def object_counts(self) -> dict[str, int]:
        """Return the number of live records of each type."""
        return {name: table.count() for name, table in self._org.tables.items()}

    def held(self, object_type: str, ids: list[str] | None) -> list[dict[str, Any]]:
        """Return records as held, deleted and merged ones included."""
        table = known_table(self._org, object_type)
        if ids is None:
            return [_held(record) for record in table.by_id.values()]
        found = [_held(table.by_id[one]) for one in sorted(set(ids)) if one in table.by_id]
        if not found:
            raise ControlError(f"no {object_type} with id {', '.join(ids)}")
        return found

    def write_directly(
        self, object_type: str, record_id: str | None, values: Mapping[str, Any]
    ) -> str:
        """Create or edit a record as somebody in Salesforce's own pages."""
        return write_directly(self._org, known_table(self._org, object_type), record_id, values)

    def snapshot(self) -> dict[str, Any]:
        """Return records and custom fields; not histories, tokens, triggers or rules."""
        return {name: table.snapshot() for name, table in self._org.tables.items()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Open a new org that holds what a snapshot says."""
        self.reset()
        for name, saved in snapshot.items():
            table = known_table(self._org, name)
            for field in saved["fields"]:
                self._org.put_field(table, loaded(field))
            table.load_records(saved)

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        """Return what else can happen to an org."""
        return {**self._actions.by_name(), **self._customisation.by_name()}

    # --- letting calls in -------------------------------------------------------------------

    def _let_in(self, request: Request) -> Answer:
        found = routes.find(request)
        if found is None and not request.path.startswith(_DATA):
            raise errors.no_such_resource()
        if found is None or found[0].area != "open":
            refused = self._refused(request)
            if refused is not None:
                return refused
        if found is None or found[0].area == "api":
            self._org.usage.admit(request)
        transaction = self._org.locks.begin(request)
        return self._carry_out(request, transaction)

    def _carry_out(self, request: Request, transaction: Transaction) -> Answer:
        """Answer a call that has been let in; what it refuses is raised."""
        found = routes.find(request)
        if found is None:
            allowed = routes.methods(request)
            raise errors.not_allowed(request.method, allowed) if allowed else (
                errors.no_such_resource()
            )  # fmt: skip
        route, path = found
        if "version" in path:
            _check_version(path["version"])
        return route.answer(Call(self._org, request, path, transaction, self._dispatch))

    def _dispatch(self, request: Request, transaction: Transaction) -> Answer:
        try:
            return self._carry_out(request, transaction)
        except Refusal as refusal:
            return _worded(refusal)

    def _refused(self, request: Request) -> Answer | None:
        """Say whether a session is no good, in the ways that takes; None for a good one."""
        kind = self.settings.session_refusal
        if kind == "html":
            return _page(401)
        if kind == "status_500":
            return Answer.of(500, errors.dead_session().body())
        if kind == "unsuitable":
            raise errors.unsuitable_session()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth"):
            raise errors.wrong_scheme()
        if kind == "expired" or not self._org.authorisations.knows(token):
            raise errors.dead_session()
        return None


def _check_version(text: str) -> None:
    version = _VERSION.fullmatch(text)
    if version is None or int(version[1]) > NEWEST_VERSION:
        raise errors.no_such_resource()
    if int(version[1]) < OLDEST_VERSION:
        words = "The requested API version is no longer supported"
        raise Refusal("UNSUPPORTED_API_VERSION", words)


def _head_bytes(request: Request) -> int:
    line = len(request.method) + len(request.target) + len(" HTTP/1.1\r\n") + 1
    return line + sum(len(name) + len(value) + 4 for name, value in request.headers.items())


def _worded(refusal: Refusal) -> Answer:
    return Answer.of(refusal.status, refusal.body())


def _unknown() -> Refusal:
    text = "An unexpected error occurred. Please include this ErrorId if you contact support: 0 (0)"
    return Refusal("UNKNOWN_EXCEPTION", text)


def _page(status: int) -> Answer:
    page = f"<html><head><title>{status}</title></head><body>{status}</body></html>"
    return Answer(status, page.encode(), HTML)


def _held(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "properties": dict(record.values),
        "created_at": record.values["CreatedDate"],
        "modified_at": record.values["SystemModstamp"],
        "archived_at": None if record.deleted_at is None else stamp(record.deleted_at),
        "merged_into": record.merged_into,
        "writes": len(record.history),
        "history": _history(record),
    }


def _history(record: Record) -> dict[str, list[dict[str, Any]]]:
    """Return the changes of each field, newest first; a write of the same value is none."""
    told: dict[str, list[dict[str, Any]]] = {}
    for write in record.history:
        for name, value in write.changes.items():
            changes = told.setdefault(name, [])
            if not changes or changes[0]["value"] != value:
                entry = {"value": value, "timestamp": stamp(write.at), "sourceId": write.user_id}
                changes.insert(0, entry)
    return told
