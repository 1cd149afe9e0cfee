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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from crmsync.connectors.base import Connector
from crmsync.model import Action, Batch, CrmId, LinkId, Operation
from crmsync.sandbox import Control
from tests.workbench import KEY, TOKEN, make_fields

Route = Mapping[str, str]
"""One sort of call: what the control's `fault`, `wait` and `calls` select it by."""


def route(method: str, path: str) -> Route:
    """Return a sort of call; the path may be a shell pattern."""
    return {"method": method, "path": path}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """What salespeople do in one CRM, past its API, and what of it the CRM tells."""

    phone: str
    """A field that both sides may change."""
    number: Callable[[str], Mapping[str, Any]]
    """A telephone number, as `Control.edit` takes it."""
    owner: str
    refer: Callable[[str], Any] = str
    """How a field holds the id of another record or user, as `Control.edit` takes it."""
    stage: str
    """The field of a deal."""
    stages: tuple[str, str]
    """Two stages in which a deal is open, by label."""
    deal: Callable[[Control, Connector, str, str], str]
    """Makes a deal of a person, in a stage by its id; returns its id."""
    deals: str
    """What the CRM calls deals."""
    merge: Callable[[Control, str, str], str]
    """Merges the second person into the first; returns the id of who is left."""
    tells_merges: bool
    """Whether its list of changes says what became of who was merged away."""
    delete: Callable[[Control, str], object]
    add_field: Callable[[Control, Connector, str], object]
    """Makes a text field that is not ours."""
    remove_field: Callable[[Control, str], object]
    firms: str
    """Its object for companies."""
    firm_name: str
    firm: str | None
    """The field of a person that names their company; None where the two are associated."""


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
    sales: Sales

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


def _hubspot_deal(control: Control, connector: Connector, person: str, stage: str) -> str:
    pipeline = next(one.pipeline_id for one in connector.stages() if one.id == stage)
    named = {"dealname": "Deal", "pipeline": pipeline, "dealstage": stage}
    [deal] = control.seed("deals", [named])
    tie = Operation(LinkId(0), Action.ASSOCIATE, {"contacts": person}, crm_id=CrmId(deal))
    connector.write(Batch("deals", Action.ASSOCIATE, [tie], "contacts"))
    return deal


def _salesforce_deal(control: Control, _connector: Connector, person: str, stage: str) -> str:
    deal = {"Name": "Deal", "StageName": stage, "CloseDate": "2026-02-28"}
    [made] = control.seed("Opportunity", [deal])
    control.seed("OpportunityContactRole", [{"OpportunityId": made, "ContactId": person}])
    return made


def _salesforce_merge(control: Control, winner: str, loser: str) -> str:
    control.act("merge", object_type="Contact", winner=winner, loser=loser)
    return winner


def _zoho_deal(control: Control, _connector: Connector, person: str, stage: str) -> str:
    deal = {"Deal_Name": "Deal", "Stage": stage, "Pipeline": "Standard"}
    [made] = control.seed("Deals", [{**deal, "Contact_Name": {"id": person}}])
    return made


def _zoho_merge(control: Control, winner: str, loser: str) -> str:
    control.act("merge", module="Contacts", master=winner, losers=[loser])
    return winner


def _pipedrive_deal(control: Control, _connector: Connector, person: str, stage: str) -> str:
    deal = {"title": "Deal", "person_id": int(person), "stage_id": int(stage)}
    [made] = control.seed("deals", [deal])
    return made


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
    sales=Sales(
        phone="phone",
        number=lambda number: {"phone": number},
        owner="hubspot_owner_id",
        stage="dealstage",
        stages=("Qualified To Buy", "Contract Sent"),
        deal=_hubspot_deal,
        deals="deals",
        merge=lambda control, winner, loser: str(
            control.act("merge", object_type="contacts", primary=winner, other=loser)
        ),
        tells_merges=True,
        delete=lambda control, one: control.act("archive", object_type="contacts", id=one),
        add_field=lambda _, connector, name: make_fields(connector, name),
        remove_field=lambda control, name: control.act(
            "archive_property", object_type="contacts", name=name
        ),
        firms="companies",
        firm_name="name",
        firm=None,
    ),
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
    sales=Sales(
        phone="Phone",
        number=lambda number: {"Phone": number},
        owner="OwnerId",
        stage="StageName",
        stages=("Qualification", "Proposal/Price Quote"),
        deal=_salesforce_deal,
        deals="Opportunity",
        merge=_salesforce_merge,
        tells_merges=True,
        delete=lambda control, one: control.act("delete", object_type="Contact", id=one),
        add_field=lambda control, _, name: control.act(
            "add_field", object_type="Contact", name=f"{name}__c"
        ),
        remove_field=lambda control, name: control.act(
            "remove_field", object_type="Contact", name=f"{name}__c"
        ),
        firms="Account",
        firm_name="Name",
        firm="AccountId",
    ),
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
    sales=Sales(
        phone="Phone",
        number=lambda number: {"Phone": number},
        owner="Owner",
        refer=lambda one: {"id": one},
        stage="Stage",
        stages=("Qualification", "Needs Analysis"),
        deal=_zoho_deal,
        deals="Deals",
        merge=_zoho_merge,
        tells_merges=False,
        delete=lambda control, one: control.act("delete", module="Contacts", id=one),
        add_field=lambda control, _, name: control.act(
            "add_field", module="Contacts", field_label=name, data_type="text"
        ),
        remove_field=lambda control, name: control.act(
            "remove_field", module="Contacts", api_name=name
        ),
        firms="Accounts",
        firm_name="Account_Name",
        firm="Account_Name",
    ),
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
    settings={"tokens": [TOKEN], "search_lag_seconds": 3_600.0},
    limits={"calls_per_2s": 10_000, "search_per_2s": 10_000, "daily_tokens": 10_000_000},
    app={"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"},
    grants_at="/oauth/token",
    records="/api/v2/persons*",
    make=_PERSONS,
    create=_PERSONS,
    update=route("PATCH", "/api/v2/persons/*"),
    calls_at_once=8,
    sales=Sales(
        phone="phone",
        number=lambda number: {"phones": [{"value": number, "primary": True, "label": "work"}]},
        owner="owner_id",
        refer=int,
        stage="stage_id",
        stages=("Contact Made", "Proposal Made"),
        deal=_pipedrive_deal,
        deals="deals",
        merge=lambda control, winner, loser: str(
            control.act("merge", object_type="persons", id=loser, merge_with_id=winner)
        ),
        tells_merges=False,
        delete=lambda control, one: control.act("delete", object_type="persons", id=one),
        add_field=lambda control, _, name: control.act(
            "add_field", object_type="persons", name=name
        ),
        remove_field=lambda control, name: control.act(
            "delete_field", object_type="persons", name=name
        ),
        firms="organizations",
        firm_name="name",
        firm="org_id",
    ),
)
CRMS = (HUBSPOT, SALESFORCE, ZOHO, PIPEDRIVE)
