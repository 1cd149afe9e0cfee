"""Running one command: whatever goes wrong becomes one clear line on stderr and an exit code.

0 fine, 1 failed, 130 stopped by the person at the terminal. A person's mistake never shows a stack
trace; a fault of ours shows where it happened only when `CRMSYNC_LOG_LEVEL=debug` asks for it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer

from crmsync.cli.advice import advice_on
from crmsync.cli.commands import Commands
from crmsync.cli.screen import error_line
from crmsync.errors import CrmsyncError

FAILED = 1
STOPPED = 130
"""128 + SIGINT, as shells count."""


def main() -> None:
    """Run the command that this process was started for, and end with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr] # both are text files here
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    try:
        code = Commands(name="crmsync").main(arguments, prog_name="crmsync", standalone_mode=False)
    except typer.TyperException as misuse:
        if misuse.format_message():  # none: the help was asked for by naming no command
            error_line(f"{misuse.format_message()} (`crmsync --help` lists what there is)")
        return FAILED
    except CrmsyncError as error:
        error_line(advice_on(error))
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        error_line("stopped; what was done stays done, and the same command goes on from there")
        return STOPPED
    except Exception as fault:  # noqa: BLE001 - the edge: a fault of ours is told as such
        return _fault(fault)
    return code if isinstance(code, int) else 0


def _fault(fault: Exception) -> int:
    if os.environ.get("CRMSYNC_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(fault)
    error_line(
        f"a fault in crmsync itself ({type(fault).__name__}); nothing accepted is lost. "
        "Run it again with CRMSYNC_LOG_LEVEL=debug and report what it shows"
    )
    return FAILED
