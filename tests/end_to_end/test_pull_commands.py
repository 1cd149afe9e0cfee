"""`crmsync pull`, `adopt` and what tells of them, against the simulated CRM."""

from __future__ import annotations

import json
import re
import sqlite3
import urllib.request

import pytest
import typer

from crmsync.cli.entry import run
from tests.end_to_end.folders import EVENTS, write_project
from tests.sandboxes import running

MAPPING = """\
connection: hubspot
source: profiles
object: contacts
match: {crmsync_id: profile_id, email: email}
fields:
  email: email   # to adopt by
  firstname: first_name
  lastname: {from: last_name, conflict: newest}
  lifecyclestage: plan
pull:
  contact_owner: hubspot_owner_id
deals:
  pull: {deal_stage: dealstage, deal_owner: hubspot_owner_id}
"""
ADA, BEN = "41629779", "41629780"
"""Users of the simulated CRM."""
LONG_AGO = "2020-01-01 00:00:00.000000+00:00"
FAR_OFF = "2099-01-01 00:00:00.000000+00:00"


@pytest.fixture
def crm():
    """A simulated CRM that answers at once, and whose search lags behind nothing."""
    with running(search_lag_seconds=0.0, search_lag_jitter_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def project(folder, monkeypatch, crm):
    """A folder with a mapping that reads back, aimed at the simulated CRM."""
    monkeypatch.setenv("CRM_TOKEN", "pat-na1-test")
    connection = {
        "connector": "hubspot",
        "base_url": crm.url,
        "auth": {"token": "${CRM_TOKEN}"},
    }
    write_project(folder, {"hubspot": connection}, {"people": MAPPING})
    shared = {"last_name": "Lee", "plan": "lead"}
    people = [
        {
            "type": "identify",
            "userId": f"u{n}",
            "messageId": f"m{n}",
            "traits": {**shared, "email": f"u{n}@acme.example", "first_name": f"Ann{n}"},
        }
        for n in range(3)
    ]
    (folder / EVENTS).write_text("".join(json.dumps(one) + "\n" for one in people))
    assert run(["connect", "hubspot"]) == 0
    assert run(["ingest", EVENTS]) == 0
    return folder


def rows(capsys, *arguments):
    """Run a command with --json; return its objects."""
    capsys.readouterr()
    run([*arguments, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def told(capsys, *arguments):
    """Run a command; return what stands on stdout and on stderr, without colours."""
    capsys.readouterr()
    run([*arguments])
    shown = capsys.readouterr()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.out), shown.err


def record_of(crm, user):
    """Return the CRM's id of a person's record."""
    (found,) = [
        one["id"]
        for one in crm.control.records("contacts")
        if one["properties"].get("email") == f"{user}@acme.example"
    ]
    return found


def call(crm, method, path, body=None):
    """Do what a salesperson does by the CRM's API."""
    request = urllib.request.Request(  # noqa: S310 - the simulated CRM
        f"{crm.url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer pat-na1-test", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - the simulated CRM


def sell(crm, user, stage, owner):
    """Open a deal with a person."""
    to_contact = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    call(
        crm,
        "POST",
        "/crm/v3/objects/deals",
        {
            "properties": {
                "dealname": "Big",
                "pipeline": "default",
                "dealstage": stage,
                "hubspot_owner_id": owner,
            },
            "associations": [{"to": {"id": record_of(crm, user)}, "types": to_contact}],
        },
    )


def change(project, statement, *values):
    """Change rows, as time or another process would."""
    with sqlite3.connect(project / ".crmsync" / "crmsync.db") as database:
        database.execute(statement, values)
    database.close()


def push_long_ago(project):
    """Send everybody, so long ago that what is read now is no echo."""
    assert run(["push"]) == 0
    change(project, "UPDATE links SET written_at = ?", LONG_AGO)


def test_what_salespeople_change_comes_back_by_name(project, crm, capsys):
    """Owner, stage and a two-way field; the log shows e-mails and labels, JSON the CRM's ids."""
    push_long_ago(project)
    crm.control.edit("contacts", record_of(crm, "u0"), hubspot_owner_id=ADA, lastname="Lind")
    sell(crm, "u0", "contractsent", BEN)
    (pulled,) = rows(capsys, "pull")
    assert (pulled["read"], pulled["taken"], pulled["deals"]) == (4, 2, 1)
    (ann,) = rows(capsys, "profiles", "u0")
    traits = ann["traits"]
    assert traits["contact_owner"] == "ada.sales@portal.example"
    assert traits["deal_owner"] == "ben.closer@portal.example"
    assert (traits["deal_stage"], traits["last_name"]) == ("Contract Sent", "Lind")
    log, _ = told(capsys, "log", "--record", "u0")
    assert '"Lee" → "Lind"' in log
    assert "ada.sales@portal.example" in log
    assert ADA not in log
    taken = [one for one in rows(capsys, "log", "--record", "u0") if one["action"] == "pull"]
    assert ADA in [one["fields"].get("hubspot_owner_id", [0, 0])[1] for one in taken]
    assert [one["trigger"] for one in rows(capsys, "runs")] == ["pull", "command"]
    why, _ = told(capsys, "explain", "u0", "--field", "lastname")
    assert "somebody in hubspot changed it" in why
    assert "read back" in why
    assert "# to adopt by" not in told(capsys, "explain", "u0", "--field", "email")[0]


def test_runs_and_log_call_things_alike(project, capsys):
    """What a script reads of a run it finds in the log by the same key."""
    run(["push"])
    (made,), entries = rows(capsys, "runs"), rows(capsys, "log")
    shared = ("run", "sync", "connection", "object")
    assert {tuple(one[name] for name in shared) for one in entries} == {
        tuple(made[name] for name in shared)
    }


def test_a_field_of_ours_that_somebody_changed_is_told_with_what_to_do(project, crm, capsys):
    """`failures` says it, `explain` says by whom, and no command sends it again."""
    push_long_ago(project)
    crm.control.edit("contacts", record_of(crm, "u1"), firstname="Zoe")
    shown, notes = told(capsys, "pull")
    assert shown.split("\n")[0].split()[:5] == ["sync", "read", "taken", "unchanged", "deals"]
    assert "drifted: somebody changed fields that are ours" in notes
    (group,) = rows(capsys, "failures")
    assert (group["code"], group["state"], group["replay"]) == ("DRIFT", "noticed", None)
    failures, _ = told(capsys, "failures")
    assert "reassert" in failures
    assert "replay" not in failures
    why, _ = told(capsys, "explain", "u1", "--field", "firstname")
    assert 'somebody in hubspot changed it: "Ann1" → "Zoe"' in why


def test_a_deleted_record_is_made_again_on_order(project, crm, capsys):
    """It says so before it does; until then nothing is sent, and people read why."""
    push_long_ago(project)
    call(crm, "DELETE", f"/crm/v3/objects/contacts/{record_of(crm, 'u1')}")
    assert run(["pull", "--all"]) == 0
    run(["push"])
    listed, _ = told(capsys, "profiles", "u1")
    assert "state: not sent any more" in listed
    (group,) = rows(capsys, "failures")
    assert group["replay"].startswith("crmsync replay --record ")
    assert run(["replay", "--group", group["group"]]) == 1
    assert "one person at a time" in capsys.readouterr().err
    shown, notes = told(capsys, "replay", "--record", "u1")
    assert "deleted in the CRM" in notes
    assert "1 created" in shown
    assert rows(capsys, "failures") == []


def test_a_sync_that_reads_nothing_back_is_told_what_to_write(project, capsys):
    """In which file; exit code 1."""
    (project / "mappings" / "people.yaml").write_text(
        MAPPING[: MAPPING.index("pull:")].replace(
            "{from: last_name, conflict: newest}", "last_name"
        )
    )
    assert run(["pull", "people"]) == 1
    said = capsys.readouterr().err
    assert "people reads nothing back: write `pull: {our_trait: crm_field}`" in said
    assert "mappings/people.yaml" in said
    assert "crmsync fields hubspot contacts" in said


def test_who_reads_already_is_left_to_it(project, capsys):
    """Another worker holds the lease: said in a line, and no failure."""
    run(["push"])
    run(["pull"])
    change(project, "UPDATE cursors SET lease_token = 'x', lease_until = ?", FAR_OFF)
    (pulled,) = rows(capsys, "pull")
    assert (pulled["busy"], pulled["read"]) == (True, 0)
    assert "another worker reads hubspot already" in told(capsys, "pull")[1]


def test_a_crm_that_is_away_is_one_line(project, crm, capsys):
    """And exit code 1."""
    run(["push"])
    crm.control.fault("status", status=503, path="*search*", times=50)
    capsys.readouterr()
    assert run(["pull"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("people stopped: ") for line in said] == [True]


def test_the_schedule_says_when_a_crm_is_read_next(project, capsys):
    """In words, and for scripts."""
    run(["push"])
    run(["pull"])
    (outlook,) = rows(capsys, "schedule")
    assert outlook["next_pull"]
    assert re.search(r"reads +back \d{4}-.*every 300 s", told(capsys, "schedule")[0])


def test_adoption_links_who_is_there_before_anything_is_written(project, crm, capsys):
    """Reported first, linked with --yes, and then only the difference is sent."""
    crm.control.seed("contacts", [{"email": "u0@acme.example", "firstname": "Anna"}])
    crm.control.clear_ledger()
    (report,) = rows(capsys, "adopt", "people")
    assert (report["found"], report["missing"]) == ({"crmsync_id": 0, "email": 1}, 2)
    assert report["adopted"] == 0
    shown, notes = told(capsys, "adopt", "people")
    assert "no record: the next push makes it" in shown
    assert "crmsync adopt people --yes" in notes
    assert "1 linked; nothing was written to the CRM" in told(capsys, "adopt", "people", "--yes")[0]
    assert crm.control.calls(path="*/batch/upsert") + crm.control.calls(path="*/batch/update") == 0
    assert "2 created, 1 updated" in told(capsys, "push")[0]
    assert len(crm.control.records("contacts")) == 3
    (again,) = rows(capsys, "adopt", "people")
    assert again["linked"] == 3


@pytest.mark.parametrize(("answer", "linked"), [(True, 1), (False, 0)])
def test_a_person_at_a_terminal_is_asked(  # noqa: PLR0913, PLR0917 - its fixtures and a case
    project, crm, capsys, monkeypatch, answer, linked
):
    """No keeps nothing."""
    crm.control.seed("contacts", [{"email": "u0@acme.example"}])
    asked = []
    monkeypatch.setenv("FORCE_COLOR", "1")

    def confirm(text, **_):
        asked.append(text)
        return answer

    monkeypatch.setattr(typer, "confirm", confirm)
    assert run(["adopt", "people"]) == 0
    monkeypatch.delenv("FORCE_COLOR")
    assert asked == ["Link 1 person to these records?"]
    (again,) = rows(capsys, "adopt", "people")
    assert again["linked"] == linked


@pytest.mark.parametrize("width", [80, 120])
def test_tables_of_reading_back_fit_a_terminal(project, crm, capsys, monkeypatch, width):
    """Nothing is wider than the screen, and the sync's name stays whole."""
    push_long_ago(project)
    crm.control.edit("contacts", record_of(crm, "u1"), firstname="Zoe")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    for command in (["pull"], ["runs"], ["log"], ["failures"], ["schedule"], ["explain", "u1"]):
        shown, _ = told(capsys, *command)
        assert shown
        assert max(map(len, shown.splitlines())) <= width
