"""`crmsync push` and `crmsync backfill`: sending now, due or not, while a person watches."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from crmsync.bootstrap import tune_collector
from crmsync.cli.holding import tell_held
from crmsync.cli.options import AsJson, SyncName
from crmsync.cli.progress import bar, done_of, words_of
from crmsync.cli.project import chosen_mappings, open_project
from crmsync.cli.screen import Screen, json_line, moment
from crmsync.cli.stopping import stopping
from crmsync.errors import CrmsyncError
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import ProfileKind, RunTrigger
from crmsync.store import profiles, state
from crmsync.sync import command
from crmsync.sync.command import Pushed
from crmsync.sync.context import Works
from crmsync.sync.delivery import UNREACHABLE
from crmsync.sync.marking import bring_up_to_date, mark_all

REAUTHORISE = "reauth_required"
"""The cause of a rest because the CRM does not accept our credentials."""

app = typer.Typer()
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Let through, this once, what the guard stops.")
]


@app.command()
def push(sync: SyncName = None, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Send everything that differs now, whatever the schedule says.

    Stopped with Ctrl-C it finishes the calls under way; the same command goes on from there. A run
    that would change more than the guard allows writes nothing and asks; --yes is the answer.
    Exit code 1 when a record was refused, the run was held or the CRM could not be reached.
    """
    works = open_project()
    mappings = _unpaused(works, chosen_mappings(works, sync), by_name=sync is not None)
    tune_collector()
    bring_up_to_date(works)
    with stopping() as asked:
        fine = True
        for mapping in mappings:
            if asked.is_set():
                break
            total = command.make_due(works, mapping)
            fine &= push_and_tell(works, mapping, total, asked, as_json=as_json, yes=yes)
    if asked.is_set():
        raise KeyboardInterrupt
    if not fine:
        raise typer.Exit(1)


@app.command()
def backfill(
    sync: Annotated[str, typer.Argument(help="A mapping's name.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Compare everybody a mapping is about with what the CRM holds, and send what differs.

    What is known to be the same is not sent. It can be stopped: `crmsync push` goes on from there.
    """
    works = open_project()
    (mapping,) = _unpaused(works, chosen_mappings(works, sync), by_name=True)
    tune_collector()
    marked = _mark_everybody(works, mapping)
    with stopping() as asked:
        fine = push_and_tell(
            works, mapping, marked, asked, as_json=as_json, trigger=RunTrigger.BACKFILL, yes=yes
        )
    if asked.is_set():
        raise KeyboardInterrupt
    if not fine:
        raise typer.Exit(1)


def push_and_tell(  # noqa: PLR0913 - what is pushed, and how it is told
    works: Works,
    mapping: SyncMapping,
    total: int,
    asked: threading.Event,
    *,
    as_json: bool = False,
    trigger: RunTrigger = RunTrigger.COMMAND,
    yes: bool = False,
) -> bool:
    """Push one sync with its progress shown; tell what came of it; return whether all went well."""
    screen = Screen()
    with bar(screen, mapping.sync, total, unit="records") as shown:

        def wait(seconds: float, why: str) -> None:
            shown.waits(seconds, why)
            asked.wait(seconds)

        pushed = command.push_now(
            works,
            mapping,
            wait=wait,
            go_on=lambda: not asked.is_set(),
            progress=lambda tally: shown.to(done_of(tally), words_of(tally)),
            trigger=trigger,
            yes=yes,
        )
        seconds = shown.seconds
    if as_json:
        json_line(_as_json(mapping, pushed, seconds))
    else:
        _tell(screen, works, mapping, pushed, seconds)
    tally = pushed.tally
    return not (tally.rest or tally.held or tally.counts["failed"])


def _mark_everybody(works: Works, mapping: SyncMapping) -> int:
    screen = Screen()
    with works.store.database.read() as connection:
        everybody = profiles.count(connection, ProfileKind(mapping.source))
    seen = 0
    with bar(screen, "comparing", everybody, unit="profiles") as shown:

        def count(step: int) -> None:
            nonlocal seen
            seen += step
            shown.to(seen)

        return mark_all(works, mapping, count)


def _unpaused(works: Works, mappings: list[SyncMapping], *, by_name: bool) -> list[SyncMapping]:
    """Leave out what somebody has paused; a paused sync that is asked for by name is an error."""
    with works.store.database.read() as connection:
        known = state.list_syncs(connection)
    running = []
    for mapping in mappings:
        kept = known.get(mapping.sync)
        if kept is None or kept.paused_at is None:
            running.append(mapping)
            continue
        why = f" ({kept.paused_why})" if kept.paused_why else ""
        resume = f"`crmsync schedule resume {mapping.sync}` lets it go on"
        told = f"{mapping.sync} is paused{why}; {resume}"
        if by_name:
            raise CrmsyncError(told)
        Screen().note(told, style="yellow")
    return running


def _tell(
    screen: Screen, works: Works, mapping: SyncMapping, pushed: Pushed, seconds: float
) -> None:
    tally = pushed.tally
    done = done_of(tally)
    if tally.held is not None:
        tell_held(screen, works, mapping, tally.held)
    if not (done or tally.rest or tally.held or tally.counts):
        screen.say(f"{mapping.sync}: nothing to send, 0 write calls")
    else:
        speed = f"{done / max(seconds, 1e-3):,.0f}/s"
        screen.say(
            f"{mapping.sync}: {words_of(tally)}, {seconds:.1f} s ({speed}), run {pushed.run}"
        )
    if tally.rest is not None:
        screen.note(f"  stopped: {tally.rest.message}", style="red")
        if tally.rest.cause == REAUTHORISE:
            screen.note(f"  {works.configuration.connections[mapping.connection].remedy}")
        elif tally.rest.cause == UNREACHABLE:
            screen.note(
                f"  is the base_url of connection '{mapping.connection}' right, and can this "
                "machine reach it?"
            )
        screen.note("  nothing is lost: what is left is sent by the worker or the next push")
    if tally.counts["failed"]:
        screen.note(
            f"  {tally.counts['failed']:,} refused: `crmsync failures` says why and what to do",
            style="red",
        )
    if pushed.verify_at is not None and tally.rest is None:
        screen.note(
            f"  some writes had no answer: they were sent again, and are read back after "
            f"{moment(pushed.verify_at)}"
        )


def _as_json(mapping: SyncMapping, pushed: Pushed, seconds: float) -> dict[str, object]:
    tally = pushed.tally
    counts = {name: tally.counts[name] for name in ("created", "updated", "unchanged", "failed")}
    return {
        "sync": mapping.sync,
        "run": pushed.run,
        **counts,
        "retried": tally.counts["retried"],
        "calls": tally.calls,
        "seconds": round(seconds, 3),
        "stopped": tally.rest.message if tally.rest else None,
        "held": tally.held.hold.message if tally.held else None,
    }
