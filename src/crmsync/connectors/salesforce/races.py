"""Upserts that met another upsert of the same new key, and are worth a second try.

Salesforce looks for the key before the other transaction has committed, so of two upserts of a key
that is new one may be refused with DUPLICATE_VALUE; sent again, it finds the record. Refused twice,
it is no race. What is remembered is only which keys are in their second try.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from crmsync.model import Action, Batch, Operation, Outcome, Result

CODE = "DUPLICATE_VALUE"
REMEMBERED = 10_000
"""Keys; the oldest are forgotten first, and get one try more."""


class Races:
    """The keys that were refused once. Safe to use from many threads."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lock = threading.Lock()
        self._met: dict[tuple[str, str], None] = {}

    def settle(self, batch: Batch, results: Sequence[Result]) -> list[Result]:
        """Return the results, those of a first refusal to be tried again."""
        if batch.action is not Action.UPSERT:
            return list(results)
        pairs = zip(batch.operations, results, strict=True)
        with self._lock:
            return [self._judged(batch, operation, result) for operation, result in pairs]

    def _judged(self, batch: Batch, operation: Operation, result: Result) -> Result:
        key = batch.object_type, str(operation.match_value)
        failure = result.failure
        is_race = (
            result.outcome is Outcome.REJECTED
            and failure is not None
            and failure.code == CODE
            and failure.field in {None, batch.match_field}
        )
        if not is_race:
            self._met.pop(key, None)
            return result
        if key in self._met:
            del self._met[key]
            return result
        self._met[key] = None
        while len(self._met) > REMEMBERED:
            del self._met[next(iter(self._met))]
        return replace(result, outcome=Outcome.RETRY, existing_id=None)
