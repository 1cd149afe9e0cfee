"""The list of commands, and the group that imports a command's module only when it is called.

`crmsync --help` is written from this list alone, so it answers at once.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from crmsync import __version__
from crmsync.cli.screen import Screen, safe
from crmsync.errors import ConfigError
from crmsync.mapping.problems import did_you_mean

SETTING_UP = "Setting up"
RUNNING = "Running"
MOVING = "Moving data"
LOOKING = "Seeing what happened"
TRYING = "Trying it out"


@dataclass(frozen=True, slots=True)
class Listed:
    """One command as the list shows it."""

    group: str
    module: str
    """Beside this one."""
    summary: str


COMMANDS = {
    "init": Listed(SETTING_UP, "files", "write a commented crmsync.yaml and a first mapping"),
    "connect": Listed(SETTING_UP, "connecting", "authorise a connection, prepare the CRM for it"),
    "webhooks": Listed(SETTING_UP, "webhooks", "have a CRM tell us of changes at once"),
    "check": Listed(SETTING_UP, "files", "find mistakes in the files; --live: against the CRM"),
    "fields": Listed(SETTING_UP, "connections", "list a CRM object's fields"),
    "keys": Listed(SETTING_UP, "keys", "make an encryption key"),
    "migrate": Listed(SETTING_UP, "servers", "bring the database's tables up to date"),
    "up": Listed(RUNNING, "servers", "everything in one process"),
    "api": Listed(RUNNING, "servers", "take events over HTTP"),
    "worker": Listed(RUNNING, "workers", "send what is due, as Celery's messages ask"),
    "scheduler": Listed(RUNNING, "workers", "keep the schedule"),
    "healthcheck": Listed(RUNNING, "liveness", "does the worker or scheduler here still work?"),
    "doctor": Listed(RUNNING, "doctoring", "what is not in order, and what to do about it"),
    "schedule": Listed(RUNNING, "schedules", "next runs; pause and resume"),
    "ingest": Listed(MOVING, "ingesting", "take events or people from a file"),
    "push": Listed(MOVING, "pushing", "send what differs now"),
    "pull": Listed(MOVING, "pulling", "read back what changed in the CRM"),
    "reconcile": Listed(MOVING, "reconciling", "compare every record with what it should hold"),
    "adopt": Listed(MOVING, "adopting", "link people to records that are there already"),
    "backfill": Listed(MOVING, "pushing", "compare everybody, send what differs"),
    "replay": Listed(MOVING, "replaying", "send again what failed"),
    "undo": Listed(MOVING, "undoing", "put back what a run wrote"),
    "profiles": Listed(LOOKING, "people", "who is known, and what the CRM holds of them"),
    "runs": Listed(LOOKING, "history", "what was done when"),
    "log": Listed(LOOKING, "history", "results record by record"),
    "failures": Listed(LOOKING, "history", "what fails, by cause, and what to do"),
    "explain": Listed(LOOKING, "explaining", "why each CRM field holds what it holds"),
    "sandbox": Listed(TRYING, "sandboxes", "simulated CRMs over HTTP"),
}


class Commands(TyperGroup):
    """`crmsync`: finds a command by name and imports its module."""

    def list_commands(self, _ctx: Any) -> list[str]:  # noqa: ANN401 - typer's context is not public
        """Return every name, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - see above
        """Return a command, or None where there is none of that name."""
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return None
        module = importlib.import_module(f"crmsync.cli.{listed.module}")
        return _plain(typer.main.get_group(module.app).commands[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - see above
        """Return a command with its arguments; raise ConfigError with a suggestion."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = did_you_mean(args[0], COMMANDS)
            raise ConfigError(
                f"there is no command '{safe(args[0])}'{near}; `crmsync --help` lists what there is"
            )
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - see above
        """Show the list where no command is named, and the version where it is asked for."""
        if args[:1] == ["--version"]:
            Screen().say(f"crmsync {__version__}")
            raise typer.Exit
        if not args or args[0] in {"--help", "-h", "help"}:
            show_commands()
            raise typer.Exit
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


def _plain(command: Any) -> Any:  # noqa: ANN401 - typer's command is not public
    """Return the command with its help in plain text: boxes leave little room for words."""
    command.rich_markup_mode = None
    for one in command.params:
        if one.metavar is None and not getattr(one, "is_flag", False):
            one.metavar = one.opts[0].lstrip("-").upper()
        if one.param_type_name == "argument":
            one.display_type_rich = _untyped
    for below in getattr(command, "commands", {}).values():
        _plain(below)
    return command


def _untyped(ctx: object) -> str:  # noqa: ARG001 - typer's signature
    """Say nothing of an argument's type: its name and its help do."""
    return ""


def show_commands() -> None:
    """Print the list of commands by group."""
    screen = Screen()
    screen.say("crmsync keeps what every CRM record says true to what you know about the person.")
    screen.say("Usage: crmsync COMMAND [OPTIONS]    `crmsync COMMAND --help` tells more")
    width = max(len(name) for name in COMMANDS) + 2
    group = ""
    for name, listed in COMMANDS.items():
        if listed.group != group:
            group = listed.group
            screen.say(Text(f"\n{group}", style="bold"))
        screen.say(Text.assemble("  ", (name.ljust(width), "cyan"), listed.summary))
    screen.say("\nStart with `crmsync init`. Settings come from the environment: docs/settings.md.")
