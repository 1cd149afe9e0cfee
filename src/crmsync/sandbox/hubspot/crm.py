"""The simulated HubSpot as the frame sees it: lets calls in, words refusals, acts on order."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.deliveries import Deliveries
from crmsync.sandbox.http import HTML, Answer, Request
from crmsync.sandbox.hubspot import errors, events, routes
from crmsync.sandbox.hubspot.calls.call import Call
from crmsync.sandbox.hubspot.calls.objects import history
from crmsync.sandbox.hubspot.errors import ApiError
from crmsync.sandbox.hubspot.portal import Portal
from crmsync.sandbox.hubspot.records import Claims, Record, Records
from crmsync.sandbox.hubspot.settings import HubSpotSettings
from crmsync.sandbox.hubspot.wire import iso
from crmsync.sandbox.settings import Settings

_GATEWAY = (502, 503, 504, 521, 522, 523, 524)
"""Statuses that the network in front of HubSpot answers with, in HTML."""

_WORDS = {
    423: ("The resource is locked by another request, try again later.", None, {}),
    429: ("You have reached your ten_secondly_rolling limit.", None,
          {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}),
    477: ("This account is being moved between data centers.", None, {}),
    500: ("internal error", None, {}),
}  # fmt: skip
_MIGRATION_SECONDS = 3600
_CORRELATION = "X-HubSpot-Correlation-Id"


class HubSpot:
    """One HubSpot account."""

    def __init__(self, settings: HubSpotSettings) -> None:
        """Open a new account."""
        self.clock = Clock()
        self.settings = settings
        self._deliveries = Deliveries(
            self.clock, retry_seconds=events.RETRY_SECONDS, seed=settings.seed
        )
        self._portal = Portal(self.clock, settings, self._deliveries)

    # --- what the frame calls ---------------------------------------------------------------

    def route_of(self, request: Request) -> str:
        """Return the path with what varies in braces, in its v3/v4 spelling."""
        found = routes.find(request.method, request.path)
        return found[0].path if found else request.path

    def answer(self, request: Request) -> Answer:
        """Carry a request out."""
        headers: dict[str, str] = {}
        try:
            answer = self._let_in(request, headers)
        except ApiError as error:
            answer = self._refusal(error)
        answer.headers.update(headers)
        answer.headers.setdefault(_CORRELATION, self._uuid())
        answer.headers["Date"] = formatdate(self.clock.time(), usegmt=True)
        return answer

    def failure(self, status: int) -> Answer:
        """Word a failure that comes from nothing the client did."""
        if status in _GATEWAY:
            page = f"<html><head><title>{status}</title></head><body>{status}</body></html>"
            return Answer(status, page.encode(), HTML)
        text, category, more = _WORDS.get(status, ("something went wrong", None, {}))
        error = ApiError(status, text, category, **more)
        if status == 477:  # noqa: PLR2004 - HubSpot's own status
            error.headers["Retry-After"] = str(_MIGRATION_SECONDS)
        return self._refusal(error)

    def configure(self, settings: Settings) -> None:
        """Go on with other settings."""
        if not isinstance(settings, HubSpotSettings):
            raise TypeError("a HubSpot account takes HubSpot settings")
        self._portal.configure(settings)
        self.settings = settings

    def reset(self) -> None:
        """Open a new account in place of the old."""
        self._deliveries.forget()
        self._portal = Portal(self.clock, self.settings, self._deliveries)

    def object_counts(self) -> dict[str, int]:
        """Return the number of live records of each type."""
        return {name: records.count() for name, records in self._portal.objects.items()}

    def held(self, object_type: str, ids: list[str] | None) -> list[dict[str, Any]]:
        """Return records as held; ids that were merged away are listed too."""
        records = self._records(object_type)
        now = self.clock.milliseconds()
        kept = [_held(records.settle(record, now)) for record in records.every()]
        merged = [{"id": old, "merged_into": new} for old, new in records.merged.items()]
        everything = sorted([*kept, *merged], key=lambda entry: int(entry["id"]))
        if ids is None:
            return everything
        found = [entry for entry in everything if entry["id"] in set(ids)]
        if not found:
            raise ControlError(f"no {object_type} with id {', '.join(ids)}")
        return found

    def write_directly(
        self, object_type: str, record_id: str | None, values: Mapping[str, Any]
    ) -> str:
        """Create or edit a record as somebody in HubSpot's own pages."""
        portal, records = self._portal, self._records(object_type)
        try:
            if record_id is None:
                draft = records.draft_create(values, Claims())
            else:
                draft = records.draft_update(self._live(records, record_id), values, Claims())
        except ApiError as error:
            raise ControlError(error.message) from None
        return records.commit(draft, portal.by_person(object_type)).id

    def snapshot(self) -> dict[str, Any]:
        """Return records, custom properties and associations; not histories, owners or tokens."""
        return {
            "objects": {name: rs.snapshot() for name, rs in self._portal.objects.items()},
            "associations": self._portal.associations.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Open a new account that holds what a snapshot says."""
        self.reset()
        for name, saved in snapshot["objects"].items():
            self._records(name).load_snapshot(saved)
        self._portal.associations.load_snapshot(snapshot["associations"])

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        """Return what else can happen to an account."""
        return {
            "merge": self._merge,
            "archive": self._archive,
            "restore": self._restore,
            "touch": self._touch,
            "associations": self._associations,
            "expire_access_tokens": self._expire_access_tokens,
            "revoke_refresh_tokens": self._revoke_refresh_tokens,
            "add_owner": self._add_owner,
            "deactivate_owner": self._deactivate_owner,
            "archive_property": self._archive_property,
            "remove_option": self._remove_option,
            "rename_stage": self._rename_stage,
            "delete_stage": self._delete_stage,
            "subscribe": self._subscribe,
            **self._deliveries.actions(),
        }

    # --- letting calls in -------------------------------------------------------------------

    def _let_in(self, request: Request, headers: dict[str, str]) -> Answer:
        found = routes.find(request.method, request.path)
        if found is None:
            raise errors.no_such_path()
        route, path = found
        if route.area != "open":
            caller = self._portal.accounts.caller(request.headers.get("authorization"))
            headers.update(self._portal.quota.admit(route.pool, caller.app))
            wanted = route.scopes(path)
            if wanted and not set(wanted).intersection(caller.scopes):
                raise errors.missing_scopes(wanted)
        return route.answer(Call(self._portal, request, path))

    def _refusal(self, error: ApiError) -> Answer:
        correlation_id = self._uuid()
        body = error.envelope(correlation_id)
        if error.status == 429:  # noqa: PLR2004 - too many requests
            body["requestId"] = self._uuid()
        return Answer.of(error.status, body, {**error.headers, _CORRELATION: correlation_id})

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._portal.chance.getrandbits(128), version=4))

    # --- what the control API can have done -------------------------------------------------

    def _merge(self, object_type: str, primary: str, other: str) -> str:
        """Merge two records; return the survivor's id."""
        try:
            return self._portal.merge(object_type, primary, other).id
        except ApiError as error:
            raise ControlError(error.message) from None

    def _archive(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Put a record into the recycle bin."""
        self._portal.archive(object_type, self._live(self._records(object_type), id))

    def _restore(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Take a record out of the recycle bin."""
        try:
            self._portal.restore(object_type, id)
        except ApiError as error:
            raise ControlError(error.message) from None

    def _touch(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Move a record's modification time without changing anything anybody sees."""
        records = self._records(object_type)
        record = self._live(records, id)
        record.settles_at = self.clock.milliseconds()
        records.settle(record, record.settles_at)

    def _associations(self, object_type: str, id: str, to: str) -> dict[str, list[int]]:  # noqa: A002
        """Return the ids a record is associated with, and the type ids of each."""
        kinds = self._portal.associations.of(object_type, id, to)
        return {to_id: sorted(type_id for _, type_id in kind) for to_id, kind in kinds.items()}

    def _expire_access_tokens(self) -> None:
        """Let every OAuth access token have expired."""
        self._portal.accounts.expire_access_tokens()

    def _revoke_refresh_tokens(self) -> None:
        """Revoke every refresh token, as uninstalling the app does."""
        self._portal.accounts.retire_refresh_tokens()

    def _add_owner(self, email: str, first_name: str = "", last_name: str = "") -> dict[str, Any]:
        """Add an owner; return them."""
        owner = self._portal.owners.add(email, first_name, last_name)
        return owner.report(self._portal.created)

    def _deactivate_owner(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Deactivate an owner."""
        self._portal.owners.deactivate(id)

    def _archive_property(self, object_type: str, name: str) -> None:
        """Archive a property, HubSpot's own included, so that writes naming it fail."""
        properties = self._records(object_type).properties
        properties.put(replace(properties.get(name), archived=self.clock.milliseconds()))

    def _remove_option(self, object_type: str, name: str, value: str) -> None:
        """Take an option from an enumeration, so that writes of it fail."""
        properties = self._records(object_type).properties
        definition = properties.get(name)
        left = tuple(option for option in definition.options if option.value != value)
        properties.put(replace(definition, options=left))

    def _rename_stage(self, id: str, label: str) -> None:  # noqa: A002 - the wire's own word
        """Give a deal stage another label; its id stays."""
        stage = self._portal.pipelines.find_stage(id)
        if stage is None:
            raise ControlError(f"no stage with id {id}")
        stage.label = label

    def _delete_stage(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Delete a deal stage, whatever is in it."""
        for pipeline in self._portal.pipelines.all.values():
            pipeline.stages.pop(id, None)

    def _subscribe(self, url: str, secret: str) -> None:
        """Tell an address of everything by webhooks, as an app with this client secret."""
        self._portal.events.subscribe(url, secret)

    def _records(self, object_type: str) -> Records:
        try:
            return self._portal.records(object_type)
        except ApiError as error:
            raise ControlError(error.message) from None

    @staticmethod
    def _live(records: Records, record_id: str) -> Record:
        record = records.find(record_id)
        if record is None:
            raise ControlError(f"no live record with id {record_id}")
        return record


def _held(record: Record) -> dict[str, Any]:
    names = {name for write in record.history for name in write.changes}
    return {
        "id": record.id,
        "properties": dict(record.values),
        "created_at": iso(record.created),
        "modified_at": iso(record.modified),
        "archived_at": iso(record.archived) if record.archived is not None else None,
        "merged_into": None,
        "writes": len(record.history),
        "history": {name: history(record, name) for name in sorted(names)},
    }
