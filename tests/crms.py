"""What differs between the CRMs, for tests that tell one story of all of them.

    with running(crm.name, limits=False, **crm.settings) as sandbox:
        project = new_project(
            connections={crm.name: crm.connection(sandbox.url)},
            mappings={crm.name: crm.mapping(crm.by_key)},
        )
        ...
        wanted = crm.expected(crowd_size, "Lee")
        assert faults(sandbox.control.records(crm.object_type), crm.first_name, wanted) == []

People are those of `workbench.crowd`; fields have the names that the simulated CRM's ledger has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.workbench import KEY, TOKEN

Route = Mapping[str, str]
"""One sort of call: what the control's `fault`, `wait` and `calls` select it by."""


def route(method: str, path: str) -> Route:
    """Return a sort of call; the path may be a shell pattern."""
    return {"method": method, "path": path}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crm:
    """One CRM: what people are in it, and the calls that its connector makes for them."""

    name: str
    """Of the connector and of the simulated CRM; tests call connection and sync so, too."""
    label: str
    """As people call it."""
    object_type: str
    key: str = KEY
    """Our own unique field."""
    email: str
    loose: Mapping[str, str]
    """A match line by which people are found that the CRM would make twice."""
    fields: Mapping[str, str]
    """What a mapping says of a person's name."""
    first_name: str
    last_name: str
    settings: Mapping[str, Any]
    """Of a simulated account that knows the workbench's token and, where the API makes no fields,
    has ours."""
    app: Mapping[str, str]
    """The OAuth app that the simulated account knows, as `auth: {oauth: ...}` takes it."""
    grants_at: str
    """Where tokens are asked for."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Of the account, where the lowest tier's would make a test wait."""
    records: str
    """Pattern of the paths of all calls for records, metadata and account apart."""
    make: Route
    """Makes a record that has our unique field: an upsert where there is one."""
    create: Route
    update: Route
    calls_at_once: int
    """How many write calls are in the air when 150 people are new."""

    @property
    def by_key(self) -> Mapping[str, str]:
        """Match by our unique field."""
        return {self.key: "profile_id"}

    @property
    def adopting(self) -> Mapping[str, str]:
        """Match by it, and take a record over that is there already, by e-mail."""
        return {self.key: "profile_id", self.email: "email"}

    def connection(self, url: str, **more: object) -> dict[str, object]:
        """Return a connection as crmsync.yaml describes it."""
        auth = {"token": "${CRM_TOKEN}"}
        limits = {"limits": dict(self.limits)} if self.limits else {}
        return {"connector": self.name, "base_url": url, "auth": auth, **limits, **more}

    def mapping(self, match: Mapping[str, str], **more: object) -> str:
        """Return the text of a mapping of people's names and what they are matched by."""
        matched = {theirs: ours for theirs, ours in match.items() if theirs != self.key}
        content = {
            "connection": self.name,
            "source": "profiles",
            "object": self.object_type,
            "match": dict(match),
            "fields": {**matched, **self.fields},
            **more,
        }
        return yaml.safe_dump(content, sort_keys=False)

    def expected(self, people: int, last_name: str) -> dict[str, dict[str, str]]:
        """Return what the CRM must hold of a crowd, by first name."""
        return {f"Ann{n}": {self.last_name: last_name} for n in range(people)}


HUBSPOT = Crm(
    name="hubspot",
    label="HubSpot",
    object_type="contacts",
    email="email",
    loose={"jobtitle": "user_id"},
    fields={"firstname": "first_name", "lastname": "last_name"},
    first_name="firstname",
    last_name="lastname",
    settings={"search_lag_seconds": 0.0, "search_lag_jitter_seconds": 0.0},
    app={"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"},
    grants_at="/oauth/v3/token",
    records="/crm/*objects/*",
    make=route("POST", "*/contacts/batch/upsert"),
    create=route("POST", "*/contacts/batch/create"),
    update=route("POST", "*/contacts/batch/update"),
    calls_at_once=2,
)
_COLLECTION = "/services/data/v59.0/composite/sobjects"
SALESFORCE = Crm(
    name="salesforce",
    label="Salesforce",
    object_type="Contact",
    key=f"{KEY}__c",
    email="Email",
    loose={"Email": "email"},
    fields={"FirstName": "first_name", "LastName": "last_name"},
    first_name="FirstName",
    last_name="LastName",
    settings={"access_tokens": [TOKEN], "external_id_fields": [f"Contact.{KEY}__c"]},
    app={"client_id": "sandbox-consumer-key", "client_secret": "sandbox-consumer-secret"},
    grants_at="/services/oauth2/token",
    records="/services/data/v59.0/[cq]*",
    make=route("PATCH", f"{_COLLECTION}/Contact/{KEY}__c"),
    create=route("POST", _COLLECTION),
    update=route("PATCH", _COLLECTION),
    calls_at_once=1,
)
ZOHO = Crm(
    name="zoho",
    label="Zoho",
    object_type="Contacts",
    email="Email",
    loose={"Email": "email"},
    fields={"First_Name": "first_name", "Last_Name": "last_name"},
    first_name="First_Name",
    last_name="Last_Name",
    settings={"access_tokens": [TOKEN]},
    app={"client_id": "1000.SANDBOXCLIENT", "client_secret": "sandbox-client-secret"},
    grants_at="/oauth/v2/token",
    records="/crm/v8/[!so]*",
    make=route("POST", "/crm/v8/Contacts/upsert"),
    create=route("POST", "/crm/v8/Contacts"),
    update=route("PUT", "/crm/v8/Contacts"),
    calls_at_once=2,
)
_PERSONS = route("POST", "/api/v2/persons")
PIPEDRIVE = Crm(
    name="pipedrive",
    label="Pipedrive",
    object_type="persons",
    email="email",
    loose={"email": "email"},
    fields={"name": "name"},
    first_name="first_name",
    last_name="last_name",
    # Search knows of nothing within the time of a test.
    settings={"tokens": [TOKEN], "search_lag_seconds": 60.0},
    limits={"calls_per_2s": 10_000, "search_per_2s": 10_000, "daily_tokens": 10_000_000},
    app={"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"},
    grants_at="/oauth/token",
    records="/api/v2/persons*",
    make=_PERSONS,
    create=_PERSONS,
    update=route("PATCH", "/api/v2/persons/*"),
    calls_at_once=8,
)
CRMS = (HUBSPOT, SALESFORCE, ZOHO, PIPEDRIVE)
