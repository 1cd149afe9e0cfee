"""One HubSpot account: everything it holds, and the writes that touch more than one record."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.deliveries import Deliveries
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.accounts import Accounts
from crmsync.sandbox.hubspot.associations import Associations
from crmsync.sandbox.hubspot.default_properties import GROUPS, MODIFIED, default_properties
from crmsync.sandbox.hubspot.events import Events
from crmsync.sandbox.hubspot.properties import OWNER_PROPERTY, Properties
from crmsync.sandbox.hubspot.quota import Quota
from crmsync.sandbox.hubspot.records import Claims, Draft, Record, Records, Stamp, Values
from crmsync.sandbox.hubspot.rules import Rules
from crmsync.sandbox.hubspot.sales import Owners, Pipelines
from crmsync.sandbox.hubspot.settings import HubSpotSettings
from crmsync.sandbox.hubspot.wire import TYPE_IDS, iso, object_type

RESTORABLE_DAYS = 90
MAX_MERGES = 250

_FIRST_IDS = {"contacts": 100_001, "companies": 200_001, "deals": 300_001}
_SETTLING = ("contacts", "companies")
_API = ("INTEGRATION", "1160452")
_PERSON = ("CRM_UI", "userId:9586504")
_NOT_MERGED = ("hs_object_id", "createdate", "hs_merged_object_ids", "hs_additional_emails")


class Portal:
    """The state behind the API."""

    def __init__(self, clock: Clock, settings: HubSpotSettings, deliveries: Deliveries) -> None:
        """Start as a new portal does."""
        self.clock = clock
        self.settings = settings
        self.chance = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose
        self.created = clock.milliseconds()
        self.owners = Owners()
        self.pipelines = Pipelines(self.created)
        self.associations = Associations()
        self.accounts = Accounts(clock, lambda: self.settings, self.chance)
        self.quota = Quota(clock, settings, self.chance)
        self.blocklist: set[str] = set()
        """Addresses that were erased for good."""
        self.events = Events(clock, deliveries, settings.portal_id, self.chance)
        self.associations.made = partial(self.events.associated, removed=False)
        self.associations.removed = partial(self.events.associated, removed=True)
        self.objects = {name: self._records(name) for name in TYPE_IDS}
        self._apply_rules()
        self.configure(settings)

    def configure(self, settings: HubSpotSettings) -> None:
        """Go on with other settings."""
        self.settings = settings
        self.quota.configure(settings)
        self.owners.deactivated_assignable = settings.deactivated_owner_assignable
        for records in self.objects.values():
            records.archived_values_reserved = settings.archived_values_reserved

    def records(self, name: str) -> Records:
        """Return the records of an object type named in any accepted way; 400 for none such."""
        plural = object_type(name)
        if plural is None:
            raise errors.unknown_type(name)
        return self.objects[plural]

    # --- time and authorship ----------------------------------------------------------------

    def by_api(self, name: str) -> Stamp:
        """Stamp a write as made through the API, now."""
        return self._stamp(name, *_API)

    def by_person(self, name: str) -> Stamp:
        """Stamp a write as made by somebody in HubSpot's own pages, now."""
        return self._stamp(name, *_PERSON)

    def _stamp(self, name: str, source: str, source_id: str) -> Stamp:
        settings, now = self.settings, self.clock.milliseconds()
        lag_seconds = settings.search_lag_seconds
        if lag_seconds and settings.search_lag_jitter_seconds:
            spread = settings.search_lag_jitter_seconds
            lag_seconds = max(lag_seconds + self.chance.uniform(-spread, spread), 0.0)
        settles = settings.settling_seconds and name in _SETTLING
        return Stamp(
            at=now,
            source=source,
            source_id=source_id,
            visible_at=now + int(lag_seconds * 1000),
            settles_at=now + int(settings.settling_seconds * 1000) if settles else None,
            kept=settings.keep_history,
        )

    # --- writes of one record ---------------------------------------------------------------

    def draft_create(self, name: str, given: Mapping[str, Any], claims: Claims) -> Draft:
        """Check a new record."""
        self._check_blocklist(name, given)
        return self.objects[name].draft_create(given, claims)

    def draft_update(
        self, name: str, record: Record, given: Mapping[str, Any], claims: Claims
    ) -> Draft:
        """Check a change; one without properties is refused."""
        if not given:
            raise errors.invalid("No properties found to update, please provide at least one.")
        self._check_blocklist(name, given)
        return self.objects[name].draft_update(record, given, claims)

    def archive(self, name: str, record: Record) -> None:
        """Put a record into the recycle bin; its associations are not shown meanwhile."""
        self.objects[name].archive(record, self.clock.milliseconds())
        self.events.happened(name, "deletion", record.id)

    def restore(self, name: str, record_id: str) -> None:
        """Take a record out of the recycle bin; 404 where it is not there or no longer."""
        record = self.find_archived(name, record_id)
        if record is None:
            raise errors.not_found()
        self.objects[name].restore(record)
        self.events.happened(name, "restore", record_id)

    def find_archived(self, name: str, record_id: str) -> Record | None:
        """Return an archived record that can still be restored."""
        record = self.objects[name].find_archived(record_id)
        return record if record is not None and self.restorable(record) else None

    def restorable(self, record: Record) -> bool:
        """Whether an archived record is still in the recycle bin."""
        days = (self.clock.milliseconds() - (record.archived or 0)) / 86_400_000
        return record.archived is not None and days < RESTORABLE_DAYS

    def erase(self, record: Record | None, address: str | None) -> None:
        """Erase a contact for good, and let its addresses never come back."""
        if address:
            self.blocklist.add(address.strip().lower())
        if record is not None:
            values = record.values
            listed = f"{values.get('email', '')};{values.get('hs_additional_emails', '')}"
            self.blocklist.update(filter(None, listed.split(";")))
            self.associations.forget("contacts", record.id)
            self.objects["contacts"].erase(record)
            self.events.happened("contacts", "privacyDeletion", record.id)

    def _check_blocklist(self, name: str, given: Mapping[str, Any]) -> None:
        if name != "contacts" or not self.blocklist:
            return
        address = str(given.get("email") or "").strip().lower()
        if address in self.blocklist:
            # How HubSpot words this is not confirmed.
            text = "This email address belongs to a contact that was permanently deleted."
            failure = {"name": "email", "code": "INVALID_EMAIL", "message": text}
            raise errors.invalid_values([failure], self.settings.portal_id)

    # --- merging ----------------------------------------------------------------------------

    def merge(self, name: str, primary_id: str, other_id: str) -> Record:
        """Merge two records into a survivor, which by default has an id of its own."""
        records = self.objects[name]
        primary, other = records.find(primary_id), records.find(other_id)
        if primary is None or other is None or primary is other:
            raise errors.not_found()
        merged_ids = _merged_ids(primary, other)
        if len(merged_ids) > MAX_MERGES:
            raise errors.ApiError(
                414, f"Cannot have more than {MAX_MERGES} identities on a profile"
            )
        values = _merged_values(primary, other)
        stamp = replace(self.by_api(name), told=False)
        if self.settings.merge_keeps_primary_id:
            records.merge_away(other, primary.id)
            survivor = records.commit(Draft(primary, primary.id, values), stamp)
        else:
            survivor_id = records.take_id()
            for loser in (primary, other):
                records.merge_away(loser, survivor_id)
            survivor = records.commit(Draft(None, survivor_id, values), stamp)
            created = min(primary.created, other.created)
            survivor.created = created
            survivor.values["createdate"] = iso(created)
        survivor.values["hs_merged_object_ids"] = ";".join(merged_ids)
        for loser in (primary, other):
            if loser is not survivor:
                self.associations.move(name, loser.id, survivor.id)
        self.events.happened(
            name,
            "merge",
            survivor.id,
            primaryObjectId=int(primary.id),
            mergedObjectIds=[int(other.id)],
            newObjectId=int(survivor.id),
            numberOfPropertiesMoved=len(values),
        )
        return survivor

    # --- making the portal ------------------------------------------------------------------

    def _records(self, name: str) -> Records:
        external = {OWNER_PROPERTY: self.owners.check}
        if name == "deals":
            external["pipeline"] = self.pipelines.check_pipeline
            external["dealstage"] = self.pipelines.check_stage
        properties = Properties(default_properties(name, self.created), GROUPS[name], external)
        records = Records(properties, MODIFIED[name], self.settings.portal_id, _FIRST_IDS[name])

        records.told = partial(self.events.written, name)
        return records

    def _apply_rules(self) -> None:
        rules = Rules(lambda: self.settings, self.pipelines)
        contacts, companies, deals = self.objects.values()
        contacts.adjust, contacts.derive = rules.adjust_contact, rules.derive_contact
        companies.adjust = rules.adjust_company
        deals.adjust, deals.derive = rules.adjust_deal, rules.derive_deal


def _merged_ids(primary: Record, other: Record) -> list[str]:
    listed = (record.values.get("hs_merged_object_ids", "") for record in (primary, other))
    earlier = [record_id for ids in listed for record_id in ids.split(";") if record_id]
    return list(dict.fromkeys([*earlier, primary.id, other.id]))


def _merged_values(primary: Record, other: Record) -> Values:
    values = {**other.values, **{name: v for name, v in primary.values.items() if v}}
    addresses = [
        address
        for record in (primary, other)
        for source in ("email", "hs_additional_emails")
        for address in record.values.get(source, "").split(";")
        if address and address != values.get("email")
    ]
    for name in _NOT_MERGED:
        values.pop(name, None)
    if addresses:
        values["hs_additional_emails"] = ";".join(dict.fromkeys(addresses))
    return values
