"""The simulated Zoho CRM as the frame sees it: lets calls in, words refusals, keeps and tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.deliveries import Deliveries
from crmsync.sandbox.http import HTML, Answer, Json, Request
from crmsync.sandbox.settings import Settings
from crmsync.sandbox.zoho import errors, routes, snapshots
from crmsync.sandbox.zoho.accounts import within
from crmsync.sandbox.zoho.actions import Actions
from crmsync.sandbox.zoho.calls.call import Call
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.records import Record, Records
from crmsync.sandbox.zoho.routes import Route
from crmsync.sandbox.zoho.settings import ZohoSettings

_GATEWAY = (502, 503, 504)
"""Statuses that the network in front of Zoho answers with, in HTML."""


class Zoho:
    """One Zoho CRM organisation."""

    def __init__(self, settings: ZohoSettings) -> None:
        """Open a new organisation."""
        self.clock = Clock()
        self.settings = settings
        self._deliveries = Deliveries(self.clock, seed=settings.seed)
        self._org = Org(self.clock, settings, self._deliveries)

    # --- what the frame calls ---------------------------------------------------------------

    def route_of(self, request: Request) -> str:
        """Return the path with what varies in braces."""
        found = routes.find(request.method, request.path)
        return found[0].path if found else request.path

    def answer(self, request: Request) -> Answer:
        """Carry a request out."""
        headers = {"Date": formatdate(self.clock.time(), usegmt=True)}
        try:
            answer = self._let_in(request, headers)
        except ApiError as error:
            answer = error.answer()
        answer.headers.update(headers)
        return answer

    def failure(self, status: int) -> Answer:
        """Word a failure that comes from nothing the client did."""
        if status in _GATEWAY:
            page = f"<html><head><title>{status}</title></head><body>{status}</body></html>"
            return Answer(status, page.encode(), HTML)
        known = {401: errors.dead_token, 429: errors.too_many_requests}.get(status)
        if known is not None:
            return known().answer()
        return ApiError(status, "INTERNAL_ERROR", "Internal server error occurred.").answer()

    def configure(self, settings: Settings) -> None:
        """Go on with other settings."""
        if not isinstance(settings, ZohoSettings):
            raise TypeError("a Zoho organisation takes Zoho settings")
        self._org.configure(settings)
        self.settings = settings

    def reset(self) -> None:
        """Open a new organisation in place of the old."""
        self._deliveries.forget()
        self._org = Org(self.clock, self.settings, self._deliveries)

    def object_counts(self) -> dict[str, int]:
        """Return the number of live records of each module."""
        return {name: records.count() for name, records in self._org.modules.items()}

    def held(self, object_type: str, ids: list[str] | None) -> list[dict[str, Any]]:
        """Return records as held, deleted and merged ones too."""
        records = self._records(object_type)
        wanted = set(ids) if ids is not None else records.by_id.keys()
        found = [self._held(object_type, r) for r in records.by_id.values() if r.id in wanted]
        if ids is not None and not found:
            raise ControlError(f"no {object_type} with id {', '.join(ids)}")
        return found

    def write_directly(
        self, object_type: str, record_id: str | None, values: Mapping[str, Any]
    ) -> str:
        """Create or edit a record as somebody in Zoho's own pages."""
        org, records = self._org, self._records(object_type)
        for name in values:
            if records.fields.find(name) is None:
                raise ControlError(f"{object_type} has no field {name}")
        try:
            if record_id is None:
                draft = records.draft_create(values, "$.data[0]", org.now())
            else:
                record = self._live(object_type, record_id)
                draft = records.draft_update(record, values, "$.data[0]", org.now())
        except ApiError as error:
            raise ControlError(f"{error.code}: {error.message} {error.details}") from None
        return org.commit(object_type, draft, org.stamp("UI")).id

    def snapshot(self) -> dict[str, Any]:
        """Return records and custom fields; not histories, users, tokens or spent credits."""
        return snapshots.take(self._org)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Open a new organisation that holds what a snapshot says."""
        self.reset()
        snapshots.load(self._org, snapshot)

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        """Return what else can happen to an organisation."""
        deeds = Actions(self._org, self._records, self._live).by_name()
        return {**deeds, **self._deliveries.actions()}

    # --- letting calls in -------------------------------------------------------------------

    def _let_in(self, request: Request, headers: dict[str, str]) -> Answer:
        found = routes.find(request.method, request.path)
        if found is None:
            raise errors.wrong_method() if routes.known(request.path) else errors.no_such_path()
        route, path = found
        if not route.scopes:
            return route.answer(Call(self._org, request, path, ()))
        scopes = self._org.accounts.scopes_of(request.headers.get("authorization"))
        call = Call(self._org, request, path, scopes)
        heavy, cost = route.heavy(call), route.cost(call)
        headers.update(self._org.quota.admit(request, cost, heavy=heavy))
        _check_scopes(route, call)
        return route.answer(call)

    # --- for the control API ----------------------------------------------------------------

    def _held(self, module: str, record: Record) -> dict[str, Any]:
        org = self._org
        deleted = record.deleted
        return {
            "id": record.id,
            "properties": {name: self._kept(module, name, v) for name, v in record.values.items()},
            "created_at": org.iso(record.created),
            "modified_at": org.iso(record.modified),
            "archived_at": org.iso(deleted.at) if deleted is not None else None,
            "merged_into": record.merged_into,
            "states": sorted(record.states),
            "writes": len(record.history),
            "workflow_runs": record.workflow_runs,
            "triggers": [list(write.stamp.triggers) for write in record.history],
            "history": self._history(module, record),
        }

    def _history(self, module: str, record: Record) -> dict[str, list[dict[str, Any]]]:
        """Return the changes of each field, newest first; a write of the same value is none."""
        entries: dict[str, list[dict[str, Any]]] = {}
        last: dict[str, Json] = {}
        for write in record.history:
            for name, value in write.changes.items():
                if name in last and last[name] == value:
                    continue
                last[name] = value
                entry = {
                    "value": self._kept(module, name, value),
                    "timestamp": self._org.iso(write.stamp.at),
                    "sourceType": write.stamp.source,
                    "sourceId": write.stamp.user,
                }
                entries.setdefault(name, []).insert(0, entry)
        return dict(sorted(entries.items()))

    def _kept(self, module: str, name: str, value: Json) -> Json:
        """Return a value as it is sent: a lookup as an object with an id."""
        field = self._org.modules[module].fields.find(name)
        named = field is not None and (field.lookup or field.data_type == "ownerlookup")
        return {"id": value} if named and value is not None else value

    def _records(self, module: str) -> Records:
        if module not in self._org.modules:
            raise ControlError(f"no module {module}; there are: {', '.join(self._org.modules)}")
        return self._org.modules[module]

    def _live(self, module: str, record_id: str) -> Record:
        record = self._records(module).find(record_id)
        if record is None:
            raise ControlError(f"no live record with id {record_id}")
        return record


def _check_scopes(route: Route, call: Call) -> None:
    for template in route.scopes:
        wanted = "ZohoCRM." + template.replace("{module}", call.path.get("module", ""))
        # What changes may also be allowed as WRITE.
        either = (wanted, wanted.replace(".UPDATE", ".WRITE"))
        if not any(within(scope, call.scopes) for scope in either):
            raise errors.missing_scope()
