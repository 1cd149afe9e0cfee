"""`crmsync schedule`: what runs next, and pausing."""

from __future__ import annotations

from typing import Annotated

import typer

from crmsync.cli.holding import tell_ways_on
from crmsync.cli.options import AsJson
from crmsync.cli.project import chosen_mappings, open_project, open_to_look
from crmsync.cli.screen import Screen, json_line, moment
from crmsync.store.runs import Run
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.schedule import Outlook, outlook, set_paused

OVERDUE_SECONDS = 60.0
"""Work that has waited longer than this since it was due is worth a word: is a worker running?"""

app = typer.Typer()
schedule = typer.Typer(invoke_without_command=True)
app.add_typer(schedule, name="schedule")
Sync = Annotated[str, typer.Argument(help="A mapping's name.")]


@schedule.callback()
def show(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show each sync's next five runs (UTC) and its last result; pause and resume them."""
    if context.invoked_subcommand is not None:
        return
    syncs = outlook(open_to_look())
    if as_json:
        for one in syncs:
            json_line(_as_json(one))
        return
    screen = Screen()
    if not syncs:
        screen.say("no mapping yet: nothing is scheduled")
    for one in syncs:
        _tell(screen, one)


@schedule.command()
def pause(sync: Sync) -> None:
    """Pause a sync: what becomes due meanwhile waits."""
    _set(sync, paused=True)
    Screen().say(
        f"{sync} is paused: nothing is sent, what salespeople change is still read back; "
        f"`crmsync schedule resume {sync}` lets it go on"
    )


@schedule.command()
def resume(sync: Sync) -> None:
    """Let a paused sync go on."""
    _set(sync, paused=False)
    Screen().say(f"{sync} goes on")


def _set(sync: str, *, paused: bool) -> None:
    works = open_project()
    chosen_mappings(works, sync)
    bring_up_to_date(works)  # a sync nobody has started yet has no place to keep this
    set_paused(works, sync, paused=paused)


def _tell(screen: Screen, one: Outlook) -> None:
    screen.say(one.sync, style="bold")
    if one.paused_at is not None:
        why = f": {one.paused_why}" if one.paused_why else ""
        screen.say(f"  paused since {moment(one.paused_at)}{why}", style="yellow")
    if one.held is not None:
        screen.item("held", one.held.message, style="red")
        tell_ways_on(screen, one.sync)
    if one.rests_until is not None:
        text = f"until {moment(one.rests_until)}: {one.rest_message}"
        screen.item("rests", text, style="yellow")
    screen.item("triggers", "; ".join(one.triggers))
    following = ", ".join(moment(at) for at in one.next_runs) or "when something changes"
    screen.item("next", following)
    screen.item("reads", _reading(one))
    screen.item("last", _result(one.last_run))
    if one.overdue_seconds > OVERDUE_SECONDS and not (one.paused_at or one.held):
        screen.item(
            "overdue",
            f"work is due since {one.overdue_seconds:,.0f} s: is a worker running?",
            style="yellow",
        )


def _reading(one: Outlook) -> str:
    """Return when what salespeople changed is read back next."""
    if one.next_pull is None:
        return "nothing back"
    late = " (due: is a worker running?)" if one.pull_overdue_seconds > OVERDUE_SECONDS else ""
    return f"back {moment(one.next_pull)}{late}, every {one.pull_seconds:g} s"


def _result(run: Run | None) -> str:
    if run is None:
        return "never run"
    return (
        f"run {run.id} ({run.trigger}), {moment(run.last_at)}: {run.created:,} created, "
        f"{run.updated:,} updated, {run.unchanged:,} unchanged, {run.failed:,} failed"
    )


def _as_json(one: Outlook) -> dict[str, object]:
    last = one.last_run
    return {
        "sync": one.sync,
        "triggers": list(one.triggers),
        "next_runs": list(one.next_runs),
        "paused_at": one.paused_at,
        "paused_why": one.paused_why,
        "held": one.held.message if one.held else None,
        "overdue_seconds": round(one.overdue_seconds, 1),
        "next_pull": one.next_pull,
        "rests_until": one.rests_until,
        "rest_message": one.rest_message,
        "last_run": {"id": last.id, "trigger": last.trigger, "at": last.last_at,
                     "created": last.created, "updated": last.updated,
                     "unchanged": last.unchanged, "failed": last.failed} if last else None,
    }  # fmt: skip
