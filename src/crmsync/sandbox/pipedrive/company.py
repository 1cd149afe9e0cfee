"""One Pipedrive company: everything it holds, and every way of changing a record."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.pipedrive import deals, errors
from crmsync.sandbox.pipedrive.accounts import Accounts
from crmsync.sandbox.pipedrive.fields import Fields, OptionIds
from crmsync.sandbox.pipedrive.quota import Quota
from crmsync.sandbox.pipedrive.records import Record, Records, Source, Write
from crmsync.sandbox.pipedrive.sales import Pipelines, Users
from crmsync.sandbox.pipedrive.schemas import Values, check_custom, make_schemas
from crmsync.sandbox.pipedrive.search_index import SearchIndex, Seen, as_seen
from crmsync.sandbox.pipedrive.settings import PipedriveSettings
from crmsync.sandbox.pipedrive.webhooks import Event, State, Webhooks
from crmsync.sandbox.pipedrive.wire import OBJECT_TYPES, SINGULAR, parse_rfc3339

_LISTS = ("emails", "phones", "im")
_LINK_KEYS = {"persons": "person_id", "organizations": "org_id"}
"""How others refer to records of a type."""


class Company:
    """The state behind the API."""

    def __init__(self, clock: Clock, settings: PipedriveSettings) -> None:
        """Start as a new company does."""
        self.clock = clock
        self.settings = settings
        self.chance = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose
        self.created = self.now()
        self.users = Users()
        self.pipelines = Pipelines(self.created)
        self.accounts = Accounts(clock, lambda: self.settings, self.chance)
        self.quota = Quota(clock, settings, self.chance)
        self.webhooks = Webhooks(clock, settings, self.users.caller.id)
        self.option_ids = OptionIds(self.chance)
        self.fields = {name: Fields(name, self.chance, self.option_ids) for name in OBJECT_TYPES}
        self.records = {name: Records() for name in OBJECT_TYPES}
        self.indexes = {name: SearchIndex() for name in OBJECT_TYPES}
        self._schemas = make_schemas(self._exists, contact_sync=lambda: self.settings.contact_sync)
        self._open_deals = 0

    def configure(self, settings: PipedriveSettings) -> None:
        """Go on with other settings."""
        self.settings = settings
        self.quota.configure(settings)

    def now(self) -> int:
        """Return the time in the whole seconds that Pipedrive keeps."""
        return int(self.clock.time())

    # --- writes -----------------------------------------------------------------------------

    def create(self, object_type: str, body: Mapping[str, Any], source: Source) -> Record:
        """Create a record, whatever else there is like it; 400 names all that is wrong."""
        now = self.now()
        values, custom = self._checked(object_type, body, None, now)
        self._check_open_deals(object_type, None, values)
        created = parse_rfc3339(values.pop("add_time", "")) or now
        whole = {**self._first_values(object_type), **values}
        record = self.records[object_type].add(created, now, whole, custom)
        self._note(object_type, record, source, values, custom)
        self._count_open_deal(object_type, None, whole)
        self.webhooks.tell(Event("create", object_type, State.of(record), source))
        return record

    def update(
        self, object_type: str, record: Record, body: Mapping[str, Any], source: Source
    ) -> None:
        """Change a record; 400 names all that is wrong, and nothing is changed."""
        if not body:
            raise errors.invalid(["body: Expected at least one parameter"])
        now = self.now()
        values, custom = self._checked(object_type, body, record, now)
        self._check_open_deals(object_type, record, values)
        if self.settings.emails_patch == "add":
            values.update(_added(record, values))
        before = State.of(record)
        self.records[object_type].change(record, now, values, custom)
        self._note(object_type, record, source, values, custom)
        self._count_open_deal(object_type, before.values, record.values)
        self.webhooks.tell(Event("change", object_type, State.of(record), source, before))

    def delete(
        self, object_type: str, record: Record, source: Source, merged_into: int | None = None
    ) -> None:
        """Delete a record; what refers to it goes on doing so."""
        last = State.of(record)
        self.records[object_type].delete(record, self.now(), merged_into)
        self._tell_search(object_type, record, None)
        self._count_open_deal(object_type, record.values, None)
        merged = {} if merged_into is None else {"merged_to_id": str(merged_into)}
        self.webhooks.tell(Event("delete", object_type, last, source, merged=merged))

    def restore(self, object_type: str, record: Record) -> None:
        """Take a deletion back."""
        before = State.of(record)
        self.records[object_type].restore(record, self.now())
        self._index(object_type, record)
        self._count_open_deal(object_type, None, record.values)
        self.webhooks.tell(Event("change", object_type, State.of(record), "app", before))

    def merge(self, object_type: str, path_id: int, other_id: int, source: Source) -> Record:
        """Merge two records, the second one's data winning; return the survivor."""
        path, other = self.get(object_type, path_id), self.get(object_type, other_id)
        if path is other:
            raise errors.invalid(["merge_with_id: Expected the id of another record"])
        path_survives = self.settings.merge_survivor == "path"
        survivor, loser = (path, other) if path_survives else (other, path)
        values = {
            **{key: value for key, value in path.values.items() if value is not None},
            **{key: value for key, value in other.values.items() if value is not None},
            **{key: _together(other, path, key) for key in _LISTS if key in other.values},
        }
        custom = {**path.custom, **other.custom}
        before = State.of(survivor)
        self.records[object_type].change(survivor, self.now(), values, custom)
        self._note(object_type, survivor, source, values, custom)
        self.delete(object_type, loser, source, merged_into=survivor.id)
        merged = {"merged_from_id": str(loser.id)}
        self.webhooks.tell(Event("change", object_type, State.of(survivor), source, before, merged))
        self._move_links(object_type, loser.id, survivor.id, source)
        return survivor

    def remove_field(self, object_type: str, code: str) -> None:
        """Delete a custom field with all its values."""
        self.fields[object_type].remove(code)
        self.records[object_type].forget_field(code)

    def get(self, object_type: str, record_id: int) -> Record:
        """Return a record that is not deleted; 404 where there is none."""
        record = self.records[object_type].find(record_id)
        if record is None:
            raise errors.not_found(SINGULAR[object_type])
        return record

    # --- for another day ----------------------------------------------------------------------

    def load(self, object_type: str, saved: Mapping[str, Any]) -> None:
        """Hold a record that a snapshot has; search knows it at once."""
        record = self.records[object_type].load(saved)
        if record.deleted is None:
            seen = as_seen(object_type, record, self.fields[object_type].custom)
            self.indexes[object_type].learn(record.id, seen, self.clock.monotonic(), 0)
            self._count_open_deal(object_type, None, record.values)

    # --- checks -----------------------------------------------------------------------------

    def _checked(
        self, object_type: str, body: Mapping[str, Any], record: Record | None, now: int
    ) -> tuple[Values, Values]:
        problems: list[str] = []
        schema, fields = self._schemas[object_type], self.fields[object_type]
        values = schema.check(body, problems, creating=record is None)
        custom: Values = {}
        if "custom_fields" in body:
            custom = check_custom(fields.custom, body["custom_fields"], self._exists, problems)
        if object_type == "deals" and not problems:
            held = record.values if record else {}
            values = deals.adjusted(values, held, self.pipelines, now, problems)
        elif "name" in values and object_type == "persons":
            values = {**values, **_name_parts(values["name"])}
        if problems:
            raise errors.invalid(problems)
        return values, custom

    def _exists(self, kind: str, wanted: int) -> bool:
        if kind == "user":
            user = self.users.all.get(wanted)
            assignable = self.settings.deactivated_owner_assignable
            return user is not None and (user.active or assignable)
        if kind == "pipeline":
            return wanted in self.pipelines.all
        if kind == "stage":
            return any(wanted in one.stages for one in self.pipelines.all.values())
        return self.records[f"{kind}s"].find(wanted) is not None

    def _check_open_deals(self, object_type: str, record: Record | None, values: Values) -> None:
        limit = self.settings.open_deals_limit
        if object_type != "deals" or limit is None or self._open_deals < limit:
            return
        opening = values.get("status", "open" if record is None else None) == "open"
        if opening and not _is_open(record.values if record else None):
            text = "Couldn't add the deal. Open deals limit reached."
            raise errors.capped(text, "feature_capping_deals_limit")

    # --- inside -----------------------------------------------------------------------------

    def _first_values(self, object_type: str) -> Values:
        owned = {"owner_id": self.users.caller.id, "visible_to": 3, "label_ids": []}
        if object_type == "persons":
            return {"name": None, "first_name": None, "last_name": None, "org_id": None,
                    "emails": [], "phones": [], "picture_id": None, **owned}  # fmt: skip
        if object_type == "organizations":
            return {"name": None, "address": None, "website": None, "linkedin": None,
                    "industry": None, "annual_revenue": None, "employee_count": None,
                    **owned}  # fmt: skip
        return {
            "title": None, "creator_user_id": self.users.caller.id, "person_id": None,
            "org_id": None, "pipeline_id": None, "stage_id": None, "value": 0,
            "currency": self.settings.currency, "status": "open", "stage_change_time": None,
            "is_archived": False, "archive_time": None, "lost_reason": None, "won_time": None,
            "lost_time": None, "close_time": None, "expected_close_date": None,
            "probability": None, "origin": "API", "origin_id": None, "channel": None,
            "channel_id": None, "arr": None, "mrr": None, "acv": None, **owned,
        }  # fmt: skip

    def _note(
        self, object_type: str, record: Record, source: Source, values: Values, custom: Values
    ) -> None:
        if self.settings.keep_history:
            changes = {**values, **{f"custom_fields.{code}": v for code, v in custom.items()}}
            record.history.append(Write(record.updated, source, changes))
        self._index(object_type, record)

    def _index(self, object_type: str, record: Record) -> None:
        seen = as_seen(object_type, record, self.fields[object_type].custom)
        self._tell_search(object_type, record, seen)

    def _tell_search(self, object_type: str, record: Record, seen: Seen | None) -> None:
        lag_seconds = self.settings.search_lag_seconds
        self.indexes[object_type].learn(record.id, seen, self.clock.monotonic(), lag_seconds)

    def _count_open_deal(
        self, object_type: str, before: Values | None, after: Values | None
    ) -> None:
        if object_type == "deals":
            self._open_deals += _is_open(after) - _is_open(before)

    def _move_links(self, object_type: str, old: int, new: int, source: Source) -> None:
        key = _LINK_KEYS.get(object_type)
        if key is None:
            return
        for name, records in self.records.items():
            for record in records.every():
                if record.values.get(key) == old and record.deleted is None:
                    before = State.of(record)
                    records.change(record, self.now(), {key: new}, {})
                    self.webhooks.tell(Event("change", name, State.of(record), source, before))


def _is_open(values: Values | None) -> bool:
    return values is not None and values["status"] == "open"


def _name_parts(name: str) -> Values:
    first, _, last = name.strip().partition(" ")
    return {"first_name": first, "last_name": last.strip() or None}


def _added(record: Record, values: Values) -> Values:
    """Return lists of contacts that hold what is sent and what was there."""
    added: Values = {}
    for key in _LISTS:
        if key in values:
            sent = values[key]
            known = {one["value"] for one in sent}
            kept = [one for one in record.values.get(key, []) if one["value"] not in known]
            added[key] = [*sent, *({**one, "primary": not sent and one["primary"]} for one in kept)]
    return added


def _together(first: Record, second: Record, key: str) -> list[dict[str, Any]]:
    """Return the contacts of both, the first one's primary staying primary."""
    joint = list(first.values[key])
    known = {one["value"] for one in joint}
    for one in second.values.get(key, []):
        if one["value"] not in known:
            joint.append({**one, "primary": one["primary"] and not joint})
    return joint
