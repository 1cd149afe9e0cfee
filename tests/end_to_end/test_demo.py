"""`python -m crmsync.demo`: what a newcomer sees first."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


@pytest.fixture
def folder(tmp_path):
    """Where the demo keeps its project; its path has a space."""
    return tmp_path / "a demo"


def demo(folder):
    """Run the demo in a process of its own; return what it printed."""
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "crmsync.demo", "--folder", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=folder.parent,
        env=os.environ | {"PWD": str(folder.parent)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(output):
    """Return the closing table: {row: [created, updated, unchanged, failed, writes, reads]}."""
    found = re.findall(r"^(Push|Again|Changes|Read back) +([\d ]+)$", output, re.MULTILINE)
    return {name: [int(number) for number in numbers.split()] for name, numbers in found}


def test_the_demo_meets_its_troubles_and_the_second_one_writes_nothing(folder):
    """Every trouble is met and cured or told, five people differ, and again there is no write."""
    first = demo(folder)
    rows = table(first)
    assert rows["Push"][3] == 2
    assert rows["Again"][4:] == [0, 0]
    assert rows["Changes"][1] == 5
    assert rows["Changes"][4] == 1
    for words in ("429", "an answer was lost", "INVALID_EMAIL", "INVALID_OPTION", "read back"):
        assert words in first
    second = demo(folder)
    assert {name: row[4] for name, row in table(second).items()} == {
        "Push": 0, "Again": 0, "Changes": 0,
    }  # fmt: skip
    commands = re.findall(r"^   ('?\S.*/crmsync'? .+)$", second, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        tried = subprocess.run(  # noqa: S602 - pasted into a shell, as the demo says
            command, shell=True, capture_output=True, text=True, check=True, cwd=folder.parent
        )
        assert tried.stdout
