"""Whether a lost answer speaks against the CRM or against a record, and when to leave a CRM alone.

The answer to a call is lost because the CRM is down, or because a record of the call brings it
down. One loss does not tell which; what becomes of the calls around it does:

- A loss counts against its records only when the call that ended before it wrote something. In an
  outage that is the first call alone, so that no outage sets a record aside.
- After some losses in a row the connection rests, longer each time. Then one record is sent alone,
  until one is written: an outage costs one call for each rest.
- Whoever has a loss against them travels behind all others, a quarter as many in a call for each:
  few calls part the record at fault from those it travelled with. When only such records are lost,
  and only now and then, the connection does not rest for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crmsync.model import Action, Operation, Outcome, Result

LOSSES_IN_A_ROW = 3
"""After so many a push sends nothing more."""
SMALLER = 4
"""How many times smaller calls become with each loss that counts."""


@dataclass(slots=True)
class Breaker:
    """What the calls of one push say of their connection. Safe to use from many threads."""

    is_doubtful: bool = False
    """Nobody has answered since the connection last rested."""
    has_written: bool = False
    """A call of this push wrote something."""
    why: str = ""
    """Of the latest loss, for people."""
    _in_a_row: int = 0
    _is_news: bool = False
    """Whether one of them hit records that had not been lost before."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, results: Sequence[Result], *, were_lost_before: bool) -> bool:
        """Take in what became of a call; return whether a loss counts against its records.

        Calls are judged as they end. `were_lost_before`: all of them have a loss that counts.
        """
        with self._lock:
            return self._judge(results, were_lost_before=were_lost_before)

    @property
    def is_open(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._in_a_row >= (1 if self.is_doubtful else LOSSES_IN_A_ROW)

    @property
    def ends_in_doubt(self) -> bool:
        """Whether the connection is to rest, now that all calls have ended."""
        return self.is_open or (self._in_a_row > 0 and self._is_news)

    def _judge(self, results: Sequence[Result], *, were_lost_before: bool) -> bool:
        if any(result.outcome is Outcome.SUCCEEDED for result in results):
            self.is_doubtful, self.has_written = False, True
            self._in_a_row, self._is_news = 0, False
            return True
        lost = [result for result in results if result.outcome is Outcome.UNKNOWN]
        if not lost:
            return False
        counts = self._in_a_row == 0 and not self.is_doubtful
        self._in_a_row += 1
        self._is_news |= not were_lost_before
        self.why = next((result.failure.message for result in lost if result.failure), "")
        return counts


def by_losses(
    operations: Iterable[Operation],
    losses_of: Callable[[Operation], int],
    records_per_call: Mapping[Action, int],
) -> Iterator[tuple[Sequence[Operation], Mapping[Action, int]]]:
    """Yield the operations by how often they were lost, with how many of them a call may hold."""
    groups: dict[int, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(losses_of(operation), []).append(operation)
    for losses, group in sorted(groups.items()):
        smaller = SMALLER**losses
        yield group, {action: max(1, size // smaller) for action, size in records_per_call.items()}
