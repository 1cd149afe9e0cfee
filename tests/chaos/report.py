"""What storms came to: a line for each, and the table in docs/reliability.md.

The table is written by `python3 run.py chaos --record`, and by nothing else: it says what was run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.chaos.storm import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- storms: begin -->", "<!-- storms: end -->"
COLUMNS = (
    "database", "seeds", "changes", "calls to CRMs", "spoilt", "workers struck", "servers struck",
    "lost", "twice", "wrong", "at rest after",
)  # fmt: skip
SIGNALS = ("SIGKILL", "SIGSTOP", "SIGTERM")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything about one storm."""
    storm = outcome.storm
    return {
        "seed": storm.seed,
        "database": outcome.backend,
        "people": storm.people,
        "changes": storm.changes,
        "share": storm.share,
        "calls": dict(outcome.calls),
        "spoilt": dict(outcome.met),
        "struck": dict(outcome.dealt),
        "answers": dict(outcome.answers),
        "blew_seconds": round(outcome.blew_seconds, 1),
        "rest_seconds": outcome.rest_seconds and round(outcome.rest_seconds, 1),
        "complaints": outcome.complaints,
    }


def line(outcome: Outcome) -> str:
    """Say in a line how one storm went."""
    struck = sum(outcome.dealt[name] for name in SIGNALS)
    return (
        f"{'ok   ' if outcome.is_survived else 'WRONG'} seed {outcome.storm.seed}, "
        f"{outcome.backend}: {outcome.storm.changes:,} changes, "
        f"{sum(outcome.calls.values()):,} calls of which {outcome.met.total():,} were spoilt, "
        f"{struck} workers and {outcome.dealt.total() - struck} servers struck; "
        f"{_counted(outcome)}; at rest after {_seconds(outcome.rest_seconds)}"
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of all storms, a row for each database, as Markdown."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    by_backend = sorted(outcomes, key=lambda outcome: outcome.backend, reverse=True)
    rows += [
        _row(backend, list(some)) for backend, some in groupby(by_backend, lambda o: o.backend)
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def record(outcomes: Sequence[Outcome], page: Path = PAGE) -> None:
    """Put the table into its place in the documentation."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    told = sorted(
        {f"{o.storm.people:,} people, {o.storm.share:.0%} of the calls" for o in outcomes}
    )
    page.write_text(f"{before}{BEGIN}\n{'; '.join(told)}:\n\n{table(outcomes)}\n{END}{after}")


def _row(backend: str, outcomes: Sequence[Outcome]) -> list[str]:
    struck = [sum(outcome.dealt[name] for name in SIGNALS) for outcome in outcomes]
    all_struck = sum(outcome.dealt.total() for outcome in outcomes)
    verdicts = [verdict for outcome in outcomes for verdict in outcome.verdicts.values()]
    rests = [outcome.rest_seconds for outcome in outcomes]
    return [
        backend,
        _listed(outcome.storm.seed for outcome in outcomes),
        f"{sum(outcome.storm.changes for outcome in outcomes):,}",
        f"{sum(sum(outcome.calls.values()) for outcome in outcomes):,}",
        f"{sum(outcome.met.total() for outcome in outcomes):,}",
        str(sum(struck)),
        str(all_struck - sum(struck)),
        str(sum(len(verdict.lost) for verdict in verdicts)),
        str(sum(len(verdict.twice) for verdict in verdicts)),
        str(sum(len(verdict.wrong) + len(verdict.untrue) for verdict in verdicts)),
        _seconds(None if None in rests else max(rest or 0.0 for rest in rests)),
    ]


def _counted(outcome: Outcome) -> str:
    verdicts = outcome.verdicts.values()
    counts = {
        "lost": sum(len(verdict.lost) for verdict in verdicts),
        "twice": sum(len(verdict.twice) for verdict in verdicts),
        "wrong": sum(len(verdict.wrong) + len(verdict.untrue) for verdict in verdicts),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(str(seed) for seed in seeds)


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s"
