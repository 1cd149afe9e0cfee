"""A part of the crash-point matrix in each run of the tests; `run.py chaos matrix` plays it all.

The part moves on day by day; `CRMSYNC_MATRIX_TURN` plays the one of another day again, or names
cells.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos.cells import Cell, all_cells, halted, play
from tests.chaos.points import POINTS
from tests.crms import CRMS, PIPEDRIVE, SALESFORCE
from tests.integration import workers

TURN = os.environ.get("CRMSYNC_MATRIX_TURN") or str(datetime.now(UTC).toordinal())
CELLS_A_TURN = 6


def cells_of(turn: str) -> list[Cell]:
    """Return the cells of a turn: a day's number, or names with commas between them."""
    cells = all_cells()
    if not turn.isdecimal():
        return [cell for cell in cells if cell.name in turn.split(",")]
    random.Random(0).shuffle(cells)  # noqa: S311 - not a secret
    begin = int(turn) * CELLS_A_TURN
    return [cells[place % len(cells)] for place in range(begin, begin + CELLS_A_TURN)]


@pytest.fixture
def url_of(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh database of the cell's kind."""
    cell = request.getfixturevalue("cell")
    if cell.database == "sqlite":
        yield f"sqlite:///{tmp_path / 'crmsync.db'}"
    else:
        yield request.getfixturevalue("pg_database")


@pytest.mark.parametrize("cell", cells_of(TURN), ids=lambda cell: cell.name)
def test_cells_of_this_turn(cell, url_of, tmp_path):
    """Whatever is done to a worker at a point, every CRM converges, and nothing is made twice."""
    print(f"CRMSYNC_MATRIX_TURN={TURN}")  # noqa: T201 - shown where it fails
    assert play(cell, tmp_path / "project", url_of) == []


def test_the_turns_reach_every_cell():
    """Each cell has its day, and a day plays as many as it may."""
    days = range(-(-len(all_cells()) // CELLS_A_TURN))
    played = {cell.name for day in days for cell in cells_of(str(day))}
    assert played == {cell.name for cell in all_cells()}
    assert {len(cells_of(str(day))) for day in days} == {CELLS_A_TURN}


def cell_at(name: str, signal: str, database: str = "sqlite") -> Cell:
    """Return a cell that stops as many CRMs as there can be stopped at once."""
    return next(
        cell
        for cell in all_cells()
        if (cell.point.name, cell.signal, cell.database) == (name, signal, database)
    )


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_every_point_is_reached(point, tmp_path):
    """A worker comes by each point of the table, with every connection that can."""
    cell = cell_at(point.name, "SIGKILL")
    with halted(cell, tmp_path / "project", f"sqlite:///{tmp_path / 'crmsync.db'}") as stage:
        stage.first.kill()


def test_a_point_that_is_never_reached_fails(tmp_path, monkeypatch):
    """A cell whose moment never comes must not pass."""
    monkeypatch.setattr(workers, "END_SECONDS", 5.0)
    nobody = replace(SALESFORCE, name="nobody")
    cell = replace(cell_at("claimed", "SIGKILL"), crms=(nobody,))
    with pytest.raises(AssertionError):
        play(cell, tmp_path / "project", f"sqlite:///{tmp_path / 'crmsync.db'}")


CONTROLS = {
    "a create is repeated blindly": (
        cell_at("applied", "SIGKILL"),
        ["no_upsert_key", "search_alone"],
        ": 2 records",
        CRMS,
    ),
    "a late settle counts": (
        cell_at("answered", "SIGSTOP"), ["no_fence"], "link ", CRMS,
    ),
    "a cursor is ahead of its page": (
        cell_at("page-taking", "SIGKILL"), ["cursor_ahead"], "None", CRMS[:1],
    ),
    "a late page is taken": (
        cell_at("page-read", "SIGSTOP"), ["no_reading_fence"], "'1000'", (CRMS[0], PIPEDRIVE),
    ),
    "a record is read by two": (
        cell_at("hints-read", "SIGSTOP"), ["no_second_read"], "'1000', '1000', '1000'", CRMS,
    ),
}  # fmt: skip
"""What goes wrong in which CRMs where a safeguard is taken out, and how the checker says so."""


@pytest.mark.parametrize(
    ("cell", "safeguards", "symptom", "crms"), CONTROLS.values(), ids=CONTROLS.keys()
)
def test_without_its_safeguard_a_cell_fails(cell, safeguards, symptom, crms, url_of, tmp_path):  # noqa: PLR0913, PLR0917 - a case
    """Negative control: the same cell, played by workers without a safeguard."""
    wrong = play(cell, tmp_path / "project", url_of, safeguards)
    for crm in crms:
        assert any(line.startswith(f"{crm.name}: ") and symptom in line for line in wrong), wrong
