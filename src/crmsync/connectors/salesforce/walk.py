"""Walking through what changed, page by page: how far one has come, and that it is a way forward.

A transaction is stamped before it is committed, so that records can appear behind the place that a
walk has reached. Where they still can, the next walk begins `soql.OVERLAP` behind; where they
cannot, it goes on from exactly there. Without that, a walk that is interrupted among a million
records of one minute would begin the same minute for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from crmsync.connectors.answers import Effect, lost
from crmsync.connectors.salesforce.library import Row
from crmsync.connectors.salesforce.rows import id_in
from crmsync.connectors.salesforce.soql import MODIFIED, OVERLAP, Place
from crmsync.connectors.salesforce.values import moment

CLOCKS = timedelta(minutes=10)
"""By how much our clock may be ahead of Salesforce's."""


def settled_before() -> datetime:
    """Return the time before which nothing appears any more that a query from now on misses."""
    return datetime.now(UTC) - OVERLAP - CLOCKS


def walk(
    pages: Iterable[Sequence[Row]], settled: datetime
) -> Iterator[tuple[Sequence[Row], Place]]:
    """Yield the pages of a query by `Place.query`, each with the place that it reaches.

    `settled`: see `settled_before`, of when the query was sent. Raises Unavailable for pages that
    are not in order or come again: such a walk might never end, or leave records out.
    """
    reached: Place | None = None
    for rows in pages:
        if not rows:
            continue
        times = [moment(row[MODIFIED]) for row in rows]
        last = id_in(rows[-1])
        before = [reached.at] if reached and reached.at else []
        stands_still = reached is not None and (reached.at, reached.after) == (times[-1], last)
        if stands_still or any(b < a for a, b in pairwise([*before, *times])):
            raise lost(Effect.READ, "Salesforce's list of changes does not go forward")
        reached = Place(times[-1], last)
        yield rows, reached if times[-1] < settled else Place(times[-1])
