"""Odd events through the real doors, on SQLite and PostgreSQL at once.

    python3 run.py chaos events --count 100000 --seed 1

A run is the same each time for one seed. What must be true: no answer is a 5xx and no log has an
exception; whatever is refused is told why, without its values; calls that are right are taken,
whatever stands beside them; and both databases end with the same people.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import requests
from sqlalchemy import select

from crmsync.api import events as events_api
from crmsync.cli.entry import run as run_command
from crmsync.store.tables import events, identifiers, profiles
from crmsync.sync.context import Works
from tests.chaos.odd_events import CANARY, KINDS, Call, Post, calls, encoded, posts
from tests.served_api import WRITE_KEY, serving
from tests.servers import postgres
from tests.workbench import KEYED, Project, count_rows, make_project

IN_FILES = 0.2
"""The share of the events that come by `crmsync ingest`."""
LINES = 200
"""Of one file."""
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
REFUSALS = {400, 404, 413, 415}
PATIENCE_SECONDS = 120.0


@dataclass(slots=True)
class Report:
    """What came of the events."""

    events: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    taken: int = 0
    refused: int = 0
    kept: int = 0
    """Events in each database."""
    people: int = 0
    faults: list[str] = field(default_factory=list)


class Loud(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, and what was raised."""
        raised = record.exc_info[1] if record.exc_info else None
        self.said.append(f"logged: {record.getMessage()[:300]} {raised!r}")


class Clock(datetime):
    """The time of receipt: the same for both databases, a second later for each request."""

    requests = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        """Return it."""
        return STARTED + timedelta(seconds=cls.requests)


@dataclass(frozen=True, slots=True)
class Place:
    """One database with everything before it."""

    project: Project
    works: Works
    url: str
    session: requests.Session


def fuzz(count: int, seed: int, folder: Path, databases: Sequence[str]) -> Report:
    """Send so many events to a project on each database."""
    report = Report()
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(events_api, "datetime", Clock))
        places = [
            stack.enter_context(open_place(folder / str(n), url)) for n, url in enumerate(databases)
        ]
        # Only now: a server that starts sets up its own loggers.
        loud = stack.enter_context(listening())
        source, lines = posts(chance), calls(chance)
        while report.events < count:
            Clock.requests += 1
            if chance.random() < IN_FILES / 7:  # a file holds seven times as many as a request
                _by_file(places, list(islice(lines, LINES)), chance, report)
            else:
                _by_http(places, next(source), report)
        report.faults += loud.said
        _compare(places, report)
    return report


@contextmanager
def listening() -> Iterator[Loud]:
    """Hear of every error that is logged."""
    loud = Loud()
    names = ("", "uvicorn.error")
    for name in names:
        logging.getLogger(name).addHandler(loud)
    yield loud
    for name in names:
        logging.getLogger(name).removeHandler(loud)


@contextmanager
def open_place(folder: Path, database_url: str) -> Iterator[Place]:
    """Serve a project on a database."""
    project = make_project(folder, database_url, mappings={"contacts": KEYED})
    works = project.open()
    with serving(works) as api, requests.Session() as session:
        session.auth = (WRITE_KEY, "")
        yield Place(project, works, api.url, session)
    project.close()


# --- the doors -----------------------------------------------------------------------------


def _by_http(places: Sequence[Place], post: Post, report: Report) -> None:
    report.events += len(post.calls)
    try:
        answers = [
            place.session.post(
                f"{place.url}{post.path}",
                data=post.body,
                headers=dict(post.headers),
                timeout=PATIENCE_SECONDS,
            )
            for place in places
        ]
    except requests.ConnectionError as lost:
        report.faults.append(f"no answer at all: {lost}")
        return
    report.statuses.update(answer.status_code for answer in answers)
    about = f"{post.path} {post.headers} {post.body[:300]!r}"
    if len({(answer.status_code, _counted(answer)) for answer in answers}) > 1:
        report.faults.append(f"the databases disagree: {[a.text[:300] for a in answers]} {about}")
    for answer in answers:
        for wrong in wrong_in(post, answer):
            report.faults.append(f"{wrong}: {answer.status_code} {answer.text[:300]} {about}")
    told = _counted(answers[0])
    report.taken += told[0]
    report.refused += len(told[2])


def wrong_in(post: Post, answer: requests.Response) -> Iterator[str]:
    """Yield what is wrong with an answer."""
    if answer.status_code != 200 and answer.status_code not in REFUSALS:
        yield "no answer of this door"
        return
    if any(CANARY in words for words in _words(answer.json())):
        yield "a value is told again"
    if answer.status_code != 200 and not answer.json().get("detail"):
        yield "a refusal without a reason"
    if not post.is_right:
        return
    taken, repeated, rejected = _counted(answer)
    if taken + repeated + len(rejected) != len(post.calls):
        yield "the numbers do not add up"
    for place, reason in rejected:
        if not reason:
            yield "a call is refused without a reason"
        if post.calls[place].is_right:
            yield f"a call that is right is refused: {post.calls[place].body}"


def _words(told: Mapping[str, Any]) -> list[str]:
    """Return all that an answer says in words; the ids of messages are the sender's own."""
    reasons = [one["reason"] for one in told.get("rejected", ())]
    return [told.get("detail", ""), *reasons, *(one["detail"] for one in told.get("notes", ()))]


def _counted(answer: requests.Response) -> tuple[int, int, tuple[tuple[int, str], ...]]:
    """Return (taken, repeated, what was rejected) of an answer."""
    told = answer.json()
    rejected = tuple((one["index"], one["reason"]) for one in told.get("rejected", ()))
    if answer.status_code != 200 and not rejected:
        rejected = ((0, told.get("detail", "")),)
    return told.get("taken", 0), told.get("repeated", 0), rejected


def _by_file(
    places: Sequence[Place], of: Sequence[Call], chance: random.Random, report: Report
) -> None:
    """Take a file of calls with the command, under the environment of each project."""
    right = {n for n, call in enumerate(of, 1) if call.is_right}
    lines = [encoded(call.body, chance) for call in of]
    for n in range(len(lines)):
        if n + 1 not in right and chance.random() < 0.2:
            lines[n] = chance.choice((b"", b"{", b"\xff\xfe{}", lines[n][:-1], b"[" * 50_000))
    report.events += len(of)
    said = []
    for place in places:
        file = place.project.folder / "events.jsonl"
        file.write_bytes(b"\n".join(lines) + b"\n")
        said.append(_command(place, str(file)).replace(str(place.project.folder), ""))
    if len(set(said)) > 1:
        report.faults.append(f"the databases disagree about a file: {said}")
    if "a fault in crmsync" in said[0] or "Traceback" in said[0]:
        report.faults.append(f"the command failed: {said[0][-600:]}")
    if CANARY in said[0]:
        report.faults.append("a value of a file is told again")
    refused = [line for line in said[0].splitlines() if line.startswith("/events.jsonl:")]
    for line in refused:
        number = int(line.split(":")[1])
        if number in right and "the rest of the call was taken" not in line:
            report.faults.append(f"a line that is right is refused: {line}")
    report.refused += len(refused)


def _command(place: Place, file: str) -> str:
    """Run the command in this process; return what it printed."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out,
        mock.patch.dict("os.environ", place.project.env),
        mock.patch.object(sys, "stderr", out),
        mock.patch.object(sys, "stdout", out),
        mock.patch("crmsync.cli.ingesting.datetime", Clock),
    ):
        run_command(["ingest", file])
        out.seek(0)
        return out.read()


# --- what both databases hold --------------------------------------------------------------


def _compare(places: Sequence[Place], report: Report) -> None:
    held = [people_of(place.works) for place in places]
    kept = [count_rows(place.works.store, events) for place in places]
    report.people, report.kept = len(held[0]), kept[0]
    if len(set(kept)) > 1:
        report.faults.append(f"the databases keep different numbers of events: {kept}")
    for one in held[1:]:
        for names in set(held[0]) | set(one):
            if held[0].get(names) != one.get(names):
                report.faults.append(
                    f"the databases disagree about {sorted(names)}:"
                    f" {held[0].get(names)} / {one.get(names)}"
                )


def people_of(works: Works) -> Mapping[frozenset[tuple[str, str]], Any]:
    """Return what is known of everybody, by what they are called."""
    with works.store.database.read() as connection:
        names: dict[str, set[tuple[str, str]]] = {}
        for row in connection.execute(select(identifiers)):
            names.setdefault(row.profile_id, set()).add((row.kind, row.value))
        rows = connection.execute(select(profiles).where(profiles.c.merged_into.is_(None))).all()
    return {
        frozenset(names.get(row.id, {("none", "")})): (
            row.kind, row.user_id, row.email, row.traits, row.stats, row.identified_at,
            row.first_seen, row.last_seen, frozenset(names.get(row.company_id, ())),
        )
        for row in rows
    }  # fmt: skip


# --- as a program --------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzz and print what came of it; return 1 where there is a fault."""
    parser = argparse.ArgumentParser(
        prog="run.py chaos events", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--count", type=int, default=100_000, help="events (default 100000)")
    parser.add_argument("--seed", type=int, default=1, help="of the run (default 1)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, postgres.start(fsync=False) as server:
        places = [f"sqlite:///{folder}/crmsync.db", server.new_database()]
        report = fuzz(given.count, given.seed, Path(folder), places)
    say = sys.stdout.write
    say(
        f"{report.events:,} events ({', '.join(KINDS)}) on SQLite and PostgreSQL:"
        f" {report.taken:,} taken by HTTP, {report.refused:,} refused, {report.kept:,} kept,"
        f" {report.people:,} people, {len(report.faults)} faults\n"
        f"  statuses: {dict(report.statuses.most_common())}\n"
    )
    for fault in report.faults[:20]:
        say(f"  FAULT {fault}\n")
    return 1 if report.faults else 0
