"""Who is in the middle of writing what: row locks, and records nobody else sees yet.

A call that writes is one transaction, under way until its answer is out (latency, or a fault that
holds it) but no longer than `lock_seconds`. Salesforce makes others wait for some ten seconds
before it refuses them; here they are refused at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Request
from crmsync.sandbox.salesforce.settings import SalesforceSettings


@dataclass(slots=True, eq=False)
class Transaction:
    """What one call has done so far."""

    over_at: float
    """Monotonic seconds after which it holds nothing any more."""
    locks: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    undo: list[Callable[[], None]] = field(default_factory=list)
    """How to take it back, step by step, last one first."""

    def roll_back(self, to: int = 0) -> None:
        """Take back every step but the first so many."""
        while len(self.undo) > to:
            self.undo.pop()()


class Locks:
    """The rows held by calls under way, and those held on order."""

    def __init__(self, clock: Clock, settings: Callable[[], SalesforceSettings]) -> None:
        """Hold nothing."""
        self._clock = clock
        self._settings = settings
        self._holders: dict[str, set[Transaction]] = {}
        self._unseen: dict[str, Transaction] = {}
        self._ordered: dict[str, float | None] = {}
        """Rows held by the control API, until when."""

    def begin(self, request: Request) -> Transaction:
        """Start a transaction that ends with its request."""
        transaction = Transaction(self._clock.monotonic() + self._settings().lock_seconds)
        request.at_end.append(lambda: self._end(transaction))
        return transaction

    def hold(self, record_id: str, seconds: float | None) -> None:
        """Hold a row on order, for so long or until it is released."""
        until = None if seconds is None else self._clock.monotonic() + seconds
        self._ordered[record_id] = until

    def release(self, record_id: str) -> None:
        """Let go a row held on order."""
        self._ordered.pop(record_id, None)

    def held_on_order(self, keys: Iterable[str]) -> str | None:
        """Return the first of these rows that the control API holds."""
        if not self._ordered:
            return None
        now = self._clock.monotonic()
        for key in keys:
            if key in self._ordered:
                until = self._ordered[key]
                if until is None or now < until:
                    return key
        return None

    def contended(self, transaction: Transaction, keys: Iterable[str]) -> str | None:
        """Return the first of these rows that another call holds."""
        if not self._holders:
            return None
        for key in keys:
            for holder in self._holders.get(key, ()):
                if holder is not transaction and self._under_way(holder):
                    return key
        return None

    def take(self, transaction: Transaction, keys: Iterable[str]) -> None:
        """Hold rows for a transaction."""
        for key in keys:
            if key not in transaction.locks:
                transaction.locks.add(key)
                self._holders.setdefault(key, set()).add(transaction)

    def created(self, transaction: Transaction, record_id: str) -> None:
        """Keep a new record to its own transaction until that ends."""
        transaction.created.add(record_id)
        self._unseen[record_id] = transaction

    def sees(self, transaction: Transaction | None, record_id: str) -> bool:
        """Whether a transaction, or a reader outside any, sees a record."""
        creator = self._unseen.get(record_id) if self._unseen else None
        return creator is None or creator is transaction or not self._under_way(creator)

    def _under_way(self, transaction: Transaction) -> bool:
        return self._clock.monotonic() < transaction.over_at

    def _end(self, transaction: Transaction) -> None:
        for key in transaction.locks:
            holders = self._holders[key]
            holders.discard(transaction)
            if not holders:
                del self._holders[key]
        for record_id in transaction.created:
            self._unseen.pop(record_id, None)
