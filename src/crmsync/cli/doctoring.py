"""`crmsync doctor`: a line for all that has to be in order, and the remedy where it is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import typer
from rich.text import Text

from crmsync import logging
from crmsync.bootstrap import open_works
from crmsync.cli.options import AsJson
from crmsync.cli.screen import Screen, json_line, safe
from crmsync.connectors.answers import Exchange
from crmsync.errors import ConfigError, StoreUnavailable
from crmsync.settings import Settings, load_settings
from crmsync.store.database import Database
from crmsync.store.vault import Vault
from crmsync.sync.context import Store, Works
from crmsync.sync.doctor.broker import check_broker
from crmsync.sync.doctor.database import check_database, is_usable
from crmsync.sync.doctor.finding import OURS, Finding, Level
from crmsync.sync.doctor.keys import check_keys
from crmsync.sync.doctor.live import check_live
from crmsync.sync.doctor.processes import check_processes
from crmsync.sync.doctor.stored import check_stored

MARKS = {
    Level.OK: ("ok", "green"),
    Level.WARNING: ("warning", "yellow"),
    Level.FAULT: ("FAULT", "bold red"),
}
NAME_WIDTH = 16

app = typer.Typer()


@app.callback()
def commands() -> None:
    """Keep the command below a group's, as every other module's are."""


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Look at files, keys, database, broker, workers and every connection; change nothing.

    A few calls to each CRM, none of which writes. Exit code 1 where there is a fault.
    """
    logging.set_up(os.environ.get("CRMSYNC_LOG_LEVEL"), quiet=True)
    worst, screen = Level.OK, Screen()
    for subject, findings in groupby(examine(), lambda one: one.subject):
        if not as_json:
            screen.say(Text(safe(subject), style="bold"))
        for one in findings:
            worst = Level.FAULT if Level.FAULT in {worst, one.level} else worst
            if as_json:
                json_line(_as_json(one))
            else:
                _tell(screen, one)
    if worst is Level.FAULT:
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Yield every finding, what is ours first; what hangs on a fault is left out."""
    try:
        settings = _settings()
    except ConfigError as mistake:
        yield OURS.fault("settings", mistake.user_message, "docs/settings.md says what each is")
        return
    yield OURS.ok("settings", f"the files are beside {settings.config_path}")
    usable = False
    for one in _of_database(settings):
        yield one
        usable = one.level is not Level.FAULT if one.check == "keys" else usable
    exchanges: list[Exchange] = []
    works = None
    if usable:
        try:
            works = open_works(settings, observe=exchanges.append)
        except ConfigError as mistake:
            for problem in mistake.problems or [mistake.user_message]:
                first = str(problem).partition("\n")[0]
                yield OURS.fault("files", first, "`crmsync check` shows it with its line")
    yield from check_broker(settings.broker_url, _queues(works) if settings.broker_url else [])
    if works is not None:
        yield from _of_works(works, exchanges)


def _of_works(works: Works, exchanges: list[Exchange]) -> Iterator[Finding]:
    found = works.configuration
    yield OURS.ok("files", f"{len(found.mappings)} mappings, {len(found.connections)} connections")
    try:
        yield from check_processes(works)
        for name in found.connections:
            yield from check_live(works, name, exchanges)
            yield from check_stored(works, name)
    except StoreUnavailable as away:
        yield OURS.fault("database", f"{away.user_message} any more", "look again")
    finally:
        works.store.database.dispose()


def _settings() -> Settings:
    """Read the environment; makes no key and no folder where there is no project."""
    config = Path(os.environ.get("CRMSYNC_CONFIG") or "crmsync.yaml").resolve()
    if not config.exists():
        raise ConfigError(f"there is no {config}: `crmsync init` writes one")
    return load_settings()


def _of_database(settings: Settings) -> Iterator[Finding]:
    """Yield what is found of database and keys; the last one is of the keys, where all is well."""
    try:
        vault = Vault(settings.keys)
        file = settings.database_url.removeprefix("sqlite:///")
        if file != settings.database_url and not Path(file).exists():
            yield OURS.warning("database", "there is none yet", "the first command makes it")
            return
        database = Database(settings.database_url)
    except ConfigError as mistake:
        yield OURS.fault("settings", mistake.user_message, "docs/settings.md says what each is")
        return
    try:
        findings = check_database(database)
        yield from findings
        if is_usable(findings):
            yield check_keys(Store(database, vault))
    finally:
        database.dispose()


def _queues(works: Works | None) -> list[str]:
    """Return the keys of the lists that bells lie in."""
    from crmsync import tasks  # noqa: PLC0415 - Celery costs a second

    mappings = works.configuration.mappings if works else ()
    return [tasks.queue_key(name) for name in sorted({one.connection for one in mappings})]


def _tell(screen: Screen, one: Finding) -> None:
    word, style = MARKS[one.level]
    line = Text.assemble(
        "  ", (word.ljust(8), style), (one.check.ljust(NAME_WIDTH), "dim"), " ", safe(one.seen)
    )
    screen.say(line)
    if one.advice:
        screen.paragraph(safe(one.advice), indent=10 + NAME_WIDTH + 1, style=style)


def _as_json(one: Finding) -> dict[str, object]:
    return {
        "subject": one.subject,
        "check": one.check,
        "level": str(one.level),
        "seen": one.seen,
        "advice": one.advice,
    }
