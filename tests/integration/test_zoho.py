"""People pushed to the simulated Zoho CRM: what it holds afterwards, and what that cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmsync.model import FieldSchema, FieldType
from tests.sandboxes import running
from tests.workbench import (
    KEY,
    ROOMY,
    TOKEN,
    crowd,
    drain,
    faults,
    identify,
    ingest,
    let_pass,
    new_project,
    the_sync,
)

__all__ = ["new_project"]

FIELDS = "fields: {Email: email, First_Name: first_name, Last_Name: last_name}"
KEYED = f"""
connection: crm
source: profiles
object: Contacts
match: {{{KEY}: profile_id}}
{FIELDS}
"""
ADOPTING = KEYED.replace("profile_id}", "profile_id, Email: email}")
BY_EMAIL = KEYED.replace(f"{KEY}: profile_id", "Email: email")
RECORDS = "/crm/v8/[!so]*"
"""Contacts and queries; neither settings nor the organisation."""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is shown here is the CRM's."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def zoho():
    """The control of a simulated Zoho CRM of the largest edition."""
    with running("zoho", access_tokens=[TOKEN], tier="ultimate") as started:
        yield started.control


@pytest.fixture
def opened(zoho, new_project):
    """Opens a project with one mapping, whose match field is made."""

    def make(mapping):
        project = new_project(
            zoho.url, mappings={"contacts": mapping}, connector="zoho", timing=ROOMY
        )
        works = project.open()
        key = FieldSchema(KEY, "crmsync id", FieldType.TEXT, unique=True)
        the_sync(works).connector.create_field("Contacts", key)
        zoho.clear_ledger()
        return works

    return make


def sent(zoho):
    """The calls for records since this was last asked, by method and path."""
    entries = zoho.ledger(path=RECORDS, bodies=False)
    calls = [f"{entry['method']} {entry['path'].removeprefix('/crm/v8/')}" for entry in entries]
    zoho.clear_ledger()
    return {name: calls.count(name) for name in calls}


def expected(count, last_name):
    """What Zoho must hold of a crowd."""
    return {f"Ann{n}": {"Last_Name": last_name} for n in range(count)}


def test_a_thousand_changes_cost_ten_calls(zoho, opened):
    """A thousand new or changed people are ten calls, one in a hundred is one, no change none."""
    works = opened(KEYED)
    ingest(works, crowd(1_000, "Li"))
    drain(works)
    assert sent(zoho) == {"POST Contacts/upsert": 10}
    ingest(works, crowd(1_000, "Ma"))
    drain(works)
    assert sent(zoho) == {"PUT Contacts": 10}
    ingest(works, crowd(10, "Wu"))
    drain(works)
    assert sent(zoho) == {"PUT Contacts": 1}
    ingest(works, crowd(10, "Wu"))
    drain(works)
    assert sent(zoho) == {}
    wanted = expected(1_000, "Ma") | expected(10, "Wu")
    assert faults(zoho.records("Contacts"), "First_Name", wanted) == []


def test_records_that_are_there_are_taken_over(zoho, opened):
    """By e-mail a hundred are looked for in one query; what is found is updated, not made twice."""
    mine = {"Last_Name": "Old", "Email": "Ann7@Acme.example", "First_Name": "Ann7"}
    zoho.seed("Contacts", [mine])
    works = opened(ADOPTING)
    ingest(works, crowd(200, "Li"))
    drain(works)
    assert sent(zoho) == {"POST coql": 2, "POST Contacts/upsert": 2, "PUT Contacts": 1}
    assert faults(zoho.records("Contacts"), "First_Name", expected(200, "Li")) == []


def test_by_email_alone_nobody_is_made_twice(zoho, opened):
    """Without a unique field people are looked for and created; a lost answer makes no second."""
    works = opened(BY_EMAIL)
    ingest(works, crowd(200, "Li"))
    zoho.fault("drop", method="POST", path="/crm/v8/Contacts", when="after", times=1)
    drain(works)
    assert sent(zoho) == {"POST coql": 2, "POST Contacts": 2}
    let_pass(works.store, ROOMY["settle_seconds"])
    drain(works)
    assert sent(zoho) == {"POST coql": 1}
    assert faults(zoho.records("Contacts"), "First_Name", expected(200, "Li")) == []


def test_no_workflow_of_zohos_is_set_off(zoho, opened):
    """Neither a new record nor a changed one sends anybody an e-mail."""
    works = opened(KEYED)
    for name in ("Li", "Ma"):
        ingest(works, crowd(2, name))
        drain(works)
    assert [r["workflow_runs"] for r in zoho.records("Contacts")] == [0, 0]


def test_a_refused_record_says_why_and_the_others_are_written(zoho, opened):
    """Without a last name Zoho takes no contact; the log says which field, and what to do."""
    works = opened(KEYED)
    ingest(works, [identify("nameless", email="x@acme.example"), *crowd(2, "Li")])
    counts = drain(works)
    assert (counts["created"], counts["failed"]) == (2, 1)
    assert faults(zoho.records("Contacts"), "First_Name", expected(2, "Li")) == []
