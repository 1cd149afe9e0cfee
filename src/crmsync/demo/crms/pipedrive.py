"""Pipedrive: the answer to a create is lost, and nothing there is unique."""

from __future__ import annotations

from crmsync.demo.crm import MATCH, Backstage, DemoCrm
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
    cured={"ANSWER_LOST": "an answer was lost: {} person is looked for, never made blindly"},
    sign_in="/oauth/token",
    settled="{} person of the lost answer found: made once, not twice",
)
