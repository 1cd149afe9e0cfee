"""What a pull came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from crmsync.sync.delivery import Rest
from crmsync.sync.reading import Books


@dataclass(slots=True)
class Pulled:
    """What a pull came to so far."""

    counts: Counter[str] = field(default_factory=Counter)
    """taken, unchanged, later, drifted, frozen, duplicates, deals, and the fates of `life`."""
    records: int = 0
    drift: Counter[str] = field(default_factory=Counter)
    """By CRM field: how many records hold another value than ours, told before or not."""
    sweep: Counter[str] = field(default_factory=Counter)
    """`drifted` records; of sweeps, `compared` ones of links, `unlinked` ones, and `unseen` links,
    whose record was read by id."""
    is_swept: bool = False
    """Everything was read, to the end."""
    rest: Rest | None = None
    """Why it stopped early."""
    busy: bool = False
    """Somebody else reads the same."""

    def count(self, books: Books | None) -> None:
        """Count a page; without books it was not ours to take."""
        if books is None:
            self.busy = True
            return
        self.counts += books.counts
        self.drift += books.drift
        self.sweep += books.sweep


Progress = Callable[[Pulled], None]
