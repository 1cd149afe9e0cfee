"""`crmsync reconcile` against the simulated CRM."""

from __future__ import annotations

import json
import sqlite3

import pytest

from crmsync.cli.entry import run
from tests.end_to_end.folders import EVENTS, write_project
from tests.sandboxes import running

PUSHED = """\
connection: hubspot
source: profiles
object: contacts
match: {crmsync_id: profile_id, jobtitle: user_id}
fields: {firstname: first_name, jobtitle: user_id}
"""


@pytest.fixture
def crm():
    """A simulated CRM that answers at once, and whose search lags behind nothing."""
    with running(search_lag_seconds=0.0, search_lag_jitter_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def project(folder, monkeypatch, crm):
    """A folder with a mapping that reads nothing back, and three people who were sent."""
    monkeypatch.setenv("CRM_TOKEN", "pat-na1-test")
    auth = {"token": "${CRM_TOKEN}"}
    connection = {"connector": "hubspot", "base_url": crm.url, "auth": auth}
    write_project(folder, {"hubspot": connection}, {"people": PUSHED})
    people = [
        {
            "type": "identify",
            "userId": f"u{n}",
            "messageId": f"m{n}",
            "traits": {"first_name": f"Ann{n}"},
        }
        for n in range(3)
    ]
    (folder / EVENTS).write_text("".join(json.dumps(one) + "\n" for one in people))
    assert run(["connect", "hubspot"]) == 0
    assert run(["ingest", EVENTS]) == 0
    assert run(["push"]) == 0
    change(folder, "UPDATE links SET written_at = '2020-01-01 00:00:00.000000+00:00'")
    return folder


def change(folder, statement):
    """Change rows, as time would."""
    with sqlite3.connect(folder / ".crmsync" / "crmsync.db") as database:
        database.execute(statement)
    database.close()


def compare(capsys, *options):
    """Reconcile; return the exit code, and what it told as JSON."""
    capsys.readouterr()
    code = run(["reconcile", "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def disturb(crm):
    """Change one record, delete another, and make a second one of the third person."""
    changed, deleted, _ = (one["id"] for one in crm.control.records("contacts"))
    crm.control.edit("contacts", changed, firstname="Anna")
    crm.control.act("archive", object_type="contacts", id=deleted)
    crm.control.seed("contacts", [{"jobtitle": "u2"}, {"jobtitle": "nobody"}])


def test_where_all_is_as_believed(project, capsys):
    """Exit code 0, also where differences would give another one."""
    code, told = compare(capsys, "--exit-code")
    assert code == 0
    assert (told["compared"], told["as_believed"], told["complete"]) == (3, 3, True)


def test_what_differs_is_counted_and_told(project, crm, capsys):
    """By what it is; it fails nothing, unless asked to."""
    disturb(crm)
    code, told = compare(capsys)
    assert code == 0
    counts = {name: told[name] for name in ("drifted", "gone", "duplicates", "unlinked")}
    assert counts == {"drifted": 1, "gone": 1, "duplicates": 1, "unlinked": 2}
    assert told["drifted_fields"] == {"firstname": 1}
    assert compare(capsys, "people", "--exit-code")[0] == 2
    assert run(["failures", "--json"]) == 0
    codes = {json.loads(line)["code"] for line in capsys.readouterr().out.splitlines()}
    assert {"DRIFT", "DUPLICATE_RECORD"} <= codes


def test_a_person_reads_what_waits_for_them(project, crm, capsys):
    """And what to write into the mapping."""
    disturb(crm)
    capsys.readouterr()
    assert run(["reconcile"]) == 0
    shown = capsys.readouterr().err
    for words in ("drift: reassert", "on_delete: recreate", "on_duplicate: merge"):
        assert words in shown


def test_duplicates_are_merged_where_the_mapping_says_so(project, crm, capsys):
    """At once, and told."""
    disturb(crm)
    mapping = project / "mappings" / "people.yaml"
    mapping.write_text(PUSHED + "on_duplicate: merge\n")
    _, told = compare(capsys)
    assert (told["merged"], told["duplicates"]) == (1, 0)


def test_a_connection_that_cannot_be_read_fails_it(project, crm, capsys):
    """With the reason."""
    crm.control.fault("status", status=401, times=9)
    code, told = compare(capsys)
    assert (code, told["complete"]) == (1, False)
    assert told["stopped"]


def test_a_mapping_that_is_not_to_be_compared_is_not(project, capsys):
    """One line says why."""
    (project / "mappings" / "people.yaml").write_text(PUSHED + "reconcile: false\n")
    capsys.readouterr()
    assert run(["reconcile"]) == 1
    assert "people: the mapping says `reconcile: false`" in capsys.readouterr().err
