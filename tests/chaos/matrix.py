"""The crash-point matrix: every point x signal x database, of all four CRMs.

python3 run.py chaos matrix [--jobs N] [--only TEXT]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.cells import DATABASES, SIGNALS, Cell, all_cells, play
from tests.chaos.points import POINTS
from tests.servers import postgres


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a cell came to."""

    cell: Cell
    wrong: Sequence[str]
    seconds: float


def run_all(progress: Callable[[Verdict], None], *, jobs: int = 2, only: str = "") -> list[Verdict]:
    """Play every cell whose name holds `only`, so many at once; return what they came to."""
    cells = [cell for cell in all_cells() if only in cell.name]
    verdicts = []
    spawn = multiprocessing.get_context("spawn")  # whoever asks may have threads
    with (
        postgres.start(fsync=False) as server,
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(jobs, spawn) as pool,
    ):
        plays = {pool.submit(_try, cell.name, folder, server.url): cell for cell in cells}
        for done in as_completed(plays):
            verdicts.append(Verdict(plays[done], *done.result()))
            progress(verdicts[-1])
    return verdicts


def _try(name: str, folder: str, server_url: str) -> tuple[list[str], float]:
    """Play a cell in a process of the pool; return what was wrong, and how long it took."""
    [cell] = [one for one in all_cells() if one.name == name]
    server = postgres.Postgres(server_url, "")
    place = Path(folder) / name
    is_file = cell.database == "sqlite"
    url = f"sqlite:///{place / 'crmsync.db'}" if is_file else server.new_database()
    began = time.monotonic()
    try:
        wrong = play(cell, place, url)
    except Exception as fault:  # noqa: BLE001 - the other cells are played all the same
        wrong = traceback.format_exception(fault, limit=-3)
    seconds = time.monotonic() - began
    if not is_file:
        server.drop_database(url)
    return wrong, seconds


def table(verdicts: Sequence[Verdict]) -> str:
    """Return a line for each point: what its cells came to, by signal and database."""
    columns = [(number, database) for number in SIGNALS for database in DATABASES]
    heads = [f"{number} {database}" for number, database in columns]
    lines = ["| point | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    by_place: dict[tuple[str, str, str], list[Verdict]] = {}
    for one in verdicts:
        place = one.cell.point.name, one.cell.signal, one.cell.database
        by_place.setdefault(place, []).append(one)
    for point in POINTS:
        cells = [_summed(by_place.get((point.name, *column), [])) for column in columns]
        if any(cells):
            lines.append(f"| {point.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _summed(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return ""
    wrong = sum(bool(one.wrong) for one in verdicts)
    longest = max(one.seconds for one in verdicts)
    return f"{wrong} of {len(verdicts)} WRONG" if wrong else f"ok, {longest:.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the matrix, or a part of it; return 1 where anything was wrong."""
    parser = argparse.ArgumentParser(
        prog="run.py chaos matrix", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--jobs", type=int, default=2, help="cells at once")
    parser.add_argument("--only", default="", help="only cells whose name holds this")
    given = parser.parse_args(arguments)
    began = time.monotonic()

    verdicts = run_all(_tell, jobs=given.jobs, only=given.only)
    wrong = [one for one in verdicts if one.wrong]
    print(f"\n{table(verdicts)}\n")
    minutes = (time.monotonic() - began) / 60
    print(f"{len(verdicts)} cells, {len(wrong)} wrong, {minutes:.1f} minutes")
    return 1 if wrong or not verdicts else 0


def _tell(one: Verdict) -> None:
    verdict = "WRONG" if one.wrong else "ok"
    line = f"{verdict:5} {one.seconds:5.1f} s  {one.cell.name}"
    print("\n      ".join([line, *one.wrong]), flush=True)
