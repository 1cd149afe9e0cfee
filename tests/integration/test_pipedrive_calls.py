"""What people cost to push to the simulated Pipedrive, in calls and in tokens of the day."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandboxes import running
from tests.workbench import (
    KEY,
    ROOMY,
    TOKEN,
    crowd,
    drain,
    ingest,
    make_fields,
    new_project,
    the_sync,
)

__all__ = ["new_project"]

PEOPLE = 1_000
RECORDS = "/api/v2/persons"
MAPPING = f"""
connection: crm
source: profiles
object: persons
match: {{{KEY}: profile_id, email: email}}
fields: {{name: name, email: email}}
"""
PLENTY = {"calls_per_2s": 100_000, "daily_tokens": 10_000_000}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is counted here is the CRM's."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def control():
    """A simulated company of a large plan."""
    with running("pipedrive", tokens=[TOKEN], daily_tokens=10_000_000, calls_per_2s=100_000) as one:
        yield one.control


@pytest.fixture
def works(new_project, control):
    """A project that pushes people to it."""
    crm = {"connector": "pipedrive", "auth": {"token": "${CRM_TOKEN}"}, "base_url": control.url}
    project = new_project(
        control.url,
        mappings={"contacts": MAPPING},
        timing=ROOMY,
        connections={"crm": {**crm, "limits": PLENTY}},
    )
    works = project.open()
    make_fields(the_sync(works).connector, object_type="persons")
    return works


def cost(control, works, people):
    """Push what these people's events make due; return writes, lists and tokens it took."""
    ingest(works, people)
    control.clear_ledger()
    before = control.act("tokens_left")
    drain(works)
    writes = control.calls(method="POST") + control.calls(method="PATCH")
    return writes, control.calls(path=RECORDS, method="GET"), before - control.act("tokens_left")


def test_a_thousand_people(control, works):
    """One call each, a list or two at first; then only what has changed, and for that no list."""
    writes, lists, tokens = cost(control, works, crowd(PEOPLE, "Lee"))
    assert writes == PEOPLE
    assert lists <= 2
    assert tokens <= 5 * PEOPLE + 10 * lists + 10
    assert cost(control, works, crowd(PEOPLE, "Ray")) == (PEOPLE, 0, 5 * PEOPLE)
    assert cost(control, works, crowd(PEOPLE // 100, "Kim")) == (10, 0, 50)
    assert cost(control, works, crowd(PEOPLE, "Kim")[:10]) == (0, 0, 0)
    assert control.about()["objects"]["persons"] == PEOPLE


def test_a_thousand_people_who_are_there_already(control, works):
    """They are adopted by their address: two pages of all, and a hundred at a time read fresh."""
    control.seed(
        "persons",
        [
            {"name": f"Ann{n} Lee", "emails": [{"value": f"ann{n}@acme.example"}]}
            for n in range(PEOPLE)
        ],
    )
    control.advance(3_600)
    writes, lists, _ = cost(control, works, crowd(PEOPLE, "Lee"))
    assert writes == PEOPLE, "each is given our key"
    assert lists <= 2 + PEOPLE / 100
    assert control.about()["objects"]["persons"] == PEOPLE
