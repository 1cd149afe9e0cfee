"""What differs between the CRMs that are measured; the rest of the bench knows none by name.

Names of fields are those of a mapping; a call is an entry of the simulated CRM's ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from bench.contacts import number_of, traits

if TYPE_CHECKING:  # who is measured beside crmsync must not carry its memory
    from crmsync.sandbox import Control

TOKEN = "pat-na1-bench"  # noqa: S105 - of simulated accounts
Call = Mapping[str, Any]
Values = Mapping[str, Any]


def _same(values: Values) -> Values:
    return values


def _no_labels(_: Control) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crm:
    """One CRM as it is measured."""

    name: str
    """Of the connector and the simulated CRM."""
    label: str
    object_type: str
    key: str = "crmsync_id"
    """Our unique field."""
    email: str
    fields: Mapping[str, str]
    """The mapping: their field, our trait."""
    made: tuple[str, ...] = ()
    """Fields that the connector makes; those it cannot make are among the settings."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the simulated account."""
    lifted: Mapping[str, int]
    """`limits:` of the connection that hold nothing up."""
    batch: int
    """Records that one write call carries at the least, where there are as many."""
    first_reads: int
    """Most read calls of a first push of 1,000, with nobody or everybody there before."""
    metadata: tuple[str, ...]
    """Patterns of the routes of calls that are about no record."""
    reads: Callable[[Call], bool]
    """Whether a call other than GET only reads."""
    sent: Callable[[Any], Iterator[Values]]
    """The fields of each record in the body of a write."""
    held: Callable[[Values], Values] = _same
    """A record of the CRM as fields with their values."""
    typed: Callable[[Values], Values] = _same
    """The other way: what can be seeded of fields with their values."""
    labels: Callable[[Control], dict[str, str]] = _no_labels
    """What fields of the account are called whose name on the wire is another."""

    def kind(self, call: Call) -> str:
        """Return what a call is: `write`, `read` or `metadata`; `write` where in doubt."""
        if any(fnmatchcase(call["route"], pattern) for pattern in self.metadata):
            return "metadata"
        return "read" if call["method"] == "GET" or self.reads(call) else "write"

    def record(self, person: Mapping[str, str]) -> dict[str, str]:
        """Return the fields that the CRM should hold of a person of whom these traits are known."""
        known = {"name": f"{person['first_name']} {person['last_name']}", **person}
        return {theirs: known[ours] for theirs, ours in self.fields.items() if ours in known}

    def fields_sent(self, call: Call, labels: Mapping[str, str]) -> set[str]:
        """Return the names of the fields in a write, our own key apart."""
        names = {name for values in self.sent(call["body"]) for name in values}
        return {labels.get(name, name) for name in names} - {self.key}

    def is_as_told(
        self, values: Values, labels: Mapping[str, str], edition: int, population: str
    ) -> bool:
        """Say whether a record holds what was last said of that person."""
        held = {labels.get(name, name): value for name, value in self.held(values).items()}
        person = traits(number_of(held[self.email]), edition, population)
        return all(held.get(name) == value for name, value in self.record(person).items())


def _hubspot_sent(body: Any) -> Iterator[Values]:  # noqa: ANN401 - JSON
    yield from (one["properties"] for one in body["inputs"])


HUBSPOT = Crm(
    name="hubspot",
    label="HubSpot",
    object_type="contacts",
    email="email",
    fields={
        "email": "email",
        "firstname": "first_name",
        "lastname": "last_name",
        "phone": "phone",
        "website": "homepage",
        "industry": "branch",
        "country": "country",
        "jobtitle": "company_position",
        "city": "city",
        "zip": "postcode",
    },
    made=("crmsync_id",),
    lifted={"calls_per_10s": 1_000_000, "daily_calls": 100_000_000},
    batch=100,
    first_reads=10,
    metadata=("/crm/v3/properties/*", "/account-info/*"),
    reads=lambda call: call["route"].endswith(("/batch/read", "/search")),
    sent=_hubspot_sent,
)


def _salesforce_reads(call: Call) -> bool:
    if call["route"].endswith("/composite"):
        return all(part["method"] == "GET" for part in call["body"]["compositeRequest"])
    return bool(call["method"] == "POST" and call["route"].endswith("/composite/sobjects/{type}"))


def _salesforce_sent(body: Any) -> Iterator[Values]:  # noqa: ANN401 - JSON
    parts = body.get("compositeRequest")
    for collection in [part["body"] for part in parts] if parts else [body]:
        for row in collection["records"]:
            yield {name: row[name] for name in row if name not in ("attributes", "Id", "id")}


SALESFORCE = Crm(
    name="salesforce",
    label="Salesforce",
    object_type="Contact",
    key="crmsync_id__c",
    email="Email",
    fields={
        "Email": "email",
        "FirstName": "first_name",
        "LastName": "last_name",
        "Phone": "phone",
        "Description": "homepage",
        "Department": "branch",
        "MailingCountry": "country",
        "Title": "company_position",
        "MailingCity": "city",
        "MailingPostalCode": "postcode",
    },
    settings={"access_tokens": [TOKEN], "external_id_fields": ["Contact.crmsync_id__c"]},
    lifted={"daily_calls": 100_000_000, "concurrent_calls": 100},
    batch=200,
    first_reads=5,
    metadata=("*/describe",),
    reads=_salesforce_reads,
    sent=_salesforce_sent,
)


def _zoho_sent(body: Any) -> Iterator[Values]:  # noqa: ANN401 - JSON
    for row in body["data"]:
        yield {name: row[name] for name in row if name != "id"}


ZOHO = Crm(
    name="zoho",
    label="Zoho",
    object_type="Contacts",
    email="Email",
    fields={
        "Email": "email",
        "First_Name": "first_name",
        "Last_Name": "last_name",
        "Phone": "phone",
        "Description": "homepage",
        "Department": "branch",
        "Mailing_Country": "country",
        "Title": "company_position",
        "Mailing_City": "city",
        "Mailing_Zip": "postcode",
    },
    made=("crmsync_id",),
    settings={"access_tokens": [TOKEN]},
    lifted={"daily_credits": 100_000_000, "concurrent_calls": 100},
    batch=100,
    first_reads=10,
    metadata=("/crm/v8/settings/*", "/crm/v8/org"),
    reads=lambda call: call["route"] == "/crm/v8/coql",
    sent=_zoho_sent,
)
_SEVERAL = {"email": "emails", "phone": "phones"}
"""What Pipedrive holds a list of, and crmsync the first."""
_OWN = ("Called", "Homepage", "Branch", "Country", "Position", "City", "Postcode")


def _pipedrive_held(values: Values) -> Values:
    first = {one: values[many][0]["value"] for one, many in _SEVERAL.items() if values.get(many)}
    return {**values, **first, **values["custom_fields"]}


def _pipedrive_typed(values: Values) -> Values:
    several = {
        _SEVERAL[name]: [{"value": value, "primary": True}]
        for name, value in values.items()
        if name in _SEVERAL
    }
    single = {n: value for n, value in values.items() if n not in _SEVERAL and n not in _OWN}
    return {**single, **several}


def _pipedrive_sent(body: Any) -> Iterator[Values]:  # noqa: ANN401 - JSON
    custom = body.get("custom_fields", {})
    names = {many: one for one, many in _SEVERAL.items()}
    whole = {names.get(name, name): body[name] for name in body if name != "custom_fields"}
    yield {**whole, **custom}


def _pipedrive_labels(control: Control) -> dict[str, str]:
    fields = control.act("fields", object_type="persons")
    return {one["field_code"]: one["field_name"] for one in fields}


PIPEDRIVE = Crm(
    name="pipedrive",
    label="Pipedrive",
    object_type="persons",
    email="email",
    fields={
        "email": "email",
        "name": "name",
        "Called": "first_name",
        "phone": "phone",
        "Homepage": "homepage",
        "Branch": "branch",
        "Country": "country",
        "Position": "company_position",
        "City": "city",
        "Postcode": "postcode",
    },
    made=("crmsync_id", *_OWN),
    settings={"tokens": [TOKEN]},
    lifted={"calls_per_2s": 1_000_000, "search_per_2s": 1_000_000, "daily_tokens": 100_000_000},
    batch=1,
    first_reads=12,  # two pages of all, and those who are there read fresh, 100 at a time
    metadata=("/api/v2/*Fields*", "/api/v1/users/me"),
    reads=lambda _: False,
    sent=_pipedrive_sent,
    held=_pipedrive_held,
    typed=_pipedrive_typed,
    labels=_pipedrive_labels,
)
CRMS = {crm.name: crm for crm in (HUBSPOT, SALESFORCE, ZOHO, PIPEDRIVE)}
"""By name, in the order in which they are shown."""
