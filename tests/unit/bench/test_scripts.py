"""The plain rivals of the push: they really write, and a refused row is no success."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from bench import hubspot_script, salesforce_script
from bench.children import ROOT
from bench.contacts import everybody
from bench.crms import CRMS, SALESFORCE
from bench.floor import BULKS
from bench.rivals import Seeded
from bench.script import NotTaken
from tests.sandboxes import running


@pytest.mark.parametrize(
    ("name", "script"), [("hubspot", hubspot_script), ("salesforce", salesforce_script)]
)
def test_the_plain_library_writes_whole_records(name: str, script: ModuleType) -> None:
    """A batch of the library is one call, and leaves the CRM with the values of the round."""
    crm = CRMS[name]
    with running(name, check_requests=False, limits=False, **crm.settings) as sandbox:
        seeded = Seeded(crm, sandbox.control, 3)
        rows = list(zip(seeded.names, seeded.records(seeded.names, 5), strict=True))
        script.sender(sandbox.url)(rows)
        seeded.check(5)
        assert sandbox.control.calls(method=BULKS[name].method) == 1


def test_a_row_that_salesforce_refuses_is_not_taken_for_written() -> None:
    """Salesforce answers 200 with failures inside: the script looks at every row."""
    [person] = everybody(1, 0, "here")
    row = {**SALESFORCE.record(person), "LastName": ""}
    settings = {"check_requests": False, "limits": False, **SALESFORCE.settings}
    with running("salesforce", **settings) as sandbox:
        send = salesforce_script.sender(sandbox.url)
        with pytest.raises(NotTaken, match="REQUIRED_FIELD_MISSING"):
            send([("key-1", row)])


@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("floor", set()),
        ("hubspot_script", {"hubspot"}),
        ("salesforce_script", {"simple_salesforce"}),
        ("hubspot_deals", {"hubspot"}),
        ("salesforce_deals", {"simple_salesforce"}),
        ("plain_deals", set()),
    ],
)
def test_a_rival_carries_nothing_of_others(module: str, own: set[str]) -> None:
    """Memory is measured of the whole process: a rival loads its own library and no other."""
    code = f"import sys, bench.{module}; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own program and arguments
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"crmsync", "hubspot", "simple_salesforce", "sqlalchemy"}
    assert heavy & set(done.stdout.split()) == own
