"""A file or a stream, line by line or row by row -> events, in bounded memory.

Each item is (number from 1, event or EventRejected); one that cannot be read never hides the next.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from crmsync.cli.screen import safe, shortened
from crmsync.errors import ConfigError, EventRejected
from crmsync.identity.feeds import read_lines
from crmsync.identity.reading import Arrival
from crmsync.identity.rows import read_person_row
from crmsync.identity.rules import Note
from crmsync.model import Event

MAX_LINE_BYTES = 8 * 1024 * 1024
"""Longer is no call: what lies beyond is skipped unread."""
NAMES_PEOPLE = {
    "user_id", "userId", "person_id", "id", "email", "anonymous_id", "anonymousId",
}  # fmt: skip
"""A CSV without any of these columns is not about people."""

HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""What stands for a byte that is no UTF-8."""

Numbered = tuple[int, Event | EventRejected]


def json_events(stream: BinaryIO, arrival: Arrival, notes: list[Note]) -> Iterator[Numbered]:
    """Read JSON lines."""
    for number, line in _lines(stream):
        if line is None:
            yield number, EventRejected("the line is longer than 8 MiB; send the call in parts")
        else:
            for _, read in read_lines([line], arrival, notes):
                yield number, read


def csv_people(stream: TextIO, arrival: Arrival, notes: list[Note]) -> Iterator[Numbered]:
    """Read a CSV of people under a heading; the number is that of the row's last line."""
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader(stream, strict=True)
    try:
        heading = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise ConfigError(f"the first line is not CSV: {error}") from None
    _check_heading(heading)
    while True:
        first = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield first, EventRejected(_not_csv(error, first, rows.line_num))
            continue
        if any(cell.strip() for cell in row):
            yield rows.line_num, _person(heading, row, arrival, notes)


def _not_csv(error: csv.Error, first: int, last: int) -> str:
    if "end of data" in str(error):
        lost = f"; lines {first} to {last} were not taken" if last > first else ""
        return f'not CSV: a quote (") is opened and never closed{lost}'
    return f"not CSV: {error}"


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number; None for one that is too long."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        too_long = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
        while too_long and (rest := stream.readline(MAX_LINE_BYTES)):
            if rest.endswith(b"\n"):
                break
        yield number, None if too_long else line


def _person(
    heading: list[str], row: list[str], arrival: Arrival, notes: list[Note]
) -> Event | EventRejected:
    if len(row) > len(heading):
        return EventRejected(
            f"{len(row)} cells under {len(heading)} names; is there a comma that needs quotes?"
        )
    if any(HALF_CHARACTER.search(cell) for cell in row):
        return EventRejected("the text is not UTF-8; convert it first")
    if not any(
        cell.strip() for name, cell in zip(heading, row, strict=False) if name in NAMES_PEOPLE
    ):
        columns = " and ".join(name for name in heading if name in NAMES_PEOPLE)
        return EventRejected(f"{columns} say nothing: nobody knows who this is")
    try:
        return read_person_row(dict(zip(heading, row, strict=False)), arrival, notes)
    except EventRejected as refusal:
        return refusal


def _check_heading(heading: list[str]) -> None:
    if NAMES_PEOPLE.isdisjoint(heading):
        named = safe(", ".join(filter(None, heading))) or "nothing"
        other = next((mark for mark in ";\t|" if mark in "".join(heading)), None)
        known = f"; its cells seem to be parted by {other!r}, not by commas" if other else ""
        raise ConfigError(
            "the first line of the CSV must name its columns, among them user_id, email or "
            f"anonymous_id; every other column is a trait. It names: {shortened(named)}{known}"
        )
    twice = sorted({name for name in heading if heading.count(name) > 1})
    if twice:
        raise ConfigError(f"the CSV names a column twice: {', '.join(twice)}")
