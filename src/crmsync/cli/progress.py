"""Progress: bars at a terminal, one line every 5 seconds elsewhere, always on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from crmsync.cli.screen import Screen
from crmsync.sync.flight import Tally

LINE_SECONDS = 5.0
BAR_WIDTH = 16
DONE = ("created", "updated", "unchanged", "failed")


class Bar:
    """One thing that goes on, shown as it goes."""

    def __init__(
        self,
        screen: Screen,
        name: str,
        total: int | None,
        *,
        unit: str,
        progress: Progress | None,
    ) -> None:
        """Begin at nothing; `total` is None where nobody knows, `progress` without a terminal."""
        self._screen = screen
        self._name = name
        self._unit = unit
        self._total = total
        self._began = time.monotonic()
        self._said_at = self._began
        self._done = 0
        self._words = ""
        self._waited_for = ""
        self._progress = progress
        if progress is not None:
            self._task = progress.add_task(name, total=total, words="", speed="")

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began

    @property
    def per_second(self) -> float:
        """How many were done a second."""
        return self._done / max(self.seconds, 1e-3)

    def to(self, done: int, words: str = "") -> None:
        """Show that so many are done."""
        self._done, self._words = done, words
        if self._progress is not None:
            speed = f"{self.per_second:,.0f}/s"
            self._progress.update(self._task, completed=done, words=words, speed=speed)
        elif time.monotonic() - self._said_at >= LINE_SECONDS:
            self._say()

    def expect(self, total: int) -> None:
        """Say how many there are, once that is known."""
        self._total = total
        if self._progress is not None:
            self._progress.update(self._task, total=total)

    def waits(self, seconds: float, why: str) -> None:
        """Show that nothing can be done for a while."""
        why = why.rpartition(": ")[2]  # the words, without the request they were the answer to
        if self._progress is not None:
            self._progress.update(self._task, words=f"waits {seconds:.1f} s: {why}")
        elif why != self._waited_for:
            self._screen.note(f"{self._name}: waits {seconds:.1f} s: {why}")
            self._waited_for = why

    def _say(self) -> None:
        self._said_at = time.monotonic()
        of = f" of {self._total:,}" if self._total else ""
        words = f" ({self._words})" if self._words else ""
        self._screen.note(
            f"{self._name}: {self._done:,}{of} {self._unit}, {self.per_second:,.0f}/s{words}",
            style="",
        )


@contextmanager
def bar(screen: Screen, name: str, total: int | None, *, unit: str) -> Iterator[Bar]:
    """Show progress while the block runs."""
    with bars(screen, {name: total}, unit=unit) as shown:
        yield shown[name]


@contextmanager
def bars(
    screen: Screen, totals: Mapping[str, int | None], *, unit: str
) -> Iterator[dict[str, Bar]]:
    """Show the progress of several things at once, a line each, while the block runs."""
    progress = _drawn(screen) if screen.err.is_terminal else None
    shown = {
        name: Bar(screen, name, total, unit=unit, progress=progress)
        for name, total in totals.items()
    }
    with progress or nullcontext():
        yield shown


def done_of(tally: Tally) -> int:
    """Return how many links have come to an end."""
    return sum(tally.counts[name] for name in DONE)


def words_of(tally: Tally) -> str:
    """Return what they came to, and what it cost."""
    counts = [f"{tally.counts[name]:,} {name}" for name in DONE if tally.counts[name]]
    calls = "1 write call" if tally.calls == 1 else f"{tally.calls:,} write calls"
    return ", ".join([*counts, calls])


class _Ratio(ProgressColumn):
    """`512/1,000`, or `512` where the total is not known."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        of = f"/{int(task.total):,}" if task.total else ""
        return Text(f"{int(task.completed):,}{of}")


def _drawn(screen: Screen) -> Progress:
    return Progress(
        TextColumn("{task.description}", style="bold", table_column=_firm()),
        BarColumn(bar_width=BAR_WIDTH, table_column=_firm(BAR_WIDTH)),
        _Ratio(table_column=_firm()),
        TextColumn("{task.fields[speed]}", style="cyan", table_column=_firm()),
        TextColumn(
            "{task.fields[words]}",
            style="dim",
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        console=screen.err,
        transient=True,
        expand=True,
    )


def _firm(least: int | None = None) -> Column:
    """Return a column that keeps its width where there is little room: the words give way."""
    return Column(no_wrap=True, min_width=least)
