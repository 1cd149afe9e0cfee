"""`crmsync undo`: putting back what a run wrote, except what others changed since."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Annotated

import typer

from crmsync.cli.finding import find_run
from crmsync.cli.options import AsJson
from crmsync.cli.progress import bar
from crmsync.cli.project import open_project
from crmsync.cli.screen import Screen, json_line, moment
from crmsync.cli.stopping import stopping
from crmsync.cli.tables import Column
from crmsync.errors import CrmsyncError
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import RunId
from crmsync.store import runs
from crmsync.store.runs import Run
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.restoring import WHOLE, Report, Skip
from crmsync.sync.undo import mapping_of, pause, undo
from crmsync.sync.undo_rounds import UndoTally

WORDS = ("restored", "deleted", "already", "skipped")
TOLD = {"already": "as before already"}
REASONS = (
    Column("left alone because", least=20),
    Column("field", least=8),
    Column("records", number=True),
    Column("do this", beneath=True),
    Column("example", rank=1),
)

app = typer.Typer()


class _Heard:
    """What is told of the records, gathered for the end or printed as it comes."""

    def __init__(self, *, as_json: bool) -> None:
        self.reasons: Counter[tuple[Skip, str]] = Counter()
        self.examples: dict[tuple[Skip, str], str] = {}
        self._as_json = as_json

    def hear(self, report: Report) -> None:
        for name, skip in report.skipped.items():
            self.reasons[skip, name] += 1
            self.examples.setdefault((skip, name), report.profile_id)
        if self._as_json:
            json_line(_as_json(report))


@app.callback()
def commands() -> None:
    """Keep the command below a group's, as every other module's are."""


@app.command(name="undo")
def undo_command(
    run: Annotated[int, typer.Argument(metavar="RUN", help="A run; `crmsync runs` lists them.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without a question.")] = False,
    delete_created: Annotated[
        bool, typer.Option("--delete-created", help="Delete in the CRM what the run created.")
    ] = False,
    no_pause: Annotated[
        bool, typer.Option("--no-pause", help="Let the workers go on with this sync.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put back what a run wrote, except what others changed since, and say what was left alone.

    The sync is paused, so that the same is not sent again. Stopped, the same command goes on from
    there. Exit code 1 when something was left alone.
    """
    works = open_project()
    screen = Screen()
    found = _find(works, run)
    mapping = mapping_of(works, found)
    _ask(screen, found, yes=yes, ask=screen.is_terminal and not as_json)
    bring_up_to_date(works)  # a sync nobody has started yet has no place to keep its pause
    if not no_pause and pause(works, mapping, found.id):
        screen.note(f"{mapping.sync} is paused, so that no worker sends the same again")
    heard = _Heard(as_json=as_json)
    with stopping() as asked:
        tally = _undo(works, mapping, found, asked, heard, delete_created=delete_created)
    if not as_json:
        _tell(screen, mapping, tally, heard, was_paused=not no_pause)
    if tally.rest is not None:
        screen.note(
            f"stopped: {tally.rest.message}; the same command goes on from there", style="red"
        )
    if asked.is_set():
        raise KeyboardInterrupt
    if tally.rest is not None or tally.counts["skipped"]:
        raise typer.Exit(1)


def _find(works: Works, number: int) -> Run:
    find_run(works.store, number)  # or say that there is none
    with works.store.database.read() as connection:
        return runs.get_run(connection, RunId(number))


def _ask(screen: Screen, run: Run, *, yes: bool, ask: bool) -> None:
    """Say what the run did, and ask whether to put it back."""
    screen.note(
        f"run {run.id}: {run.sync} to {run.connection} {run.object_type} ({run.trigger}), "
        f"{moment(run.started_at)}: {run.updated:,} updated, {run.created:,} created"
    )
    if yes:
        return
    if not ask:
        raise CrmsyncError(f"nobody is here to be asked: `crmsync undo {run.id} --yes` does it")
    typer.confirm("Put back what it wrote?", abort=True, err=True)


def _undo(  # noqa: PLR0913 - what is undone, and how it is told
    works: Works,
    mapping: SyncMapping,
    run: Run,
    asked: threading.Event,
    heard: _Heard,
    *,
    delete_created: bool,
) -> UndoTally:
    counts: Counter[str] = Counter()
    total = run.updated + run.created
    with bar(Screen(), f"undo of run {run.id}", total, unit="records") as shown:

        def tell(report: Report) -> None:
            counts[report.outcome] += 1
            heard.hear(report)
            shown.to(counts.total(), _words(counts))

        def wait(seconds: float, why: str) -> None:
            shown.waits(seconds, why)
            asked.wait(seconds)

        return undo(
            works,
            mapping,
            run.id,
            wait=wait,
            tell=tell,
            go_on=lambda: not asked.is_set(),
            delete_created=delete_created,
        )


def _tell(
    screen: Screen, mapping: SyncMapping, tally: UndoTally, heard: _Heard, *, was_paused: bool
) -> None:
    calls = "1 write call" if tally.calls == 1 else f"{tally.calls:,} write calls"
    done = _words(tally.counts) or "nothing to put back"
    screen.say(f"{mapping.sync}: {done}, {calls}, run {tally.run}")
    if heard.reasons:
        rows = [
            (skip.message, name if name != WHOLE else "", count, skip.hint,
             heard.examples[skip, name])
            for (skip, name), count in heard.reasons.most_common()
        ]  # fmt: skip
        screen.table(REASONS, rows)
    if was_paused:
        screen.note(
            f"{mapping.sync} is paused: correct the mapping or the data, then "
            f"`crmsync schedule resume {mapping.sync}`"
        )


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[word]:,} {TOLD.get(word, word)}" for word in WORDS if counts[word])


def _as_json(report: Report) -> dict[str, object]:
    return {
        "profile_id": report.profile_id,
        "crm_id": report.crm_id,
        "outcome": report.outcome,
        "fields": report.restored,
        "skipped": {
            name or "*": {"code": skip.code, "message": skip.message, "hint": skip.hint}
            for name, skip in report.skipped.items()
        },
    }
