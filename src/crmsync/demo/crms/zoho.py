"""Zoho: a picklist that does not know a plan."""

from __future__ import annotations

from crmsync.demo.crm import MATCH, PLANS, Backstage, DemoCrm, Office
from crmsync.model import FieldSchema, FieldType

MAPPING = """\
# People become Zoho contacts: which field of theirs gets which trait of ours.
connection: zoho
source: profiles
object: Contacts
match:
  crmsync_id: profile_id     # a unique field of ours
  Email: email               # takes over a contact that is already there
trigger: realtime
fields:                      # theirs: ours
  Email: email
  First_Name: first_name
  Last_Name: {from: last_name, default: "(not known)"}   # no contact may be without one
  Title: company_position
  Plan: plan                 # a picklist in Zoho too
  Visits: {from: visits, trigger: hourly}
  Stage_in_HubSpot: hubspot_stage         # what came back from another CRM
pull:                        # ours: theirs
  zoho_owner: Owner                       # read as an e-mail address
deals:
  pick: latest_open          # of all deals with a person, one speaks
  pull: {zoho_stage: Stage}
"""
FIELDS = (
    MATCH,
    FieldSchema("Plan", "Plan", FieldType.PICKLIST, options=PLANS),
    FieldSchema("Visits", "Visits", FieldType.NUMBER),
    FieldSchema("Stage_in_HubSpot", "Stage in HubSpot", FieldType.TEXT),
)


def prepare(stage: Backstage) -> None:
    """Make our fields, the picklist with all plans but one."""
    for field in FIELDS:
        stage.connector.create_field("Contacts", field)


OFFICE = Office(
    sellers=("ben@org.example", "cleo@org.example"),
    owner="Owner",
    draft=lambda contact, title: {
        "Deal_Name": title, "Stage": "Qualification", "Pipeline": "Standard",
        "Contact_Name": {"id": contact}, "Amount": 4900,
    },
    moves=({"Stage": "Negotiation/Review"}, {"Stage": "Proposal/Price Quote"}),
    lost={"Stage": "Closed Lost"},
    renamed={"name": "Negotiation/Review", "new_name": "Negotiation"},
    deals="Deals",
    owner_value=lambda user: {"id": user},
    made_by="ada@org.example",
)  # fmt: skip
ZOHO = DemoCrm(
    name="zoho",
    label="Zoho",
    sync="zoho-contacts",
    settings={"tier": "enterprise"},
    connection="auth: {oauth: {client_id: 1000.SANDBOXCLIENT, client_secret: "
    "sandbox-client-secret, refresh_token: 1000.sandbox-refresh-token}}\n"
    "    limits: {concurrent_calls: 20, daily_credits: 53000}",
    object_type="Contacts",
    mapping=MAPPING,
    trouble="the same plan and address refused, in words of its own",
    prepare=prepare,
    office=OFFICE,
    reads=lambda call: call["route"] == "/crm/v8/coql",
    sign_in="/oauth/v2/token",
)
