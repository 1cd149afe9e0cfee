"""One Salesforce org: everything it holds, and the changes that touch more than one record."""

from __future__ import annotations

import random

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.salesforce.authorisations import Authorisations
from crmsync.sandbox.salesforce.automation import Automation
from crmsync.sandbox.salesforce.default_fields import CHILDREN, KINDS, STAGES
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.locks import Locks, Transaction
from crmsync.sandbox.salesforce.records import Record, Stamp, Table
from crmsync.sandbox.salesforce.schema import ObjectType
from crmsync.sandbox.salesforce.settings import SalesforceSettings
from crmsync.sandbox.salesforce.soql.cursors import Cursors
from crmsync.sandbox.salesforce.usage import Usage
from crmsync.sandbox.salesforce.wire import API_USER_ID, PERSON_ID, stamp
from crmsync.sandbox.settings import SettingsError

_USERS = (
    ("Integration", "Crmsync", True),
    ("Ada", "Sales", True),
    ("Ben", "Sales", True),
    ("Cleo", "Gone", False),
)
_EXTERNAL_ID_LENGTH = 255


class Org:
    """The state behind the API."""

    def __init__(self, clock: Clock, settings: SalesforceSettings) -> None:
        """Start as a new org does."""
        self.clock = clock
        self.settings = settings
        self.chance = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose
        self.tables = {kind.name: Table(ObjectType(kind)) for kind in KINDS}
        self._by_lower_name = {name.lower(): table for name, table in self.tables.items()}
        self.automation = Automation(self.stage)
        self.locks = Locks(clock, lambda: self.settings)
        self.usage = Usage(clock, lambda: self.settings)
        self.cursors = Cursors(clock, lambda: self.settings)
        self.authorisations = Authorisations(
            clock, lambda: self.settings, self.chance, self._is_active_user
        )
        self._populate()
        self.configure(settings)

    def configure(self, settings: SalesforceSettings) -> None:
        """Go on with other settings; before any change `SettingsError` names a wrong field."""
        keys = [self._column(path) for path in settings.external_id_fields]
        hidden = self._by_type(settings.hidden_fields)
        read_only = self._by_type(settings.read_only_fields)
        for table, name in keys:
            if not name.endswith("__c"):
                path = f"{table.type.name}.{name}"
                raise SettingsError(f"{path}: the name of a custom field ends in __c")
        self.settings = settings
        self.authorisations.configure()
        for table, name in keys:
            if name not in table.type.fields:
                self.put_field(table, _external_id(name))
        for type_name, table in self.tables.items():
            table.type.permit(hidden.get(type_name, ()), read_only.get(type_name, ()), self.now())

    def now(self) -> int:
        """Return whole seconds since 1970."""
        return int(self.clock.time())

    def table(self, name: str) -> Table | None:
        """Return the records of an object type named in any case."""
        return self.tables.get(name) or self._by_lower_name.get(name.lower())

    def put_field(self, table: Table, field: Field) -> None:
        """Add or replace a field."""
        table.type.put(field, self.now())
        table.reindex()

    def remove_field(self, table: Table, name: str) -> None:
        """Remove a field with what records hold in it."""
        table.type.remove(name, self.now())
        table.reindex()
        for record in table.by_id.values():
            record.values = {field: v for field, v in record.values.items() if field != name}

    def by_api(self) -> Stamp:
        """Stamp a write as the integration user's, now."""
        return Stamp(self.now(), API_USER_ID, self.settings.keep_history)

    def by_person(self) -> Stamp:
        """Stamp a write as a salesperson's, now."""
        return Stamp(self.now(), PERSON_ID, self.settings.keep_history)

    def matches(
        self, table: Table, field: str, value: object, transaction: Transaction | None
    ) -> list[Record]:
        """Return the live records with this key that a transaction sees."""
        ids = table.find_by(field, value)
        return [table.by_id[found] for found in ids if self.locks.sees(transaction, found)]

    def stage(self, name: object) -> Record | None:
        """Return a stage by the name that opportunities carry."""
        stages = self.tables["OpportunityStage"].live()
        return next((stage for stage in stages if stage.values["ApiName"] == name), None)

    # --- more than one record ---------------------------------------------------------------

    def delete(self, table: Table, record: Record, by: Stamp, transaction: Transaction) -> None:
        """Delete a record and its children."""
        for child_table, child in self._children(table, record):
            self.delete(child_table, child, by, transaction)
        table.delete(record, by, transaction)

    def merge(self, table: Table, winner: Record, loser: Record) -> None:
        """Delete one record in favour of another, which takes over its children, not its keys."""
        by, transaction = self.by_person(), Transaction(0.0)
        for child_table, child in self._children(table, loser):
            reference = next(
                kind.reference
                for kind in CHILDREN[table.type.name]
                if kind.object_type == child_table.type.name
            )
            child_table.put(child, {reference: winner.id}, by, transaction)
        table.delete(loser, by, transaction, merged_into=winner.id)
        table.put(winner, {}, by, transaction)

    def convert(self, lead: Record, opportunity: str) -> dict[str, str]:
        """Make a lead an account, a contact and, where it is named, an opportunity of theirs.

        Return their ids.
        """
        by, transaction, values = self.by_person(), Transaction(0.0), lead.values
        accounts, contacts = self.tables["Account"], self.tables["Contact"]
        account = accounts.insert(
            {**accounts.type.defaults, "Name": values["Company"]}, by, transaction
        )
        person = {name: values.get(name) for name in ("LastName", "FirstName", "Name", "Email")}
        contact = contacts.insert(
            {**contacts.type.defaults, **person, "AccountId": account.id}, by, transaction
        )
        converted = {
            "IsConverted": True,
            "Status": "Closed - Converted",
            "ConvertedAccountId": account.id,
            "ConvertedContactId": contact.id,
        }
        made = {"account_id": account.id, "contact_id": contact.id}
        if opportunity:
            made["opportunity_id"] = self._open_deal(opportunity, account, contact, by)
            converted["ConvertedOpportunityId"] = made["opportunity_id"]
        self.tables["Lead"].put(lead, converted, by, transaction)
        return made

    def _open_deal(self, name: str, account: Record, contact: Record, by: Stamp) -> str:
        """Make an opportunity of an account with its one contact; return its id."""
        deals, roles = self.tables["Opportunity"], self.tables["OpportunityContactRole"]
        values = {"Name": name, "StageName": STAGES[0][0], "CloseDate": stamp(by.at)[:10]}
        self.automation.run("Opportunity", values, {}, stamp(by.at))
        deal = deals.insert(
            {**deals.type.defaults, **values, "AccountId": account.id}, by, Transaction(0.0)
        )
        role = {"OpportunityId": deal.id, "ContactId": contact.id, "IsPrimary": True}
        roles.insert({**roles.type.defaults, **role}, by, Transaction(0.0))
        return deal.id

    def _children(self, table: Table, record: Record) -> list[tuple[Table, Record]]:
        return [
            (self.tables[kind.object_type], child)
            for kind in CHILDREN.get(table.type.name, ())
            for child in self.tables[kind.object_type].live()
            if child.values.get(kind.reference) == record.id
        ]

    def _is_active_user(self, username: object) -> bool:
        users = self.tables["User"]
        found = users.find_by("Username", username)
        return any(users.by_id[one].values["IsActive"] for one in found)

    # --- making the org ---------------------------------------------------------------------

    def _populate(self) -> None:
        by, unused = Stamp(self.now(), API_USER_ID, kept=False), Transaction(0.0)
        users, stages = self.tables["User"], self.tables["OpportunityStage"]
        for place, (first, last, active) in enumerate(_USERS):
            address = f"{first}.{last}@acme.example".lower()
            values = {"FirstName": first, "LastName": last, "Name": f"{first} {last}",
                      "Email": address, "Username": address, "IsActive": active}  # fmt: skip
            if place == 0:
                values["Username"] = self.settings.username
            users.insert(values, by, unused)
        itself = {"Name": "Acme", "OrganizationType": "Developer Edition", "IsSandbox": False}
        self.tables["Organization"].insert(itself, by, unused)
        for place, (label, probability, forecast) in enumerate(STAGES):
            values = {"MasterLabel": label, "ApiName": label, "IsActive": True,
                      "IsClosed": forecast != "Pipeline", "IsWon": label == "Closed Won",
                      "SortOrder": place + 1, "DefaultProbability": float(probability),
                      "ForecastCategoryName": forecast}  # fmt: skip
            stages.insert(values, by, unused)

    def _by_type(self, paths: tuple[str, ...]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in paths:
            table, name = self._column(path)
            # A custom field may yet be added.
            if name not in table.type.fields and not name.endswith("__c"):
                raise SettingsError(f"{path}: {table.type.name} has no such field")
            found.setdefault(table.type.name, []).append(name)
        return found

    def _column(self, path: str) -> tuple[Table, str]:
        type_name, _, name = path.partition(".")
        table = self.tables.get(type_name)
        if table is None or not name:
            raise SettingsError(f"{path}: name a field as Contact.Phone")
        return table, name


def _external_id(name: str) -> Field:
    return Field(
        name=name,
        label=name.removesuffix("__c").replace("_", " "),
        length=_EXTERNAL_ID_LENGTH,
        custom=True,
        external_id=True,
        unique=True,
    )
