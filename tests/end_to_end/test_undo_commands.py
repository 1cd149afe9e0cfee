"""The circuit and undo on the command line, against the simulated CRM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from crmsync.cli.entry import run
from tests.end_to_end.folders import EVENTS, write_project
from tests.sandboxes import WatchedSandbox, running

MAPPING = """\
connection: hubspot
source: profiles
object: contacts
match: {crmsync_id: profile_id}
guard: {cleared: 0.2, at_least: 5}
fields:
  firstname: first_name
  company: company
"""
PEOPLE = 20


@pytest.fixture
def crm():
    """A simulated CRM that answers at once."""
    with running(search_lag_seconds=0.0, search_lag_jitter_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def project(folder, monkeypatch, crm) -> Path:
    """Twenty people whose records say Acme."""
    monkeypatch.setenv("CRM_TOKEN", "pat-na1-test")
    connection = {
        "connector": "hubspot",
        "base_url": crm.url,
        "auth": {"token": "${CRM_TOKEN}"},
    }
    write_project(folder, {"hubspot": connection}, {"people": MAPPING})
    say(folder, company="Acme")
    assert run(["connect", "hubspot"]) == 0
    assert run(["ingest", EVENTS]) == 0
    assert run(["push"]) == 0
    return folder


def say(folder: Path, **traits: object) -> None:
    """Write the events of twenty people."""
    calls = [
        {"type": "identify", "userId": f"u{n}", "traits": {"first_name": f"Ann{n}", **traits}}
        for n in range(PEOPLE)
    ]
    (folder / EVENTS).write_text("".join(json.dumps(call) + "\n" for call in calls))


def companies(crm: WatchedSandbox) -> set[str]:
    """Return what the records say."""
    return {record["properties"].get("company", "") for record in crm.control.records("contacts")}


def rows(capsys, *arguments: str) -> list[dict[str, object]]:
    """Run a command with --json; return its objects."""
    capsys.readouterr()
    run([*arguments, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def blanked(project):
    """Their company came empty."""
    say(project, company=None)
    assert run(["ingest", EVENTS]) == 0
    return project


def test_a_blanked_column_is_held_until_a_person_says_yes(blanked, crm, capsys):
    """Nothing is written; the reason is told wherever one looks; --yes lets it through."""
    capsys.readouterr()
    assert run(["push"]) == 1
    shown = capsys.readouterr()
    reason = "would clear `company` in 20 of 20 records (100 %), more than the 20 % of"
    assert reason in shown.err
    assert 'company: "Acme" → (empty)' in shown.out
    assert "crmsync push people --yes" in shown.out
    assert companies(crm) == {"Acme"}
    for command in (["schedule"], ["failures"]):
        assert run(command) == 0
        assert reason in capsys.readouterr().out
    run(["runs"])
    assert reason in capsys.readouterr().err
    (one,) = rows(capsys, "schedule")
    assert reason in str(one["held"])
    (pushed,) = rows(capsys, "push", "people")
    assert reason in str(pushed["held"])
    assert run(["push", "people", "--yes"]) == 0
    assert companies(crm) == {""}
    assert rows(capsys, "schedule")[0]["held"] is None


def test_a_backfill_is_held_too(project, crm, capsys):
    """A line of the mapping that empties everybody's field stops as well, and goes on mended."""
    mapping = project / "mappings" / "people.yaml"
    mapping.write_text(MAPPING.replace("company: company", "company: no_such_trait"))
    assert run(["backfill", "people"]) == 1
    assert companies(crm) == {"Acme"}
    mapping.write_text(MAPPING)
    assert run(["push"]) == 0
    assert rows(capsys, "schedule")[0]["held"] is None


def test_a_run_is_undone_but_for_what_others_changed(project, crm, capsys, monkeypatch):
    """A summary and a question first; then what was done, what was not and why; then a pause."""
    say(project, company="Oops")
    run(["ingest", EVENTS])
    (pushed,) = rows(capsys, "push", "people")
    number = str(pushed["run"])
    [first, *_] = crm.control.records("contacts")
    crm.control.edit("contacts", first["id"], company="Theirs")
    assert run(["undo", number]) == 1
    assert f"nobody is here to be asked: `crmsync undo {number} --yes`" in capsys.readouterr().err
    assert companies(crm) == {"Oops", "Theirs"}
    monkeypatch.setattr("crmsync.cli.screen.Screen.is_terminal", True)
    monkeypatch.setattr(typer, "confirm", _says_no)
    assert run(["undo", number]) == 130
    assert companies(crm) == {"Oops", "Theirs"}
    monkeypatch.undo()
    monkeypatch.setenv("CRM_TOKEN", "pat-na1-test")
    monkeypatch.chdir(project)
    capsys.readouterr()
    assert run(["undo", number, "--yes"]) == 1  # one was left alone
    shown = capsys.readouterr()
    assert "people: 19 restored, 1 skipped, 1 write call" in shown.out
    assert "somebody changed it since" in shown.out
    assert "crmsync schedule resume people" in shown.err
    assert companies(crm) == {"Acme", "Theirs"}
    (one,) = rows(capsys, "schedule")
    assert one["paused_why"] == f"undo of run {number}"
    assert run(["push", "people"]) == 1
    assert f"people is paused (undo of run {number})" in capsys.readouterr().err
    told = rows(capsys, "undo", number, "--yes")
    assert sorted(str(record["outcome"]) for record in told) == ["already"] * 19 + ["skipped"]
    [skipped] = [record["skipped"] for record in told if record["skipped"]]
    assert skipped == {
        "company": {
            "code": "CHANGED_SINCE",
            "message": "somebody changed it since",
            "hint": "decide in the CRM which value is right",
        }
    }


def test_created_records_are_deleted_where_asked_for(project, crm, capsys):
    """Undoing the first push: left by default, gone with --delete-created, and no pause."""
    (first,) = rows(capsys, "runs")
    number = str(first["run"])
    assert run(["undo", number, "--yes", "--no-pause"]) == 1
    assert "the run created it" in capsys.readouterr().out
    assert len(companies(crm)) == 1
    assert run(["undo", number, "--yes", "--no-pause", "--delete-created"]) == 0
    assert all(record["archived_at"] for record in crm.control.records("contacts"))
    assert rows(capsys, "schedule")[0]["paused_at"] is None


def test_what_is_no_run_says_what_there_is(project, capsys):
    """A slip of the keyboard is one clear line."""
    assert run(["undo", "999", "--yes"]) == 1
    assert "there is no run 999; the latest is 1" in capsys.readouterr().err


def _says_no(*_: object, **__: object) -> None:
    raise typer.Abort
