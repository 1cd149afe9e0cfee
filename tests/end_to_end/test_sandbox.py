"""`crmsync sandbox`: what it prints is enough to work with every simulated CRM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from crmsync.cli.entry import run
from tests.crms import CRMS
from tests.end_to_end.folders import EVENTS, write_person
from tests.sandboxes import watched

LAST = "Ctrl-C ends this"
SECRETS = ("HUBSPOT", "PIPEDRIVE", "SALESFORCE", "ZOHO")
each_crm = pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)


@contextmanager
def serving(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `crmsync sandbox` in a process of its own; its stdout is to be read."""
    command = [sys.executable, "-m", "crmsync", "sandbox", *arguments, "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def printed(process: subprocess.Popen[str]) -> str:
    """Return what is printed once everything listens."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith(LAST):
            break
    return text


def connections_in(text: str) -> str:
    """Return the part that goes into crmsync.yaml."""
    return text[text.index("connections:") : text.index("# then")]


@each_crm
def test_what_it_prints_is_enough(folder, monkeypatch, capsys, crm):
    """Pasted into crmsync.yaml, the commands that it names work; no variable needs to be set."""
    for name in SECRETS:
        monkeypatch.delenv(f"{name}_TOKEN", raising=False)
    with serving(crm.name) as process:
        text = printed(process)
        with watched(crm.name, text.split()[1]) as control:
            (folder / "crmsync.yaml").write_text(connections_in(text))
            write_person(folder)
            named = [line.partition("#")[0].split() for line in text.splitlines() if "  #" in line]
            assert run(named[0][1:]) == 0
            assert "environment" not in capsys.readouterr().out
            assert run(["ingest", EVENTS]) == 0
            by_hand = [command[1:] for command in named[1:] if command[1] != "up"]
            assert [command[0] for command in by_hand] == ["connect", "check", "push", "pull"]
            for command in by_hand:
                assert run(command) == 0, command
            assert "a secret stands in the file" not in capsys.readouterr().err
            (record,) = control.records(crm.object_type)
    assert "ann0@acme.example" in json.dumps(record)


def test_machines_are_told_the_same():
    """One object a line for each CRM, as in crmsync.yaml."""
    with serving("zoho", "hubspot", "zoho", "--json") as process:
        assert process.stdout is not None
        zoho, hubspot = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (zoho["crm"], hubspot["crm"]) == ("zoho", "hubspot")
    assert zoho["url"] == zoho["connection"]["base_url"]
    assert hubspot["commands"][:2] == ["crmsync init --crm hubspot", "crmsync connect hubspot"]
    with serving("zoho", "hubspot") as process:
        blocks = yaml.safe_load(connections_in(printed(process)))["connections"]
    for told in (zoho, hubspot):
        assert {**blocks[told["crm"]], "base_url": told["url"]} == told["connection"]
