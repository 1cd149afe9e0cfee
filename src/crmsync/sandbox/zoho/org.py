"""One Zoho CRM organisation: all it holds, and the writes that touch more than one record."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.deliveries import Deliveries
from crmsync.sandbox.http import Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.accounts import Accounts
from crmsync.sandbox.zoho.channels import Channels
from crmsync.sandbox.zoho.default_fields import DISPLAY, MATCH, default_fields
from crmsync.sandbox.zoho.fields import Fields
from crmsync.sandbox.zoho.lookups import Checks, NewAccount
from crmsync.sandbox.zoho.paging import PageTokens
from crmsync.sandbox.zoho.quota import Quota
from crmsync.sandbox.zoho.records import Deletion, Draft, Record, Records, Stamp
from crmsync.sandbox.zoho.rules import DealRules, adjust_person
from crmsync.sandbox.zoho.sales import ContactRoles, Pipelines, User, Users
from crmsync.sandbox.zoho.settings import ZohoSettings
from crmsync.sandbox.zoho.wire import iso, zone

TRIGGERS = ("workflow", "approval", "blueprint")
RECYCLE_SECONDS = 60 * 86_400
LISTED_SECONDS = 120 * 86_400

_FIRST_ID = 554_023_000_000_100_001
_SYSTEM_TIMES = {"Created_Time": "created", "Modified_Time": "modified"}
_SYSTEM_USERS = {"Created_By": "created_by", "Modified_By": "modified_by"}


class Org:
    """The state behind the API."""

    def __init__(self, clock: Clock, settings: ZohoSettings, deliveries: Deliveries) -> None:
        """Start as a new organisation does; `deliveries` takes what it notifies others of."""
        self.clock = clock
        self.settings = settings
        self.zone = zone(settings.time_zone)
        # The data centre, so that no two give out the same tokens.
        seed = f"{settings.seed} {settings.data_centre}"
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.next_id = _FIRST_ID
        self.created = self.now()
        self.users = Users(self.new_id, self.created)
        self.pipelines = Pipelines(self.new_id)
        self.contact_roles = ContactRoles(self.new_id)
        self.module_ids = {name: self.new_id() for name in MATCH}
        self.layout_ids = {name: self.new_id() for name in MATCH}
        self.accounts = Accounts(clock, lambda: self.settings, self.chance)
        self.quota = Quota(clock, settings)
        self.page_tokens = PageTokens(self.chance)
        self.channels = Channels(self.now, deliveries)
        self.modules: dict[str, Records] = {}
        self.checks = Checks(settings, self.zone, self.users, self.pipelines, self._exists)
        for name in MATCH:
            self.modules[name] = self._records(name)
        self.configure(settings)

    def configure(self, settings: ZohoSettings) -> None:
        """Go on with other settings."""
        self.zone = zone(settings.time_zone)
        self.settings = self.quota.settings = self.checks.settings = settings
        self.checks.zone = self.zone
        for records in self.modules.values():
            records.all_faults = settings.several_faults == "all"
            records.fields.compile()

    def records(self, module: str, place: int = 0) -> Records:
        """Return the records of a module; 400 for none such. Names are case-sensitive."""
        if module not in self.modules:
            raise errors.unknown_module(place)
        return self.modules[module]

    def new_id(self) -> str:
        """Return an id nobody has: 18 digits, in the order of their making."""
        self.next_id += 1
        return str(self.next_id - 1)

    # --- time and authorship ----------------------------------------------------------------

    def now(self) -> int:
        """Return the time, in whole seconds since 1970, as Zoho keeps it."""
        return int(self.clock.time())

    def iso(self, seconds: int) -> str:
        """Write a time with the organisation's offset."""
        return iso(seconds, self.zone)

    def stamp(
        self, source: Literal["API", "UI"] = "API", triggers: Sequence[str] = TRIGGERS
    ) -> Stamp:
        """Stamp a write as made now."""
        now = self.now()
        lag_seconds = self.settings.search_lag_seconds
        return Stamp(
            at=now,
            user=self.users.current.id,
            source=source,
            triggers=tuple(triggers),
            visible_at=self.clock.time() + lag_seconds if lag_seconds else now,
            kept=self.settings.keep_history,
        )

    def user(self, user_id: str) -> User:
        """Return a user, deleted ones too."""
        return self.users.all[user_id]

    # --- values that stand outside the written ones ------------------------------------------

    def value(self, module: str, record: Record, name: str) -> Json:
        """Return a value as kept: ids for lookups, None where there is none."""
        if name == "id":
            return record.id
        if name in _SYSTEM_TIMES:
            return self.iso(getattr(record, _SYSTEM_TIMES[name]))
        if name in _SYSTEM_USERS:
            return getattr(record, _SYSTEM_USERS[name])
        if name == "Converted__s" and module == "Leads":
            return "converted" in record.states
        return record.values.get(name)

    def shown(self, module: str, record: Record, name: str) -> Json:
        """Return a value as the API shows it: names beside the ids of lookups."""
        value = self.value(module, record, name)
        field = self.modules[module].fields.find(name)
        if value is None or field is None:
            return value
        if field.data_type == "ownerlookup":
            return self.user(value).owner()
        if field.lookup is not None:
            target = self.modules[field.lookup].by_id.get(value)
            return {"name": self.name_of(field.lookup, target), "id": value}
        return value

    def name_of(self, module: str, record: Record | None) -> str | None:
        """Return what a record is called in lookups."""
        return record.values.get(DISPLAY[module]) if record is not None else None

    # --- writes ----------------------------------------------------------------------------

    def commit(self, module: str, draft: Draft, stamp: Stamp) -> Record:
        """Carry a checked write out, and make the accounts it names."""
        for name, value in draft.changes.items():
            if isinstance(value, NewAccount):
                draft.changes[name] = self._account_named(value.name, stamp)
        if draft.changes.get("Owner") is None:
            # Nothing is without an owner: null keeps the one there is.
            draft.changes.pop("Owner", None)
            if draft.record is None:
                draft.changes["Owner"] = self.users.current.id
        return self.modules[module].commit(draft, stamp)

    def delete(self, module: str, record: Record, *, permanent: bool = False) -> None:
        """Put a record into the recycle bin, or away for good."""
        deletion = Deletion(self.now(), self.users.current.id, permanent)
        self.modules[module].delete(record, deletion)

    def merge(self, module: str, master: Record, losers: Iterable[Record]) -> None:
        """Merge records into a master, which keeps its own values and takes those it lacks."""
        records = self.modules[module]
        changes: dict[str, Any] = {}
        for loser in losers:
            for name, value in loser.values.items():
                if master.values.get(name) is None and name not in changes:
                    changes[name] = value
            self.delete(module, loser)
            loser.merged_into = master.id
            self._point_elsewhere(module, loser.id, master.id)
        unique = records.fields.unique
        kept = {name: value for name, value in changes.items() if name not in unique}
        records.commit(Draft(master, kept), self.stamp("UI"))

    def convert(self, lead: Record) -> dict[str, str]:
        """Turn a lead into a contact and its account; return their ids by module."""
        stamp, held = self.stamp("UI"), lead.values
        contacts = self.modules["Contacts"]
        company = held.get("Company")
        account = self._account_named(company, stamp) if company else None
        changes = {name: held[name] for name in held if contacts.fields.find(name) is not None}
        contact = contacts.commit(Draft(None, {**changes, "Account_Name": account}), stamp)
        lead.states |= {"converted"}
        became = {"Converted_Contact": contact.id, "Converted_Account": account}
        self.modules["Leads"].commit(Draft(lead, became), stamp)
        ids = {"Contacts": contact.id}
        return {**ids, "Accounts": account} if account is not None else ids

    # --- inside -----------------------------------------------------------------------------

    def _exists(self, module: str, record_id: str) -> bool:
        return self.modules[module].find(record_id) is not None

    def _account_named(self, name: str, stamp: Stamp) -> str:
        accounts = self.modules["Accounts"]
        for known in accounts.holding("Account_Name", name):
            return known.id
        changes = {"Account_Name": name, "Owner": self.users.current.id}
        return accounts.commit(Draft(None, changes), stamp).id

    def _point_elsewhere(self, module: str, old_id: str, new_id: str) -> None:
        for records in self.modules.values():
            names = [f.api_name for f in records.fields.all.values() if f.lookup == module]
            for record in records.by_id.values() if names else ():
                for name in names:
                    if record.values.get(name) == old_id:
                        record.values = {**record.values, name: new_id}

    def _records(self, module: str) -> Records:
        defaults = default_fields(module, self.new_id)
        fields = Fields(defaults, MATCH[module], self.checks.check_for)
        records = Records(module, fields, self.new_id)
        records.describe = lambda record: self._holder(module, record)
        records.tell = functools.partial(self.channels.tell, module)
        if module in ("Leads", "Contacts"):
            records.adjust = adjust_person
        elif module == "Deals":
            rules = DealRules(self.pipelines, self.iso)
            records.adjust, records.verify = rules.adjust, rules.verify
        return records

    def _holder(self, module: str, record: Record) -> dict[str, Any]:
        return {
            "Owner": self.user(record.values["Owner"]).owner(),
            "module": {"api_name": module, "id": self.module_ids[module]},
            "id": record.id,
        }
