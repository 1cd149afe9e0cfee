"""Pushing under a grant: a token that ends midway, and a grant that is withdrawn."""

from __future__ import annotations

import pytest
import structlog
import yaml

from crmsync.bootstrap import tokens_of
from crmsync.model import Tokens
from crmsync.store import state
from crmsync.sync.push import push
from tests.workbench import (
    KEYED,
    ROOMY,
    crowd,
    expected_crowd,
    faults,
    ingest,
    link_rows,
    make_fields,
    the_sync,
)

PEOPLE = 250
"""Three batches."""
TOKENS, UPSERT = "/oauth/v3/token", "*/contacts/batch/upsert"
REFRESH = "na1-sandbox-refresh-token"
OAUTH = {
    "client_id": "sandbox-client-id",
    "client_secret": "${CLIENT_SECRET}",
    "refresh_token": REFRESH,
}


@pytest.fixture
def works(new_project, sandbox):
    """A project under OAuth, on a CRM that has our property and gives other refresh tokens."""
    sandbox.control.settings(rotate_refresh_tokens=True)
    project = new_project(sandbox.url, mappings={"contacts": KEYED}, timing=ROOMY)
    file = project.folder / "crmsync.yaml"
    content = yaml.safe_load(file.read_text())
    content["connections"]["crm"]["auth"] = {"oauth": OAUTH}
    file.write_text(yaml.safe_dump(content))
    project.env["CLIENT_SECRET"] = "sandbox-client-secret"  # noqa: S105 - of a simulated app
    opened = project.open()
    make_fields(the_sync(opened).connector)
    return opened


def cause_of_rest(works):
    """Why the connection is paused, if it is."""
    with works.store.database.read() as connection:
        pause = state.find_pause(connection, "crm", works.store.database.now(connection))
    return pause.cause if pause else None


def resume(works):
    """Let the pause of the connection end."""
    works.store.database.transact(lambda c: state.resume(c, "crm"))


def test_a_token_that_ends_midway_costs_one_renewal(works, sandbox):
    """Each batch that met the ended token is sent again, under a new one; no attempt is charged."""
    ingest(works, crowd(PEOPLE, "One"))
    assert sandbox.control.calls(path=TOKENS) == 1
    sandbox.control.act("expire_access_tokens")
    tally = push(the_sync(works))
    assert tally.counts == {"created": PEOPLE}
    assert tally.rest is None
    assert sandbox.control.calls(path=TOKENS) == 2
    applied = sandbox.control.calls(path=UPSERT, status=200)
    assert applied == 3
    assert sandbox.control.calls(path=UPSERT) - applied <= 3
    assert {attempts for (attempts,) in link_rows(works.store, "attempts")} == {0}
    records = sandbox.control.records("contacts")
    assert faults(records, "firstname", expected_crowd(PEOPLE, "One")) == []


def test_a_withdrawn_grant_parks_the_connection_and_loses_nothing(works, sandbox):
    """One token call finds out; then none, however often the work is tried; consent resumes it."""
    ingest(works, crowd(PEOPLE, "One"))
    sandbox.control.act("revoke_refresh_tokens")
    sandbox.control.act("expire_access_tokens")
    before = sandbox.control.calls(path=TOKENS)
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            tally = push(the_sync(works))
            assert tally.rest is not None
            assert tally.rest.cause == cause_of_rest(works) == "reauth_required"
            assert tally.counts["failed"] == 0
            resume(works)
    assert sandbox.control.calls(path=TOKENS) - before == 1
    assert [entry["event"] for entry in logs].count("halted") == 1
    assert {attempts for (attempts,) in link_rows(works.store, "attempts")} == {0}
    assert sandbox.control.records("contacts") == []

    sandbox.control.settings(refresh_tokens=("another",))
    tokens = tokens_of(works.store, "crm")
    given = tokens.load().refusal.given
    client = OAUTH["client_id"]
    tokens.save(Tokens("ended", "another", 0.001, client_id=client, given=given), None)
    assert push(the_sync(works)).counts == {"created": PEOPLE}
    records = sandbox.control.records("contacts")
    assert faults(records, "firstname", expected_crowd(PEOPLE, "One")) == []
