"""`crmsync runs`, `log` and `failures`: what was done, record by record, and what went wrong."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from crmsync.cli.finding import find_person_id, find_run
from crmsync.cli.holding import tell_holds
from crmsync.cli.options import AsJson, Limit, OnePerson, OneRun
from crmsync.cli.project import open_database, open_to_look
from crmsync.cli.screen import (
    Either,
    Screen,
    brief_moment,
    change_text,
    json_line,
    moment,
    safe,
    shortened,
)
from crmsync.cli.tables import Column
from crmsync.errors import ConfigError
from crmsync.identity.times import parse_time
from crmsync.store import holds, state
from crmsync.store import runs as stored_runs
from crmsync.store.failed_links import DELETED
from crmsync.store.failing import FROZEN, NOTICED, FailureGroup
from crmsync.store.links import LinkState
from crmsync.store.read_log import ACTION
from crmsync.store.runs import LogEntry, Run
from crmsync.sync.context import Store, Works
from crmsync.sync.replay import failure_groups
from crmsync.sync.shown import Shown

RUN_COLUMNS = (
    Column("run", number=True),
    Column("sync"),
    Column("trigger", rank=3),
    Column("began"),
    Column("created", "new", number=True),
    Column("updated", number=True),
    Column("unchanged", "same", number=True),
    Column("retried", "again", number=True, rank=1),
    Column("failed", number=True),
    Column("calls", number=True, rank=2),
)
LOG_COLUMNS = (
    Column("at"),
    Column("run", number=True),
    Column("profile"),
    Column("object", least=6, rank=1),
    Column("action", rank=2),
    Column("outcome"),
    Column("what", beneath=True),
)
FATES = {
    LinkState.ACTIVE: "will be tried again by itself",
    LinkState.DEAD: "set aside until replayed",
    LinkState.CONFLICT: "waits for you to decide",
    LinkState.SUPPRESSED: "not sent any more",
    FROZEN: "left alone by both sides until replayed",
    NOTICED: "noticed when reading back",
}
"""What becomes of what has something wrong, by the state of its links."""
OURS = frozenset({"pull", "conflict", DELETED})
"""Classes of errors that are told in our words, not in the CRM's."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds."""
AGES = timedelta(days=36_500)
"""No log is older."""

app = typer.Typer()


@app.command()
def runs(*, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the latest runs, newest first: one tick, one command, or an hour of real time each."""
    store = open_database()
    with store.database.read() as connection:
        found = stored_runs.list_runs(connection, limit)
        known = state.list_syncs(connection)
        holding = {name: held for name, kept in known.items() if (held := holds.of(kept))}
    if as_json:
        for run in found:
            json_line(_run_as_json(run))
        return
    if not found:
        Screen().say("no runs yet: `crmsync push` makes the first")
        return
    screen = Screen()
    screen.table(RUN_COLUMNS, [_run_row(run) for run in found])
    for sync, held in holding.items():
        screen.note(f"{sync} is held: {held.message}; `crmsync schedule` says how to go on")


@app.command()
def log(  # noqa: PLR0913 - each is one way to narrow the list
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not succeed.")] = False,
    record: OnePerson = None,
    since: Annotated[
        str | None, typer.Option(help="A while (90s, 15m, 12h, 1d, 2w) or a time.")
    ] = None,
    run: OneRun = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what was done record by record, newest first, with each field's old and new value."""
    store = open_database()
    person, run_id = find_person_id(store, record), find_run(store, run)
    with store.database.read() as connection:
        entries = stored_runs.find_entries(
            connection,
            store.vault,
            failed=failed,
            profile_id=person,
            run_id=run_id,
            since=_moment(store, since) if since is not None else None,
            limit=limit,
        )
        if as_json:
            for entry in entries:
                json_line(_entry_as_json(entry))
            return
        shown = Shown(connection)
        rows = [_entry_row(shown, entry) for entry in list(entries)]
    _tell_entries(Screen(), rows, limit)


@app.command()
def failures(*, as_json: AsJson = False) -> None:
    """List what fails now by cause: the CRM's words, what to do, and how to send it again."""
    works = open_to_look()
    groups = failure_groups(works)
    if as_json:
        for group_id, group in groups:
            json_line(_group_as_json(group_id, group))
        return
    screen = Screen()
    is_resting, is_held = _tell_rests(screen, works), tell_holds(screen, works)
    if groups or not (is_resting or is_held):
        tell_failures(screen, groups)


def _tell_rests(screen: Screen, works: Works) -> bool:
    """Say which connections and syncs are left alone now, and why; return whether any is."""
    database = works.store.database
    with database.read() as connection:
        now = database.now(connection)
        rests = [(pause.connection, pause.until, pause.message)
                 for pause in state.list_pauses(connection, now)]  # fmt: skip
        rests += [(sync.name, sync.rests_until, sync.rest_message or "")
                  for sync in state.list_syncs(connection).values()
                  if sync.rests_until is not None and sync.rests_until > now]  # fmt: skip
    for name, until, message in rests:
        screen.say(
            Text.assemble((name, "bold red"), f" rests until {moment(until)}: {safe(message)}")
        )
        screen.say()
    return bool(rests)


def tell_failures(
    screen: Screen, groups: list[tuple[str, FailureGroup]], *, program: str = "crmsync"
) -> None:
    """Print each cause with what to do about it."""
    if not groups:
        screen.say("nothing fails", style="green")
    for group_id, group in groups:
        where = f" in '{safe(group.field)}'" if group.field else ""
        people = "1 record" if group.count == 1 else f"{group.count:,} records"
        screen.say(
            Text.assemble(
                (f"{people}", "bold red"), f" of {group.sync}: ",
                (safe(group.code), "bold"), f"{where}, {FATES.get(group.state, group.state)}",
            )
        )  # fmt: skip
        screen.item("what" if group.error_class in OURS else "they say", shortened(group.message))
        if group.hint:
            screen.item("do this", group.hint)
        screen.item("example", f"{program} explain {group.example}")
        again = _again(group_id, group)
        if again:
            screen.item("again", f"{program} {again}")
        screen.say()


def _again(group_id: str, group: FailureGroup) -> str:
    """Return the command that sends it again, where one does; a deleted record, one at a time."""
    if group.state == NOTICED:
        return ""
    if group.error_class == DELETED:
        return f"replay --record {group.example}"
    return f"replay --group {group_id}"


def _tell_entries(screen: Screen, rows: list[tuple[object, ...]], limit: int) -> None:
    if not rows:
        screen.say("nothing in the log matches")
        return
    screen.table(LOG_COLUMNS, rows)
    if len(rows) == limit:
        screen.note(f"the latest {limit}; --limit shows more")


def _entry_row(shown: Shown, entry: LogEntry) -> tuple[object, ...]:
    is_notice = entry.action == ACTION and entry.error is not None
    return (
        Either(entry.at, brief_moment(entry.at, seconds=True)), entry.run, entry.profile_id,
        entry.object, entry.action, NOTICED if is_notice else entry.outcome, _what(shown, entry),
    )  # fmt: skip


def _run_row(run: Run) -> tuple[object, ...]:
    failed = Text(str(run.failed), style="bold red") if run.failed else 0
    return (
        run.id, run.sync, run.trigger, run.started_at, run.created, run.updated, run.unchanged,
        run.retried, failed, run.calls,
    )  # fmt: skip


def _what(shown: Shown, entry: LogEntry) -> str:
    changes = change_text(shown.changes(entry))
    if entry.error is None:
        return changes or "its record was merged or converted: the link follows"
    told = shortened(f"{entry.error['code']}: {entry.error['message']}")
    return f"{told}: {changes}" if entry.action == ACTION and changes else told


def _moment(store: Store, text: str) -> datetime:
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if match:
        with store.database.read() as connection:
            now = store.database.now(connection)
        return now - min(timedelta(seconds=int(match[1]) * UNITS[match[2]]), AGES)
    try:
        return parse_time(text)
    except ValueError:
        raise ConfigError(
            f"--since {shlex.quote(text)}: give a while such as 15m, 12h or 1d, or a time such as "
            "2026-01-31T12:00:00Z"
        ) from None


def _run_as_json(run: Run) -> dict[str, object]:
    named = {name: getattr(run, name) for name in Run.__slots__}
    # As `log` calls them.
    return {"run": named.pop("id"), "object": named.pop("object_type"), **named}


def _entry_as_json(entry: LogEntry) -> dict[str, object]:
    error = entry.error
    return {
        "run": entry.run,
        "sync": entry.sync,
        "connection": entry.connection,
        "object": entry.object,
        "profile_id": entry.profile_id,
        "crm_id": entry.crm_id,
        "action": entry.action,
        "outcome": entry.outcome,
        "fields": entry.fields,
        "error": error and {name: error[name] for name in ("class", "code", "message", "hint")},
        "attempt": entry.attempt,
        "at": entry.at,
    }


def _group_as_json(group_id: str, group: FailureGroup) -> dict[str, object]:
    return {
        "group": group_id,
        "sync": group.sync,
        "class": group.error_class,
        "code": group.code,
        "field": group.field,
        "count": group.count,
        "message": group.message,
        "hint": group.hint,
        "example": group.example,
        "dead": group.dead,
        "state": group.state,
        "replay": f"crmsync {again}" if (again := _again(group_id, group)) else None,
    }
