"""`python -m crmsync.demo` whose simulated CRMs are watched, as every one in the tests is.

    checked_demo.py FINDINGS [arguments of the demo]

Writes to the file FINDINGS how much was checked, and what each CRM's ledger and records say:
`{"checked": {...}, "crms": {name: {"calls": 3, "people": [e-mail address, ...]}}}`.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from crmsync.demo import simulated
from crmsync.demo.crms import CRMS
from crmsync.sandbox import Control
from tests.openapi import tally
from tests.sandboxes import watched

serve = simulated.simulated_crms
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
            found[crm.name] = {
                "calls": control.about()["requests"],
                "people": addresses(control.records(crm.object_type)),
            }


def addresses(records: list[dict[str, Any]]) -> list[str]:
    """Return each record's first e-mail address, wherever its CRM keeps it."""
    kept = (ADDRESS.search(json.dumps(record["properties"])) for record in records)
    return [address[1] for address in kept if address]


if __name__ == "__main__":
    findings = Path(sys.argv.pop(1))
    simulated.simulated_crms = watched_crms
    try:
        runpy.run_module("crmsync.demo", run_name="__main__", alter_sys=True)
    finally:
        findings.write_text(json.dumps({"checked": tally.CHECKED, "crms": found}))
