"""`crmsync ingest`: events or people from a file, through the same door as HTTP."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.text import Text

from crmsync.bootstrap import tune_collector
from crmsync.cli.feeds import Numbered, csv_people, json_events
from crmsync.cli.options import AsJson
from crmsync.cli.progress import Bar, bar
from crmsync.cli.project import open_project
from crmsync.cli.screen import Screen, json_line, safe
from crmsync.errors import ConfigError, EventRejected
from crmsync.identity.calls import UNNAMED
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note, NoteCode
from crmsync.model import Event
from crmsync.sync.context import Works
from crmsync.sync.ingest import ingest as take
from crmsync.sync.marking import bring_up_to_date

BATCH = 100
"""Events in one commit, as clients send them."""
SOURCE = "file"
"""What all events from files are said to come from: the same file under two names is one."""
SHOWN_NOTES = 5
LOSSES = frozenset({NoteCode.VALUE_DROPPED, NoteCode.NUL_REMOVED})
"""Notes that something of a line was not kept: told with the line, the first of them."""
MOST_LOSSES = 20

app = typer.Typer()


@dataclass(slots=True)
class Report:
    """What a file came to."""

    taken: int = 0
    repeated: int = 0
    differing: int = 0
    unnamed: int = 0
    """Taken without messageId and timestamp: nobody can tell if they come again."""
    refused: int = 0
    marked: int = 0
    """Links that got something to send."""
    losses_told: int = 0
    """How many dropped values were named with their line."""
    notes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Return how many lines were looked at."""
        return self.taken + self.repeated + self.refused

    def note(self, notes: Iterable[Note]) -> None:
        """Count notes, and keep the first of each kind."""
        for one in notes:
            self.notes[one.code] += 1
            self.examples.setdefault(one.code, one.detail)


@app.command()
def ingest(
    file: Annotated[str, typer.Argument(help="JSON lines, or CSV of people; - for stdin.")],
    *,
    is_csv: Annotated[
        bool, typer.Option("--csv", help="CSV; a file that ends in .csv is taken for it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take events from a file: one JSON call a line (identify, track, page, group, ...).

    A CSV has one person a row under a heading: user_id, email, and any traits. A bad line is
    reported with its number and the rest is taken; then the exit code is 1. What has a messageId
    (or a timestamp) is never taken twice; what has neither is taken again from the same file.
    """
    works = open_project()
    tune_collector()
    bring_up_to_date(works)
    screen = Screen()
    report = Report()
    notes: list[Note] = []
    with _opened(file) as stream, bar(screen, "ingest", None, unit="events") as shown:
        arrival = Arrival(SOURCE, datetime.now(UTC), works.rules, live=False)
        if is_csv or file.lower().endswith(".csv"):
            text = io.TextIOWrapper(
                stream, encoding="utf-8-sig", errors="surrogateescape", newline=""
            )
            feed = csv_people(text, arrival, notes)
        else:
            feed = json_events(stream, arrival, notes)
        name = "stdin" if file == "-" else file
        take_all(works, refusals_told(feed, screen, name, notes, report), notes, report, shown)
    if as_json:
        json_line(_as_json(report))
    else:
        _tell(screen, report)
    if report.refused:
        raise typer.Exit(1)


def take_all(
    works: Works, events: Iterable[Event], notes: list[Note], report: Report, shown: Bar
) -> None:
    """Take events a hundred at a time; the memory used does not depend on their number."""
    waiting: list[Event] = []

    def commit() -> None:
        done = take(works, waiting)
        report.taken += done.taken
        report.repeated += done.repeated
        report.differing += len(done.differing)
        report.marked += done.marked
        report.note([*notes, *done.notes])
        waiting.clear()
        notes.clear()
        shown.to(report.read, f"{report.refused:,} refused" if report.refused else "")

    for event in events:
        waiting.append(event)
        report.unnamed += event.message_id.startswith(UNNAMED)
        if len(waiting) == BATCH:
            commit()
    commit()


def refusals_told(
    feed: Iterable[Numbered], screen: Screen, name: str, notes: list[Note], report: Report
) -> Iterator[Event]:
    """Pass events on; say of each line that is none, or that lost a value, where and why."""
    lines = iter(feed)
    while True:
        known = len(notes)
        try:
            number, read = next(lines)
        except StopIteration:
            return
        for note in notes[known:]:
            if note.code in LOSSES and report.losses_told < MOST_LOSSES:
                report.losses_told += 1
                screen.note(f"{name}:{number}: {safe(note.detail)}", style="yellow")
        if isinstance(read, EventRejected):
            report.refused += 1
            screen.err.print(
                Text.assemble((f"{name}:{number}: ", "bold red"), safe(read.user_message)),
                soft_wrap=True,
            )
        else:
            yield read


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening is reported so
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    with stream:
        yield stream


def _tell(screen: Screen, report: Report) -> None:
    counts = [_counted(report.taken, "event") + " taken"]
    if report.repeated:
        counts.append(f"{report.repeated:,} seen before")
    if report.refused:
        counts.append(f"{report.refused:,} refused")
    counts.append(f"{_counted(report.marked, 'change')} for the CRM")
    screen.say(", ".join(counts), style="red" if report.refused else "green")
    if report.unnamed:
        screen.note(
            f"  {_counted(report.unnamed, 'event')} without messageId and timestamp would be taken "
            "again from the same file", style="yellow",
        )  # fmt: skip
    if report.differing:
        screen.note(
            f"  {report.differing:,} came again with another content under the same messageId: "
            "the first stays", style="yellow",
        )  # fmt: skip
    for code, count in report.notes.most_common(SHOWN_NOTES):
        times = "once" if count == 1 else f"{count:,} times"
        screen.note(f"  {times} {code}: {safe(report.examples[code])}", style="yellow")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _as_json(report: Report) -> dict[str, object]:
    return {
        "taken": report.taken,
        "repeated": report.repeated,
        "differing": report.differing,
        "refused": report.refused,
        "marked": report.marked,
        "notes": dict(report.notes),
    }
