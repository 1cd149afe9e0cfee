"""`crmsync adopt`: finding the records that people have in a CRM already, before any is written."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from crmsync.cli.options import AsJson
from crmsync.cli.progress import bar
from crmsync.cli.project import chosen_mappings, open_project
from crmsync.cli.screen import Screen, json_line
from crmsync.cli.stopping import stopping
from crmsync.mapping.compiled import Mode, SyncMapping
from crmsync.model import ProfileKind
from crmsync.store import profiles, state
from crmsync.store.adopted_links import Standing
from crmsync.sync.adopt import MISSING, OUTSIDE, REFUSED, SHARED, Adoption, adopt
from crmsync.sync.context import Works

TOLD = {
    Standing.LINKED: "linked already",
    Standing.BUSY: "left to the worker, which is at it",
    Standing.KEPT_OUT: "not written: converted, deleted in the CRM, or in conflict",
    SHARED: "share a record",
    REFUSED: "cannot be looked for: the CRM refuses the key",
    OUTSIDE: "not this sync's",
}
"""What is said of those whose record is not adopted, but for the ones who have none."""

app = typer.Typer()


@app.callback()
def commands() -> None:
    """Keep the command below a group's, as every other module's are."""


@app.command(name="adopt")
def adopt_command(
    sync: Annotated[str, typer.Argument(help="A mapping's name.")],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Link what is found, without a question.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Link people to the records that they have in the CRM already, before anything is written.

    Records are found by the mapping's match keys. Nothing is written to the CRM, and our links only
    with --yes or after a question. Stopped, the same command goes on from there.
    """
    works = open_project()
    (mapping,) = chosen_mappings(works, sync)
    screen = Screen()
    with stopping() as asked:
        adoption = _adopt(screen, works, mapping, asked, write=yes)
        _tell(screen, mapping, adoption, as_json=as_json)
        found = adoption.found.total()
        fine = adoption.rest is None and not asked.is_set()
        if fine and found and not yes and not as_json and screen.is_terminal:
            people = "1 person" if found == 1 else f"{found:,} people"
            if typer.confirm(f"Link {people} to these records?", err=True):
                adoption = _adopt(screen, works, mapping, asked, write=True)
                _tell_links(screen, mapping, adoption)
        elif fine and found and not yes:
            screen.note(f"nothing was kept: `crmsync adopt {sync} --yes` links them")
    if asked.is_set():
        raise KeyboardInterrupt
    if adoption.rest is not None:
        raise typer.Exit(1)


def _adopt(
    screen: Screen, works: Works, mapping: SyncMapping, asked: threading.Event, *, write: bool
) -> Adoption:
    """Look for everybody with the progress shown; whoever asks has cured what halted it."""
    database = works.store.database
    database.transact(lambda c: state.resume(c, mapping.connection))
    with database.read() as connection:
        everybody = profiles.count(connection, ProfileKind(mapping.source))
    with bar(screen, mapping.sync, everybody, unit="profiles") as shown:
        return adopt(
            works,
            mapping,
            write=write,
            go_on=lambda: not asked.is_set(),
            progress=lambda a: shown.to(a.seen, f"{a.found.total():,} found"),
        )


def _tell(screen: Screen, mapping: SyncMapping, adoption: Adoption, *, as_json: bool) -> None:
    if as_json:
        json_line(_as_json(mapping, adoption))
    else:
        _tell_people(screen, mapping, adoption)
        if adoption.adopted:
            _tell_links(screen, mapping, adoption)
    if adoption.rest is not None:
        screen.note(
            f"{mapping.sync} stopped: {adoption.rest.message}; the same command goes on from there",
            style="red",
        )


def _tell_people(screen: Screen, mapping: SyncMapping, adoption: Adoption) -> None:
    missing = "no record: the next push makes it"
    if mapping.mode is Mode.UPDATE:
        missing = "no record: `mode: update` makes none"
    lines = [
        *((f"found by {name}", adoption.found[name]) for name, _ in mapping.match),
        (missing, adoption.counts[MISSING]),
        *((told, adoption.counts[what]) for what, told in TOLD.items() if adoption.counts[what]),
    ]
    screen.table((f"{mapping.sync}: {mapping.connection} {mapping.object_type}", "people"),
                 lines, numbers="people")  # fmt: skip
    for what, named in adoption.examples.items():
        for person in named:
            screen.say(f"  {TOLD[what]}: `crmsync profiles {person}`", style="yellow")


def _tell_links(screen: Screen, mapping: SyncMapping, adoption: Adoption) -> None:
    screen.say(
        f"{mapping.sync}: {adoption.adopted:,} linked; nothing was written to the CRM. "
        f"`crmsync push {mapping.sync}` sends what differs"
    )


def _as_json(mapping: SyncMapping, adoption: Adoption) -> dict[str, object]:
    counts = adoption.counts
    return {
        "sync": mapping.sync,
        "profiles": adoption.seen,
        "found": {name: adoption.found[name] for name, _ in mapping.match},
        "missing": counts[MISSING],
        "shared": counts[SHARED],
        "refused": counts[REFUSED],
        "outside": counts[OUTSIDE],
        "linked": counts[Standing.LINKED],
        "busy": counts[Standing.BUSY],
        "kept_out": counts[Standing.KEPT_OUT],
        "adopted": adoption.adopted,
        "examples": {what: named for what, named in adoption.examples.items() if named},
        "stopped": adoption.rest.message if adoption.rest else None,
    }
