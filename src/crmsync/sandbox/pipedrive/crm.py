"""The simulated Pipedrive as the frame sees it: lets calls in and shows what is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from email.utils import formatdate
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.pipedrive import errors, routes
from crmsync.sandbox.pipedrive.actions import Actions, known
from crmsync.sandbox.pipedrive.calls.call import Call
from crmsync.sandbox.pipedrive.calls.shown import shown
from crmsync.sandbox.pipedrive.company import Company
from crmsync.sandbox.pipedrive.errors import ApiError
from crmsync.sandbox.pipedrive.fields import Field, Option
from crmsync.sandbox.pipedrive.records import Record
from crmsync.sandbox.pipedrive.settings import PipedriveSettings
from crmsync.sandbox.pipedrive.wire import rfc3339
from crmsync.sandbox.settings import Settings


class Pipedrive:
    """One Pipedrive company."""

    def __init__(self, settings: PipedriveSettings) -> None:
        """Open a new company."""
        self.clock = Clock()
        self.settings = settings
        self._company = Company(self.clock, settings)

    # --- what the frame calls ---------------------------------------------------------------

    def route_of(self, request: Request) -> str:
        """Return the path with what varies in braces, in its longer spelling."""
        found = routes.find(request.method, request.path)
        return found[0].path if found else request.path

    def answer(self, request: Request) -> Answer:
        """Carry a request out."""
        headers = {"Date": formatdate(self.clock.time(), usegmt=True)}
        try:
            answer = self._let_in(request, headers)
        except ApiError as error:
            answer = error.answer()
        except errors.Blocked:
            return errors.blocked()
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        return answer

    def failure(self, status: int) -> Answer:
        """Word a failure that comes from nothing the client did."""
        return errors.failure(status)

    def configure(self, settings: Settings) -> None:
        """Go on with other settings."""
        if not isinstance(settings, PipedriveSettings):
            raise TypeError("a Pipedrive company takes Pipedrive settings")
        self._company.configure(settings)
        self.settings = settings

    def reset(self) -> None:
        """Open a new company in place of the old."""
        self._company.webhooks.deliveries.forget()
        self._company = Company(self.clock, self.settings)

    def object_counts(self) -> dict[str, int]:
        """Return the number of live records of each type."""
        return {name: records.count() for name, records in self._company.records.items()}

    def held(self, object_type: str, ids: list[str] | None) -> list[dict[str, Any]]:
        """Return records as held, deleted and merged ones too.

        `properties` is what v2 shows; of custom fields it has those that are not empty.
        """
        every = self._company.records[known(object_type)].every()
        wanted = None if ids is None else set(ids)
        found = [
            self._held(object_type, record)
            for record in every
            if wanted is None or str(record.id) in wanted
        ]
        if not found and ids is not None:
            raise ControlError(f"no {object_type} with id {', '.join(ids)}")
        return found

    def write_directly(
        self, object_type: str, record_id: str | None, values: Mapping[str, Any]
    ) -> str:
        """Create or edit a record as somebody in Pipedrive's own pages; values as in v2 bodies."""
        name = known(object_type)
        try:
            if record_id is None:
                return str(self._company.create(name, values, "app").id)
            record = self._company.get(name, int(record_id))
            self._company.update(name, record, values, "app")
        except ApiError as error:
            raise ControlError(error.message) from None
        return record_id

    def snapshot(self) -> dict[str, Any]:
        """Return records and custom fields; not histories, users, pipelines or tokens."""
        company = self._company
        return {
            "next_option_id": company.option_ids.next,
            "fields": {
                name: [asdict(field) for field in fields.custom.values()]
                for name, fields in company.fields.items()
            },
            "records": {name: records.snapshot() for name, records in company.records.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Open a new company that holds what a snapshot says."""
        self.reset()
        company = self._company
        company.option_ids.next = snapshot["next_option_id"]
        for name, saved_fields in snapshot["fields"].items():
            for saved in saved_fields:
                options = tuple(Option(**option) for option in saved["options"])
                company.fields[name].put(Field(**{**saved, "options": options}))
        for name, saved_records in snapshot["records"].items():
            for saved in saved_records:
                company.load(name, saved)

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        """Return what else can happen to a company."""
        return Actions(self._company).all()

    # --- inside -----------------------------------------------------------------------------

    def _let_in(self, request: Request, headers: dict[str, str]) -> Answer:
        found = routes.find(request.method, request.path)
        if found is None:
            raise errors.wrong_method() if routes.exists(request.path) else errors.no_such_path()
        route, path = found
        if not route.open:
            company = self._company
            caller = company.accounts.caller(request.headers)
            if not self.settings.account_open:
                raise errors.account_closed()
            headers.update(
                company.quota.admit(caller, route.method, route.cost, search=route.search)
            )
            if caller.oauth and not set(route.scopes).intersection(self.settings.scopes):
                raise errors.scope_mismatch()
        return route.answer(Call(self._company, request, path, route.type))

    def _held(self, object_type: str, record: Record) -> dict[str, Any]:
        deleted = record.deleted
        return {
            "id": str(record.id),
            "properties": {
                **shown(self._company, object_type, record),
                "custom_fields": dict(record.custom),
            },
            "created_at": rfc3339(record.created),
            "modified_at": rfc3339(record.updated),
            "archived_at": rfc3339(deleted) if deleted is not None else None,
            "merged_into": str(record.merged_into) if record.merged_into is not None else None,
            "writes": len(record.history),
            "history": _history(record),
        }


def _history(record: Record) -> dict[str, list[dict[str, Any]]]:
    """Return the changes of each value, newest first; a write of the same value is none."""
    history: dict[str, list[dict[str, Any]]] = {}
    for write in record.history:
        for name, value in write.changes.items():
            entries = history.setdefault(name, [])
            if not entries or entries[0]["value"] != value:
                entry = {"value": value, "timestamp": rfc3339(write.at), "sourceType": write.source}
                entries.insert(0, entry)
    return history
