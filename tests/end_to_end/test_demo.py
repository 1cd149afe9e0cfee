"""`python -m crmsync.demo`: what a newcomer sees first."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from crmsync.demo.crms import CRMS
from crmsync.demo.sales import DEALS, WORKED_ON
from tests.openapi import tally

CHECKED_DEMO = Path(__file__).with_name("checked_demo.py")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    """Where the demo keeps its project; its path has a space."""
    return tmp_path / "a demo"


@dataclass(frozen=True)
class Told:
    """What one demo printed, and what its simulated CRMs hold and received."""

    output: str
    crms: dict[str, dict[str, Any]]

    @property
    def readings(self):
        """The table of what was read back: {crm: numbers}, from records to calls."""
        _, _, told = self.output.partition("\nread back ")
        rows = [line.split() for line in told.partition("\n\n")[0].splitlines()[1:]]
        return {name: [int(number) for number in numbers] for name, *numbers in rows}

    @property
    def tables(self):
        """The closing tables: {crm: {row: numbers}}, from created to reads."""
        tables: dict[str, dict[str, list[int]]] = {}
        table: dict[str, list[int]] = {}
        for line in self.output.splitlines():
            if heading := re.fullmatch(r"(\w+) +created +updated .*", line):
                table = tables.setdefault(heading[1], {})
            elif row := re.fullmatch(r"(Push|Again|Changes|Settled|Sent on) +([\d ]+)", line):
                table[row[1]] = [int(number) for number in row[2].split()]
        return tables


def demo(folder):
    """Run the demo in a process of its own, its CRMs watched."""
    findings = folder.parent / "findings.json"
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, str(CHECKED_DEMO), str(findings), "--folder", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=folder.parent,
        env=os.environ | {"PWD": str(folder.parent), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(findings.read_text())
    tally.CHECKED.update(found["checked"])
    return Told(done.stdout, found["crms"])


def test_every_crm_is_heard_and_the_second_demo_writes_nothing(folder):
    """Every trouble is met, nobody is there twice, and what salespeople do comes back, once."""
    first = demo(folder)
    pushes = {crm: rows["Push"] for crm, rows in first.tables.items()}
    # Where that push takes longer than the settle time, it comes to the lost answer itself.
    is_settled_early = pushes["pipedrive"][2] == 1
    assert pushes == {
        "hubspot": [898, 0, 100, 2, 11, ANY],
        "salesforce": [979, 20, 0, 1, ANY, ANY],  # the lock may outlast a second try
        "zoho": [998, 0, 0, 2, 10, ANY],
        "pipedrive": [999, 0, int(is_settled_early), 0, 1_000, ANY],
    }
    for crm, rows in first.tables.items():
        assert rows["Again"][4] == 0
        assert rows["Changes"][:2] == [0, 5]
        assert rows["Changes"][4] == (5 if crm == "pipedrive" else 1)
    settled = {crm for crm, rows in first.tables.items() if "Settled" in rows}
    assert settled == ({"hubspot"} if is_settled_early else {"hubspot", "pipedrive"})
    people = {crm: found["people"] for crm, found in first.crms.items()}
    assert {crm: len(held) for crm, held in people.items()} == {
        "hubspot": 998, "salesforce": 999, "zoho": 998, "pipedrive": 1_000,
    }  # fmt: skip
    assert all(len(held) == len(set(held)) for held in people.values())
    for words in (
        "429 'too many requests': 100 records", "an answer was lost: 100 records",
        "an expired token: renewed once", "row lock: 20 contacts",
        "an answer was lost: 1 person", "" if is_settled_early else "made once, not twice",
        "INVALID_EMAIL", "INVALID_OPTION in 'plan'", "INVALID_OPTION in 'Plan'",
    ):  # fmt: skip
        assert words in first.output

    found_not_made = {"hubspot": 100, "salesforce": 20, "zoho": 0, "pipedrive": 1}
    assert first.readings == {
        crm: [len(held) + found_not_made[crm], DEALS, WORKED_ON, WORKED_ON, ANY]
        for crm, held in people.items()
    }
    for found in first.crms.values():
        assert (found["deals"], found["taken_over"]) == (DEALS, WORKED_ON)
    sent_on = {crm: rows["Sent on"][:2] for crm, rows in first.tables.items()}
    assert sent_on == {
        "hubspot": [0, 1], "salesforce": [0, 0], "zoho": [0, WORKED_ON], "pipedrive": [0, 1],
    }  # fmt: skip
    stages = first.crms["hubspot"]["stages"]
    assert len(stages) == WORKED_ON
    assert first.crms["zoho"]["stages"] == stages
    assert set(stages.values()) == {"Negotiation", "Decision Maker Bought-In"}
    assert len(re.findall(r'^  [Pp]lan(?:__c)? = "pro"$', first.output, re.MULTILINE)) == len(CRMS)

    second = demo(folder)
    for crm, found in second.crms.items():
        told = second.readings[crm]
        assert told == [len(people[crm]), DEALS, 0, 0, found["calls"]["read"]]
        assert found["calls"].get("write", 0) == 0
    assert {crm: found["people"] for crm, found in second.crms.items()} == people
    assert {crm: found["stages"] for crm, found in second.crms.items()} == {
        crm: found["stages"] for crm, found in first.crms.items()
    }
    commands = re.findall(r"^   ('?\S.*/crmsync'? .+)$", second.output, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        tried = subprocess.run(  # noqa: S602 - pasted into a shell, as the demo says
            command, shell=True, capture_output=True, text=True, check=True, cwd=folder.parent
        )
        assert tried.stdout
