"""`crmsync pull`: reading back what changed in the CRMs, now, while a person watches."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from crmsync.bootstrap import tune_collector
from crmsync.cli.options import AsJson, SyncName
from crmsync.cli.progress import bar
from crmsync.cli.project import chosen_mappings, open_project
from crmsync.cli.pushing import REAUTHORISE
from crmsync.cli.screen import Screen, json_line
from crmsync.cli.stopping import stopping
from crmsync.cli.tables import Column
from crmsync.errors import ConfigError
from crmsync.mapping.compiled import SyncMapping
from crmsync.store import state
from crmsync.sync import life
from crmsync.sync.context import Works
from crmsync.sync.delivery import MISFIT, UNREACHABLE
from crmsync.sync.pull import pull
from crmsync.sync.pulled import Pulled
from crmsync.sync.subjects import reads_back

ALWAYS = ("taken", "unchanged", "deals")
"""Counts that every table shows."""
MERGED = {life.MERGED: "merged", life.TAKEN: "conflicts", life.DELETED: "deleted",
          life.CONVERTED: "converted"}  # fmt: skip
"""What the fates of records are called here."""
SELDOM = ("drifted", "frozen", "duplicates", "deleted", "merged", "converted", "conflicts", "later")
"""Counts that a table at a terminal shows where there are any."""
TOLD = {
    "drifted": "somebody changed fields that are ours: `crmsync failures` says which",
    "frozen": "two systems correct each other; both are left alone: see `crmsync failures`",
    "duplicates": "records have the key of somebody with another one: see `crmsync failures`",
    "deleted": "records are gone from the CRM: what follows is the mapping's `on_delete`",
    "conflicts": "records were merged into another profile's: see `crmsync failures`",
    "later": "written too lately to be sure: read again when our write has settled",
}

app = typer.Typer()


@app.callback()
def commands() -> None:
    """Keep the command below a group's, as every other module's are."""


@app.command(name="pull")
def pull_command(
    sync: SyncName = None,
    *,
    anew: Annotated[
        bool, typer.Option("--all", help="Read everything from the beginning, changed or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read back what changed in the CRM, whatever the schedule says.

    Stopped with Ctrl-C it finishes the page under way; the same command goes on from there.
    Exit code 1 when a connection rests or cannot be read.
    """
    works = open_project()
    mappings = [m for m in chosen_mappings(works, sync) if reads_back(m)]
    if not mappings:
        raise ConfigError(_reads_nothing(chosen_mappings(works, sync)))
    tune_collector()
    done: list[tuple[SyncMapping, Pulled]] = []
    rests: set[str] = set()
    screen = Screen()
    with stopping() as asked:
        for mapping in mappings:
            if asked.is_set() or mapping.connection in rests:
                continue
            pulled = _pull(screen, works, mapping, asked, anew=anew)
            done.append((mapping, pulled))
            if pulled.rest is not None and pulled.rest.cause != MISFIT:
                rests.add(mapping.connection)
    _tell(screen, works, done, as_json=as_json)
    if asked.is_set():
        raise KeyboardInterrupt
    if any(pulled.rest for _, pulled in done):
        raise typer.Exit(1)


def _pull(
    screen: Screen, works: Works, mapping: SyncMapping, asked: threading.Event, *, anew: bool
) -> Pulled:
    """Read one sync with its progress shown; whoever asks has cured what halted the connection."""
    works.store.database.transact(lambda c: state.resume(c, mapping.connection))
    with bar(screen, mapping.sync, None, unit="records") as shown:
        return pull(
            works,
            mapping.connection,
            only=[mapping],
            go_on=lambda: not asked.is_set(),
            anew=anew,
            progress=lambda pulled: shown.to(pulled.records, _words(pulled)),
        )


def _counts(pulled: Pulled) -> dict[str, int]:
    """Return what became of what was read, by the words that people know."""
    counts = dict.fromkeys((*ALWAYS, *SELDOM), 0)
    for name, count in pulled.counts.items():
        word = MERGED.get(name, name)
        counts[word] = counts.get(word, 0) + count
    return counts


def _words(pulled: Pulled) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in _counts(pulled).items() if count)


def _tell(
    screen: Screen, works: Works, done: list[tuple[SyncMapping, Pulled]], *, as_json: bool
) -> None:
    if as_json:
        for mapping, pulled in done:
            json_line(_as_json(mapping, pulled))
        return
    counts = [(mapping, pulled, _counts(pulled)) for mapping, pulled in done]
    there = {name for name in SELDOM if any(each[name] for *_, each in counts)}
    shown = [name for name in SELDOM if name in there or not screen.is_terminal]
    columns = (
        Column("sync", least=12),
        Column("read", number=True),
        *(Column(name, number=True) for name in ("taken", "unchanged", "deals", *shown)),
    )
    screen.table(
        columns,
        [
            (mapping.sync, pulled.records, *(each[name] for name in (*ALWAYS, *shown)))
            for mapping, pulled, each in counts
        ],
    )
    for name in sorted(there & TOLD.keys(), key=SELDOM.index):
        screen.note(f"{name}: {TOLD[name]}")
    for mapping, pulled in done:
        tell_trouble(screen, works, mapping, pulled)


def tell_trouble(screen: Screen, works: Works, mapping: SyncMapping, pulled: Pulled) -> None:
    """Say why a sync was not read to the end, and what to do."""
    if pulled.busy:
        screen.note(
            f"{mapping.sync}: another worker reads {mapping.connection} already; what it reads is "
            "not read twice",
            style="yellow",
        )
    if pulled.rest is None:
        return
    todo = "what was read is kept, and the next pull goes on from there"
    if pulled.rest.cause == REAUTHORISE:
        todo = works.configuration.connections[mapping.connection].remedy or todo
    elif pulled.rest.cause == UNREACHABLE:
        todo = "is its base_url right, and can this machine reach it?"
    screen.note(f"{mapping.sync} stopped: {pulled.rest.message}; {todo}", style="red")


def _reads_nothing(mappings: list[SyncMapping]) -> str:
    """Say what to write in a mapping that takes nothing from its CRM."""
    names = ", ".join(mapping.sync for mapping in mappings) or "no mapping"
    example = mappings[0] if mappings else None
    where = f"{example.place.file}" if example else "a mapping"
    fields = f"`crmsync fields {example.connection} {example.object_type}`" if example else ""
    listed = f"; {fields} lists what there is" if fields else ""
    reads = "reads" if len(mappings) < 2 else "read"  # noqa: PLR2004 - one or several
    return (
        f"{names} {reads} nothing back: write `pull: {{our_trait: crm_field}}` in {where}, or give "
        f"a line of its `fields` a `conflict: newest`{listed}"
    )


def _as_json(mapping: SyncMapping, pulled: Pulled) -> dict[str, object]:
    return {
        "sync": mapping.sync,
        "connection": mapping.connection,
        "read": pulled.records,
        **_counts(pulled),
        "busy": pulled.busy,
        "stopped": pulled.rest.message if pulled.rest else None,
    }
