"""HubSpot: a rate limit, a lost answer, a value no picklist has, a bad e-mail address."""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.demo.crm import MATCH, PLANS, Backstage, DemoCrm, Office
from crmsync.demo.people import REFUSED_EMAIL, REFUSED_PLAN
from crmsync.model import Action, Batch, CrmId, FieldSchema, FieldType, LinkId, Operation

MAPPING = """\
# People become HubSpot contacts: which field of theirs gets which trait of ours.
connection: hubspot
source: profiles
object: contacts
match:                       # how a contact is found while a person has no link to one yet
  crmsync_id: profile_id     # a unique field of ours
  email: email               # takes over a contact that is already there
trigger: realtime
fields:                      # theirs: ours
  email: email
  firstname: first_name
  lastname: last_name
  company: company
  jobtitle: company_position
  plan: plan                 # a picklist in HubSpot
  lifecyclestage: {from: plan, map: {free: lead, trial: opportunity}, default: customer}
  total_visits: {from: visits, trigger: hourly}
  goals_completed: {from: goals_completed, trigger: hourly}
  last_website_visit: {from: last_seen, transform: [date], trigger: daily}
pull:                        # ours: theirs
  hubspot_owner: hubspot_owner_id         # read as an e-mail address
deals:
  pick: latest_open          # of all deals with a person, one speaks
  pull: {hubspot_stage: dealstage}        # read as the stage's name; Zoho is sent it on
"""
FIELDS = (
    MATCH,
    FieldSchema("plan", "Plan", FieldType.PICKLIST, options=PLANS),
    FieldSchema("total_visits", "Total visits", FieldType.NUMBER),
    FieldSchema("goals_completed", "Goals completed", FieldType.NUMBER),
    FieldSchema("last_website_visit", "Last website visit", FieldType.DATE),
)
TOO_MANY = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "policyName": "TEN_SECONDLY_ROLLING",
}
"""HubSpot's own words for a 429."""
ALL_IS_WELL = rf'\A(?![\s\S]*("{REFUSED_PLAN}"|"{REFUSED_EMAIL}"))'
"""Matches a batch in which nothing is refused, so that every demo comes to the same."""
UPSERTS = "*/objects/contacts/batch/upsert"


def prepare(stage: Backstage) -> None:
    """Make our fields; order one 429 and one answer that is lost after the work was done."""
    for field in FIELDS:
        stage.connector.create_field("contacts", field)
    stage.control.fault(
        "answer", path=UPSERTS, skip=2, times=1,
        status=429, headers={"Retry-After": "1"}, json=TOO_MANY,
    )  # fmt: skip
    stage.control.fault("drop", when="after", path=UPSERTS, body=ALL_IS_WELL, skip=4, times=1)


def tie(stage: Backstage, pairs: Sequence[tuple[CrmId, CrmId]]) -> None:
    """Associate deals with contacts, as HubSpot's own pages do with the same call."""
    operations = [
        Operation(LinkId(number), Action.ASSOCIATE, {"contacts": contact}, crm_id=deal)
        for number, (deal, contact) in enumerate(pairs)
    ]
    stage.connector.write(Batch("deals", Action.ASSOCIATE, operations, "contacts"))


OFFICE = Office(
    sellers=("ben.closer@portal.example", "cleo.hunter@portal.example"),
    owner="hubspot_owner_id",
    draft=lambda _, title: {"dealname": title, "dealstage": "qualifiedtobuy", "amount": "4900"},
    moves=({"dealstage": "contractsent"}, {"dealstage": "decisionmakerboughtin"}),
    lost={"dealstage": "closedlost"},
    renamed={"id": "contractsent", "label": "Negotiation"},
    tie=tie,
    leaves="deactivate_owner",
)
HUBSPOT = DemoCrm(
    name="hubspot",
    label="HubSpot",
    sync="hubspot-contacts",
    settings={"tier": "enterprise"},
    connection="auth: {token: pat-na1-demo}",
    object_type="contacts",
    mapping=MAPPING,
    trouble="a 429, a lost answer, a plan no picklist has, a bad address",
    prepare=prepare,
    office=OFFICE,
    cured={
        "RATELIMITED": "429 'too many requests': {} records waited and were sent again",
        "ANSWER_LOST": "an answer was lost: {} records were looked up and found done",
    },
    reads=lambda call: call["route"].endswith(("/batch/read", "/search")),
    settled="{} records of the lost answer read back: each is right",
)
