"""The command line: thin commands, each in a module that is imported only when it is called.

entry      runs a command; turns errors into one line and an exit code
commands   the list of commands
screen     how things are shown: tables at a terminal, plain lines in a pipe, JSON lines on request
"""

from __future__ import annotations

from crmsync.cli.entry import main

__all__ = ["main"]
