"""`python3 run.py chaos`: storms until the time is over, the crash-point matrix, or a fuzz.

    python3 run.py chaos [--minutes N] [--seed S] [--database NAME] [--crm NAME] [--faults PERCENT]
    python3 run.py chaos matrix [--jobs N] [--only TEXT]
    python3 run.py chaos events [--count N] [--seed S]
    python3 run.py chaos answers [--count N] [--seed S] [--crm NAME]

Each storm has a seed of its own, one above that of the last, on each database. Exits with 1 where
anything was lost, there twice, wrong or too late.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from rich.console import Console

from crmsync import logging
from tests.chaos import answer_fuzz, event_fuzz, matrix, report
from tests.chaos.backends import BACKENDS
from tests.chaos.storm import BROKER_SECONDS, DATABASE_SECONDS, Outcome, Storm, blow
from tests.crms import CRMS

INTERRUPTED = 130
COMPLAINTS = 20
"""Lines that are shown of one storm; `--json` has them all."""
VERBS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "matrix": matrix.main,
    "events": event_fuzz.main,
    "answers": answer_fuzz.main,
}
"""What there is beside storms."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word asks for; return 1 where anything was wrong."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = VERBS.get(words[0]) if words else None
    # As an exception, so that workers, servers and CRMs are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return verb(words[1:]) if verb else _blow(words)
    except KeyboardInterrupt:
        return INTERRUPTED


def _blow(words: Sequence[str]) -> int:
    """Let it blow; return 1 where anything was not survived."""
    given = _parser().parse_args(words)
    logging.set_up(quiet=True)  # that a server is away is what is meant to be
    print(f"seed {given.seed}", file=sys.stderr, flush=True)
    outcomes: list[Outcome] = []
    for outcome in _storms(given):
        outcomes.append(outcome)
        if not given.json:
            _show(outcome)
    if given.json:
        print(json.dumps([report.as_json(outcome) for outcome in outcomes], indent=2))
    else:
        print(f"\n{report.table(outcomes)}")
    if given.record:
        report.record(outcomes)
    return 0 if all(outcome.is_survived for outcome in outcomes) else 1


def _storms(given: argparse.Namespace) -> Iterator[Outcome]:
    """Let one storm after the other blow, on every database, until the time is over."""
    end_at = time.monotonic() + given.minutes * 60
    with Console(stderr=True).status("") as status:
        for seed in count(given.seed):
            storm = Storm(
                seed=seed,
                people=given.people,
                changes=given.changes,
                seconds=given.seconds,
                share=given.faults / 100,
                broker_seconds=min(BROKER_SECONDS, given.seconds / 4),
                database_seconds=min(DATABASE_SECONDS, given.seconds / 3),
                crms=[crm for crm in CRMS if crm.name in (given.crm or crm.name)],
            )
            for backend in given.database or BACKENDS:
                status.update(f"seed {seed} on {backend}")
                with tempfile.TemporaryDirectory(prefix="crmsync-chaos-") as folder:
                    yield blow(storm, backend, Path(folder))
            if time.monotonic() > end_at:
                return


def _show(outcome: Outcome) -> None:
    shown = outcome.complaints[:COMPLAINTS]
    left = len(outcome.complaints) - len(shown)
    more = [f"and {left} more"] if left else []
    print("\n      ".join([report.line(outcome), *shown, *more]), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py chaos",
        description="Storms: changes come in while workers die, CRMs misbehave, servers restart.",
        epilog="Instead: `run.py chaos matrix` stops workers at every named point, `events` sends"
        " events of every shape, `answers` spoils what CRMs answer; each has a --help of its own.",
    )
    some_seed = random.SystemRandom().randrange(1_000_000)
    whole = {"type": int, "metavar": "N"}
    parser.add_argument(
        "--minutes", type=float, default=10.0, metavar="N", help="begin no storm after (default 10)"
    )
    parser.add_argument("--seed", **whole, default=some_seed, help="of the first storm")
    parser.add_argument("--people", **whole, default=2_000, help="how many (default 2000)")
    parser.add_argument("--changes", **whole, default=10_000, help="of a storm (default 10000)")
    parser.add_argument(
        "--seconds", type=float, default=120.0, metavar="N", help="in which they come (default 120)"
    )
    parser.add_argument(
        "--faults", type=float, default=20.0, metavar="PERCENT",
        help="of the calls to CRMs that go wrong (default 20)",
    )  # fmt: skip
    parser.add_argument(
        "--crm", action="append", choices=[crm.name for crm in CRMS], help="only this; repeatable"
    )
    parser.add_argument(
        "--database", action="append", choices=list(BACKENDS), help="only this; repeatable"
    )
    parser.add_argument("--record", action="store_true", help="write docs/reliability.md's table")
    parser.add_argument("--json", action="store_true", help="one JSON list, nothing else")
    return parser


if __name__ == "__main__":
    sys.exit(main())
