"""Pipedrive: the answer to a create is lost, and nothing there is unique."""

from __future__ import annotations

from crmsync.demo.crm import MATCH, Backstage, DemoCrm, Office
from crmsync.model import FieldSchema, FieldType

MAPPING = """\
# People become Pipedrive persons: which field of theirs gets which trait of ours.
connection: pipedrive
source: profiles
object: persons
match:
  crmsync_id: profile_id     # a field of ours; Pipedrive knows no unique ones, so crmsync looks
  email: email               # takes over a person who is already there
trigger: realtime
fields:                      # theirs: ours
  name: name
  email: email
  Position: company_position # fields of ours, by their label
  Plan: plan
  Visits: {from: visits, trigger: hourly}
pull:                        # ours: theirs
  pipedrive_owner: owner_id               # read as an e-mail address
deals:
  pick: latest_open
  pull: {pipedrive_stage: stage_id}       # read as the stage's name
"""
FIELDS = (
    MATCH,
    FieldSchema("Position", "Position", FieldType.TEXT),
    FieldSchema("Plan", "Plan", FieldType.TEXT),
    FieldSchema("Visits", "Visits", FieldType.NUMBER),
)


def prepare(stage: Backstage) -> None:
    """Make our fields; order that the answer to one create is lost after it was carried out."""
    for field in FIELDS:
        stage.connector.create_field("persons", field)
    stage.control.fault(
        "drop", when="after", method="POST", path="/api/v2/persons", skip=9, times=1
    )


OFFICE = Office(
    sellers=("ben.closer@company.example", "cleo.hunter@company.example"),
    owner="owner_id",
    draft=lambda person, title: {"title": title, "person_id": int(person), "stage_id": 1},
    moves=({"stage_id": 5}, {"stage_id": 4}),
    lost={"status": "lost"},
    renamed={"id": 5, "name": "Negotiation"},
    owner_value=int,
    made_by="ada.sales@company.example",
)
PIPEDRIVE = DemoCrm(
    name="pipedrive",
    label="Pipedrive",
    sync="pipedrive-persons",
    settings={"tier": "ultimate"},
    connection="auth: {oauth: {client_id: sandbox-client-id, client_secret: "
    "sandbox-client-secret, refresh_token: '1:1:sandbox-refresh-token'}}\n"
    "    limits: {calls_per_2s: 480, daily_tokens: 210000, concurrent_calls: 16}",
    object_type="persons",
    mapping=MAPPING,
    trouble="a create whose answer is lost, where no field is unique",
    prepare=prepare,
    office=OFFICE,
    cured={"ANSWER_LOST": "an answer was lost: {} person is looked for, never made blindly"},
    sign_in="/oauth/token",
    settled="{} person of the lost answer found: made once, not twice",
)
