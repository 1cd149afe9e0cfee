"""Starting: what a command imports, and that every command can be found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crmsync.cli.commands import COMMANDS, Commands

HEAVY = ("hubspot", "simple_salesforce", "zeep", "celery", "fastapi", "sqlalchemy", "uvicorn")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "commands.md"


def test_importing_the_command_line_imports_nothing_heavy():
    """`import crmsync.cli` brings in no CRM library, broker, web framework or database."""
    code = f"import sys, crmsync.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_exists_and_has_help(name):
    """A command that the help lists can be loaded and says what it does."""
    command = Commands(name="crmsync").get_command(None, name)
    assert command.name == name
    assert command.help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_manual(name):
    """docs/commands.md has a heading for each command."""
    assert f"## `crmsync {name}" in DOCS.read_text()
