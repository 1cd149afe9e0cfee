"""`python -m crmsync.demo` whose simulated CRMs are watched, as every one in the tests is.

    checked_demo.py FINDINGS [arguments of the demo]

Writes to the file FINDINGS how much was checked, and what each CRM's ledger and records say:
`{"checked": {...}, "crms": {name: {"calls": {"read": 3}, "people": [e-mail address, ...],
"deals": 2, "taken_over": 1, "stages": {e-mail address: name}}}}`. `taken_over`: records that are
salespeople's; `stages`: of contacts in HubSpot by their deals, in Zoho by the field for it.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from crmsync.demo import simulated
from crmsync.demo.crm import DemoCrm
from crmsync.demo.crms import CRMS
from crmsync.demo.sales import REAL_DEAL
from crmsync.sandbox import Control
from tests.openapi import tally
from tests.sandboxes import watched

serve = simulated.simulated_crms
ALL = 1_000_000
STAGE_NAMES = {"contractsent": "Negotiation", "decisionmakerboughtin": "Decision Maker Bought-In"}
ADDRESS = re.compile(r'"([^"@]+@[^"]+)"')
found: dict[str, dict[str, Any]] = {}


@contextmanager
def watched_crms() -> Iterator[dict[str, Control]]:
    """Serve the demo's simulated CRMs, and fail at their end where something was wrong."""
    with serve() as controls, ExitStack() as watching:
        yield {
            name: watching.enter_context(watched(name, control.url))
            for name, control in controls.items()
        }
        for crm in CRMS:
            control = controls[crm.name]
            records = control.records(crm.object_type)
            found[crm.name] = {
                "calls": Counter(map(crm.kind_of, control.ledger(limit=ALL))),
                "people": addresses(records),
                "deals": control.about()["objects"][crm.office.deals],
                "taken_over": taken_over(crm, records),
                "stages": STAGES[crm.name](control, records) if crm.name in STAGES else {},
            }


def taken_over(crm: DemoCrm, records: list[dict[str, Any]]) -> int:
    """Return how many records are not whose nearly all of them are: crmsync's own user's."""
    owners = Counter(str(record["properties"].get(crm.office.owner)) for record in records)
    [(_, ours)] = owners.most_common(1)
    return len(records) - ours


def stages_in_hubspot(control: Control, records: list[dict[str, Any]]) -> dict[str, str]:
    """Return how far each contact is by the deal that is to speak for them."""
    email_of = {one["id"]: one["properties"]["email"] for one in records}
    return {
        email_of[contact]: STAGE_NAMES[deal["properties"]["dealstage"]]
        for deal in control.records("deals")
        if deal["properties"]["dealname"] == REAL_DEAL
        for contact in control.act(
            "associations", object_type="deals", id=deal["id"], to="contacts"
        )
    }


def stages_in_zoho(_: Control, records: list[dict[str, Any]]) -> dict[str, str]:
    """Return what each contact's own field says of it."""
    said = {r["properties"]["Email"]: r["properties"].get("Stage_in_HubSpot") for r in records}
    return {email: stage for email, stage in said.items() if stage}


def addresses(records: list[dict[str, Any]]) -> list[str]:
    """Return each record's first e-mail address, wherever its CRM keeps it."""
    kept = (ADDRESS.search(json.dumps(record["properties"])) for record in records)
    return [address[1] for address in kept if address]


STAGES = {"hubspot": stages_in_hubspot, "zoho": stages_in_zoho}

if __name__ == "__main__":
    findings = Path(sys.argv.pop(1))
    simulated.simulated_crms = watched_crms
    try:
        runpy.run_module("crmsync.demo", run_name="__main__", alter_sys=True)
    finally:
        findings.write_text(json.dumps({"checked": tally.CHECKED, "crms": found}))
