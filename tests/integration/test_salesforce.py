"""Salesforce, simulated: how many calls a push takes, row locks, and a session that stays dead."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
from structlog.testing import capture_logs

from crmsync.mapping.live import check_against
from crmsync.model import Outcome
from crmsync.sandbox import Sandbox
from crmsync.store.tables import sync_log
from crmsync.sync.drain import drain as drain_connection
from tests.integration.workers import workers
from tests.sandboxes import running
from tests.workbench import (
    QUICK,
    ROOMY,
    TOKEN,
    count_rows,
    crowd,
    drain,
    faults,
    identify,
    ingest,
    is_at_rest,
    the_sync,
    until,
)

CONTACTS = """
connection: crm
source: profiles
object: Contact
match: {crmsync_id__c: profile_id}
fields: {FirstName: first_name, LastName: last_name, AccountId: account}
"""
ADOPTING = """
connection: crm
source: profiles
object: Contact
match: {crmsync_id__c: profile_id, Email: email}
fields: {Email: email, FirstName: first_name, LastName: last_name}
"""
WRITES = "/services/data/v59.0/composite*"
PEOPLE, ACCOUNTS, WORKERS = 1_000, 5, 4
WAVE = PEOPLE // WORKERS


@pytest.fixture
def salesforce() -> Iterator[Sandbox]:
    """A simulated org with our field, without limits."""
    with running(
        "salesforce", limits=False, access_tokens=[TOKEN],
        external_id_fields=["Contact.crmsync_id__c"],
    ) as started:  # fmt: skip
        yield started


def people(count, accounts):
    """One identify call per person, by turns in one of the accounts."""
    return [
        identify(f"u{n}", first_name=f"Ann{n}", last_name="Li", account=accounts[n % len(accounts)])
        for n in range(count)
    ]


def test_a_thousand_contacts_are_one_call(salesforce, new_project):
    """Made in one call, left alone when nothing changed, ten of them changed in one more."""
    project = new_project(
        salesforce.url, mappings={"contacts": CONTACTS}, connector="salesforce", timing=ROOMY
    )
    works, control = project.open(), salesforce.control
    ingest(works, crowd(PEOPLE, "Li"))
    assert drain(works)["created"] == PEOPLE
    assert control.calls(path=WRITES) == 1
    ingest(works, crowd(PEOPLE, "Li"))
    drain(works)
    assert control.calls(path=WRITES) == 1
    ingest(works, crowd(10, "Wu"))
    assert drain(works)["updated"] == 10
    assert control.calls(path=WRITES) == 2
    sent = orjson.dumps(control.ledger(path=WRITES)[-1]["body"]).decode()
    assert "FirstName" not in sent


def test_a_thousand_contacts_are_adopted_in_two_calls(salesforce, new_project):
    """All addresses are looked up in one, all records are written in the other."""
    accounts = [{"LastName": "Old", "Email": f"ann{n}@acme.example"} for n in range(PEOPLE)]
    ids = set(salesforce.control.seed("Contact", accounts))
    project = new_project(
        salesforce.url, mappings={"contacts": ADOPTING}, connector="salesforce", timing=ROOMY
    )
    works = project.open()
    ingest(works, crowd(PEOPLE, "Li"))
    drain(works)
    assert salesforce.control.calls(path=WRITES) == 2
    held = salesforce.control.records("Contact")
    assert {record["id"] for record in held} == ids
    assert {record["properties"]["LastName"] for record in held} == {"Li"}


def test_a_live_check_names_what_a_lead_cannot_do_without(salesforce, new_project):
    """Company and last name; the status has a default."""
    leads = CONTACTS.replace("Contact", "Lead").replace("LastName: last_name, AccountId: account",
                                                        "Email: email")  # fmt: skip
    project = new_project(salesforce.url, mappings={"leads": leads}, connector="salesforce")
    sync = the_sync(project.open(), "leads")
    problems = check_against(sync.mapping, sync.connector.describe("Lead"))
    required = [p.message for p in problems if "requires" in p.message]
    assert required == [
        "the CRM requires 'LastName' (Last Name), which is not mapped",
        "the CRM requires 'Company' (Company), which is not mapped",
    ]


def test_locks_of_accounts_cost_tries_and_no_record(salesforce, new_project):
    """Four workers write to contacts of five accounts at once: every record is there once."""
    control = salesforce.control
    control.settings(latency_seconds=0.1, lock_failure_share=0.5, lock_wrapped_share=0.5)
    accounts = control.seed("Account", [{"Name": f"Acme {n}"} for n in range(ACCOUNTS)])
    timing = {**QUICK, "request_deadline_seconds": 10.0, "lease_seconds": 20.0,
              "settle_seconds": 30.0}  # fmt: skip
    project = new_project(
        salesforce.url, mappings={"contacts": CONTACTS}, connector="salesforce", timing=timing
    )
    works, events = project.open(), people(PEOPLE, accounts)
    held = control.fault("hold", path=WRITES, when="after", times=1)
    with workers(project) as start:
        for _ in range(WORKERS):
            start()
        # The first call holds all accounts while the next ones come in.
        for wave in range(WORKERS):
            ingest(works, events[wave * WAVE : (wave + 1) * WAVE])
            assert control.wait(calls=wave + 1, path=WRITES, timeout_seconds=60.0)
        control.release(held)
        until(lambda: is_at_rest(works.store), "all contacts are written", seconds=240)
    expected = {
        f"Ann{n}": {"LastName": "Li", "AccountId": accounts[n % ACCOUNTS]} for n in range(PEOPLE)
    }
    assert faults(control.records("Contact"), "FirstName", expected) == []
    refused = sync_log.c.outcome == Outcome.REJECTED
    assert count_rows(works.store, sync_log, refused) == 0
    locked = sum(
        b"UNABLE_TO_LOCK_ROW" in orjson.dumps(entry["answer"])
        for entry in control.ledger(path=WRITES)
    )
    assert locked > 0
    # Those of one call that were locked out are sent again together.
    assert control.calls(path=WRITES) < 40


@pytest.mark.parametrize("refusal", ["expired", "html", "status_500"])
def test_a_session_that_stays_dead_ends_in_a_breaker(new_project, refusal):
    """One renewal, one line for people, and no call more until somebody acts."""
    grant = {"client_id": "key", "client_secret": "${CRM_TOKEN}", "refresh_token": "${CRM_TOKEN}"}
    with running(
        "salesforce", limits=False, client_id="key", client_secret=TOKEN, refresh_tokens=[TOKEN],
        session_refusal=refusal, external_id_fields=["Contact.crmsync_id__c"],
    ) as sandbox:  # fmt: skip
        project = new_project(
            mappings={"contacts": CONTACTS},
            connections={
                "crm": {
                    "connector": "salesforce",
                    "auth": {"oauth": grant},
                    "base_url": sandbox.url,
                    "auth_url": sandbox.url,
                }
            },
            timing=ROOMY,
        )
        works = project.open()
        ingest(works, people(10, ["0015e00000AbCdE"]))
        with capture_logs() as logs:
            for _ in range(5):
                drain_connection(works, "crm")
        rests = [line for line in logs if line["event"] == "rest"]
        assert [line["cause"] for line in rests] == ["reauth_required"]
        assert sandbox.control.calls(path="/services/data/*") == 2
        assert sandbox.control.calls(path="/services/oauth2/token") <= 2
        assert not is_at_rest(works.store)
