"""`crmsync doctor` of a project whose connections are simulated CRMs, well and at fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from crmsync.cli.entry import run
from crmsync.sandbox import Control
from tests.crms import HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm
from tests.end_to_end.folders import EVENTS, write_person, write_project
from tests.sandboxes import running
from tests.workbench import TOKEN, make_fields

CRMS = (HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO)
Told = Mapping[tuple[str, str], Mapping[str, Any]]
Doctor = Callable[[], tuple[int, Told]]


@pytest.fixture
def controls(folder, monkeypatch):
    """A project of all four CRMs, each with our field; gives their controls by name."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    with ExitStack() as stack:
        boxes = {
            crm: stack.enter_context(
                running(crm.name, limits=crm in {HUBSPOT, SALESFORCE}, **crm.settings)
            )
            for crm in CRMS
        }
        write_project(
            folder,
            {crm.name: crm.connection(box.url) for crm, box in boxes.items()},
            {crm.name: crm.mapping(crm.by_key, reconcile=False) for crm in CRMS},
        )
        for crm in (HUBSPOT, ZOHO, PIPEDRIVE):
            make_our_field(crm)
        yield {crm: box.control for crm, box in boxes.items()}


def make_our_field(crm: Crm) -> None:
    """Make our unique field as `crmsync connect` does."""
    from crmsync.cli.project import open_project  # noqa: PLC0415

    works = open_project()
    make_fields(works.open_sync(works.mappings[crm.name]).connector, object_type=crm.object_type)
    works.store.database.dispose()


@pytest.fixture
def doctor(capsys) -> Doctor:
    """Asks for JSON; gives the exit code, and what is told by subject and check."""

    def ask() -> tuple[int, Told]:
        capsys.readouterr()
        code = run(["doctor", "--json"])
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, {(one["subject"], one["check"]): one for one in lines}

    return ask


def test_a_project_in_order_has_one_fault_that_nobody_works(controls, doctor):
    """Every check of every connection is fine; no worker runs in a test."""
    code, told = doctor()
    faults = [place for place, one in told.items() if one["level"] == "fault"]
    assert faults == [("crmsync", "workers")]
    assert code == 1
    for crm in CRMS:
        checks = {check for subject, check in told if subject == crm.name}
        assert checks >= {
            "credentials", "clock", "quota", f"fields of {crm.name}", "rest", "backlog",
            "set aside", "last push",
        }  # fmt: skip
        assert told[crm.name, "credentials"]["level"] == "ok"
    assert "left of the day's" in told["hubspot", "quota"]["seen"]
    assert "left of the day's" in told["salesforce", "quota"]["seen"]


def test_it_is_read_by_people_too(controls, capsys):
    """Plain lines in a pipe: a heading for each subject, and no secret anywhere."""
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line in {crm.name for crm in CRMS}] == [
        crm.name for crm in CRMS
    ]
    assert "  FAULT   workers" in out
    assert "start one: `crmsync up`" in out
    assert TOKEN not in out


def withdraw(control: Control, crm: Crm) -> None:
    """Answer every call as a CRM does that knows the token no more."""
    body = {
        HUBSPOT: {"category": "INVALID_AUTHENTICATION", "message": "no"},
        PIPEDRIVE: {"success": False, "error": "unauthorized access", "errorCode": 401},
        SALESFORCE: [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}],
        ZOHO: {"code": "INVALID_TOKEN", "message": "invalid oauth token", "status": "error"},
    }[crm]
    control.fault("answer", path="*", status=401, json=body)


@pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)
def test_a_dead_token_is_told_with_what_to_do(controls, doctor, crm):
    """Of that connection alone; nothing that needs the token is asked further."""
    withdraw(controls[crm], crm)
    _, told = doctor()
    dead = told[crm.name, "credentials"]
    assert dead["level"] == "fault"
    assert "CRM_TOKEN" in dead["advice"]
    assert (crm.name, f"fields of {crm.name}") not in told
    others = [told[other.name, "credentials"]["level"] for other in CRMS if other is not crm]
    assert others == ["ok"] * 3


@pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)
def test_a_crm_whose_clock_is_elsewhere_is_told(controls, doctor, crm):
    """Ten minutes: too much for tokens that are valid for three."""
    assert doctor()[1][crm.name, "clock"]["level"] == "ok"
    controls[crm].advance(600)
    late = doctor()[1][crm.name, "clock"]
    assert late["level"] == "fault"
    assert "10 minutes behind the CRM's" in late["seen"]


def test_what_a_mapping_lacks_in_the_crm_is_told(controls, doctor, folder):
    """A mapped field that is gone, with its file and line."""
    path = folder / "mappings" / "hubspot.yaml"
    path.write_text(path.read_text().replace("firstname:", "fristname:"))
    gone = doctor()[1]["hubspot", "fields of hubspot"]
    assert gone["level"] == "fault"
    assert "mappings/hubspot.yaml:" in gone["seen"]
    assert "did you mean 'firstname'?" in gone["seen"]


def test_a_day_that_is_spent_is_told(controls, doctor):
    """When less than a tenth is left, and when nothing is. What the doctor asks counts, too."""
    control = controls[HUBSPOT]
    doctor()
    before = control.calls()
    assert doctor()[1]["hubspot", "quota"]["level"] == "ok"
    used, each = control.calls(), control.calls() - before
    control.settings(daily_calls=used + 2 * each)
    doctor()
    scarce = doctor()[1]["hubspot", "quota"]
    assert scarce["level"] == "fault"
    assert scarce["seen"] == f"0 left of the day's {used + 2 * each}"
    control.settings(daily_calls=100)
    control.clear_ledger()
    told: dict[str, str] = {}
    while control.calls() < 92 - used - 2 * each:
        told = doctor()[1]["hubspot", "quota"]
    assert told["level"] == "warning"
    assert doctor()[1]["hubspot", "credentials"]["level"] == "ok"


def test_a_file_that_is_wrong_keeps_nothing_else_from_being_looked_at(controls, doctor, folder):
    """The database and the keys are told of, and each mistake with its place."""
    (folder / "mappings" / "zoho.yaml").write_text(
        "connection: zoho\nsource: profiles\nfeelds: 1\n"
    )
    code, told = doctor()
    assert code == 1
    assert told["crmsync", "files"]["level"] == "fault"
    assert "mappings/zoho.yaml:" in told["crmsync", "files"]["seen"]
    assert told["crmsync", "tables"]["level"] == "ok"
    assert told["crmsync", "keys"]["level"] == "ok"


def test_a_key_that_is_gone_is_told(controls, doctor, folder):
    """What was stored under it cannot be opened by any other."""
    write_person(folder)
    assert run(["ingest", EVENTS]) == 0
    assert doctor()[1]["crmsync", "keys"]["level"] == "ok"
    keys = folder / ".crmsync" / "keys"
    keys.write_text("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=\n")
    lost = doctor()[1]["crmsync", "keys"]
    assert lost["level"] == "fault"
    assert "events" in lost["seen"]


def test_where_there_is_no_project_nothing_is_made(folder, doctor):
    """It says so, and leaves the folder as it is."""
    code, told = doctor()
    assert code == 1
    assert "crmsync init" in told["crmsync", "settings"]["seen"]
    assert list(folder.iterdir()) == []
