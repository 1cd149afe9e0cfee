"""`crmsync reconcile`: comparing everything with what the CRM holds, while a person watches."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

import typer

from crmsync.bootstrap import tune_collector
from crmsync.cli.options import AsJson, SyncName
from crmsync.cli.progress import bar
from crmsync.cli.project import chosen_mappings, open_project
from crmsync.cli.pulling import tell_trouble
from crmsync.cli.screen import Screen, json_line
from crmsync.cli.stopping import stopping
from crmsync.cli.tables import Column
from crmsync.errors import ConfigError
from crmsync.mapping.compiled import Drift, OnDelete, OnDuplicate, SyncMapping
from crmsync.store import duplicates, state
from crmsync.sync import life
from crmsync.sync.context import Works
from crmsync.sync.delivery import MISFIT
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.merging import merge_records, to_merge
from crmsync.sync.pull import pull
from crmsync.sync.pulled import Pulled

DIFFERENT = 2
"""The exit code where something is not as it was believed to be, with `--exit-code`."""

app = typer.Typer()


@app.callback()
def commands() -> None:
    """Keep the command below a group's, as every other module's are."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison of one sync came to."""

    mapping: SyncMapping
    pulled: Pulled
    merged: int
    """Duplicates that were merged in the CRM now."""
    doubled: int
    """Duplicates that are left."""

    @property
    def counts(self) -> dict[str, int]:
        """Return the figures that are shown, in their order."""
        counts, sweep = self.pulled.counts, self.pulled.sweep
        return {
            "compared": sweep["compared"],
            "as_believed": counts["unchanged"],
            "drifted": sweep["drifted"],
            "taken": counts["taken"],
            "gone": counts[life.DELETED],
            "moved": counts[life.MERGED] + counts[life.CONVERTED],
            "conflicts": counts[life.TAKEN],
            "duplicates": self.doubled,
            "merged": self.merged,
            "later": counts["later"],
            "unlinked": sweep["unlinked"],
        }

    @property
    def differs(self) -> bool:
        """Whether anything is not as it was believed to be."""
        fine = {"compared", "as_believed", "later", "unlinked"}
        return any(count for name, count in self.counts.items() if name not in fine)


@app.command(name="reconcile")
def reconcile(
    sync: SyncName = None,
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 2 where something differs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare every record with what it is known to hold; find what is gone or there twice.

    Workers do so by themselves every `reread_seconds`. Nothing is written to the CRM but merges
    that a mapping asks for; what is to be sent again is sent by the next push.
    Exit code 1 when a connection rests or cannot be read.
    """
    works = open_project()
    chosen = chosen_mappings(works, sync)
    mappings = [mapping for mapping in chosen if mapping.reconcile]
    if not mappings:
        names = ", ".join(mapping.sync for mapping in chosen) or "no mapping"
        raise ConfigError(f"{names}: the mapping says `reconcile: false`; remove that line first")
    bring_up_to_date(works)
    tune_collector()
    screen, done = Screen(), list[Compared]()
    rests: set[str] = set()
    with stopping() as asked:
        for mapping in mappings:
            if asked.is_set() or mapping.connection in rests:
                continue
            done.append(_compare(screen, works, mapping, asked))
            rest = done[-1].pulled.rest
            if rest is not None and rest.cause != MISFIT:
                rests.add(mapping.connection)
    _tell(screen, works, done, as_json=as_json)
    if asked.is_set():
        raise KeyboardInterrupt
    if any(one.pulled.rest or one.pulled.busy for one in done):
        raise typer.Exit(1)
    if exit_code and any(one.differs for one in done):
        raise typer.Exit(DIFFERENT)


def _compare(
    screen: Screen, works: Works, mapping: SyncMapping, asked: threading.Event
) -> Compared:
    """Compare one sync, progress shown; whoever asks has cured what halted the connection."""
    database, place = works.store.database, (mapping.connection, mapping.object_type)
    database.transact(lambda c: state.resume(c, mapping.connection))
    with bar(screen, mapping.sync, None, unit="records") as shown:
        pulled = pull(
            works,
            mapping.connection,
            only=[mapping],
            go_on=lambda: not asked.is_set(),
            anew=True,
            progress=lambda so_far: shown.to(so_far.records, _words(so_far)),
        )
        merged = 0
        while not asked.is_set() and not pulled.rest and mapping in to_merge(works, place[0]):
            merged += merge_records(works.open_sync(mapping))
    with database.read() as connection:
        doubled = duplicates.count(connection, *place)
    return Compared(mapping, pulled, merged, doubled)


def _words(pulled: Pulled) -> str:
    compared, drifted = pulled.sweep["compared"], pulled.sweep["drifted"]
    return f"{compared:,} compared" + (f", {drifted:,} drifted" if drifted else "")


COLUMNS = (
    Column("sync", least=12),
    Column("compared", number=True),
    Column("as believed", "same", number=True),
    Column("drifted", number=True),
    Column("taken", number=True),
    Column("gone", number=True),
    Column("moved", number=True, rank=2),
    Column("conflicts", number=True, rank=2),
    Column("duplicates", "double", number=True),
    Column("merged", number=True, rank=3),
    Column("later", number=True, rank=4),
    Column("unlinked", number=True, rank=1),
)


def _tell(screen: Screen, works: Works, done: list[Compared], *, as_json: bool) -> None:
    if as_json:
        for one in done:
            json_line(_as_json(one))
        return
    screen.table(COLUMNS, [(one.mapping.sync, *one.counts.values()) for one in done])
    for one in done:
        for line in _what_follows(one):
            screen.note(f"{one.mapping.sync}: {line}")
        tell_trouble(screen, works, one.mapping, one.pulled)


def _what_follows(one: Compared) -> list[str]:
    """Say what is repaired, and what waits for a person."""
    mapping, counts = one.mapping, one.counts
    told = []
    for name, count in one.pulled.drift.most_common():
        follows = "our values are sent again" if mapping.drift is Drift.REASSERT else (
            "left as they are: `drift: reassert` sends ours again; `crmsync failures` shows one"
        )  # fmt: skip
        told.append(f"{name} differs in {count:,} records; {follows}")
    if counts["gone"]:
        is_anew = mapping.on_delete is OnDelete.RECREATE
        follows = (
            "made anew" if is_anew else "not sent any more (`on_delete: recreate` makes them anew)"
        )
        told.append(
            f"{counts['gone']:,} records are gone; looked for by the next push, else {follows}"
        )
    if counts["conflicts"]:
        told.append("records were merged into another profile's: see `crmsync failures`")
    if counts["duplicates"]:
        follows = "the CRM did not merge them" if mapping.on_duplicate is OnDuplicate.MERGE else (
            "merge them in the CRM, or say `on_duplicate: merge`"
        )  # fmt: skip
        told.append(
            f"{counts['duplicates']:,} records have the key of somebody with another record; "
            f"{follows}: see `crmsync failures`"
        )
    if counts["later"]:
        told.append("some were written too lately to be sure: read again when that has settled")
    return told


def _as_json(one: Compared) -> dict[str, object]:
    return {
        "sync": one.mapping.sync,
        "connection": one.mapping.connection,
        "read": one.pulled.records,
        **one.counts,
        "drifted_fields": dict(one.pulled.drift),
        "complete": one.pulled.is_swept,
        "busy": one.pulled.busy,
        "stopped": one.pulled.rest.message if one.pulled.rest else None,
    }
