"""A simulated HubSpot refuses some keys of a bulk read: only their own records are affected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crmsync.sync.delivery import MISFIT
from crmsync.sync.looking import TRIED_ALONE
from crmsync.sync.push import push
from tests.workbench import (
    ADOPTING,
    ROOMY,
    crowd,
    drain,
    expected_crowd,
    faults,
    ingest,
    link_rows,
    make_fields,
    the_sync,
)

READ = "*/contacts/batch/read"
PEOPLE = 100
"""One read's worth."""
REFUSAL = {
    "status": "error",
    "category": "VALIDATION_ERROR",
    "message": "no such key",
    "correlationId": "0",
}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: what is tested here is what is asked of the CRM."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def works(new_project, sandbox):
    """A project that looks for a hundred people by their e-mail before it writes."""
    roomy = {
        "connector": "hubspot",
        "auth": {"token": "${CRM_TOKEN}"},
        "base_url": sandbox.url,
        "limits": {"calls_per_10s": 1000},
    }
    project = new_project(mappings={"contacts": ADOPTING}, timing=ROOMY, connections={"crm": roomy})
    works = project.open()
    make_fields(the_sync(works).connector)
    ingest(works, crowd(PEOPLE, "Lee"))
    return works


def refuse_in_first_read(sandbox, sync, choose) -> list[str]:
    """Let HubSpot refuse every read with a key that `choose` takes from those of the first read.

    Return the list that these keys will be in.
    """
    refused: list[str] = []
    original = sync.connector.read

    def read(object_type, keys, fields):
        if not refused:
            refused.extend(choose([key.value for key in keys]))
            pattern = "|".join(re.escape(f'"{value}"') for value in refused)
            sandbox.control.fault("answer", path=READ, body=pattern, status=400, json=REFUSAL)
        return original(object_type, keys, fields)

    sync.connector.read = read
    return refused


@pytest.mark.parametrize(
    ("choose", "most_reads"),
    [
        (lambda keys: [keys[0], keys[-1]], 60),
        (lambda keys: keys[:10], 100),
        (lambda keys: keys[::2], 220),
    ],
    ids=["the first and the last", "ten in a row", "every other one"],
)
def test_refused_keys_affect_their_own_records_only(works, sandbox, choose, most_reads):
    """Those people are set aside with a reason, all others are sent, and the sync does not rest."""
    sync = the_sync(works)
    refused = refuse_in_first_read(sandbox, sync, choose)
    tally = push(sync)
    assert tally.rest is None
    assert tally.counts == {"created": PEOPLE - len(refused), "failed": len(refused)}
    failed = link_rows(works.store, "state", "error_code")
    assert failed.count(("dead", "VALIDATION_ERROR")) == len(refused)
    expected = expected_crowd(PEOPLE, "Lee")
    for email in refused:
        expected.pop(email.partition("@")[0].capitalize())
    assert faults(sandbox.control.records("contacts"), "firstname", expected) == []
    assert sandbox.control.calls(path=READ) <= most_reads
    sandbox.control.clear_ledger()
    drain(works)
    assert sandbox.control.calls(path=READ) == 0


def test_where_nothing_can_be_read_few_calls_show_it(works, sandbox):
    """A mapping that does not fit rests after a handful of reads, and nobody is set aside."""
    sandbox.control.fault("answer", path=READ, status=400, json=REFUSAL)
    tally = push(the_sync(works))
    assert tally.rest is not None
    assert tally.rest.cause == MISFIT
    assert sandbox.control.calls(path=READ) == 1 + TRIED_ALONE
    assert set(link_rows(works.store, "state", "error_code")) == {("active", None)}
    assert sandbox.control.records("contacts") == []
