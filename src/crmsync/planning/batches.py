"""Grouping operations into the fewest calls a CRM allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from crmsync.model import Action, Batch, Operation


def batches(
    object_type: str,
    operations: Iterable[Operation],
    records_per_call: Mapping[Action, int],
    match_field: str | None,
) -> Iterator[Batch]:
    """Yield batches of one action each, no larger than a call takes, in the order given.

    Two operations with the same match value never share a batch: CRMs refuse or confuse them.
    """
    by_kind: dict[tuple[Action, str | None], list[Operation]] = {}
    for operation in operations:
        # Ties to records of one object go together; so does all of any other action.
        other = next(iter(operation.fields)) if operation.action is Action.ASSOCIATE else None
        by_kind.setdefault((operation.action, other), []).append(operation)
    for (action, other), group in by_kind.items():
        key = match_field if action is Action.UPSERT else other
        for part in _parts(group, records_per_call[action]):
            yield Batch(object_type, action, part, key)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Split a refused batch in two, to find the record at fault."""
    return split(batch, len(batch.operations) // 2)


def split(batch: Batch, place: int) -> tuple[Batch, Batch]:
    """Split a batch before a place."""
    first, second = batch.operations[:place], batch.operations[place:]
    return replace(batch, operations=first), replace(batch, operations=second)


def _parts(operations: Sequence[Operation], size: int) -> Iterator[list[Operation]]:
    waiting = list(operations)
    while waiting:
        part: list[Operation] = []
        keys: set[str] = set()
        later: list[Operation] = []
        for operation in waiting:
            key = (operation.match_value or "").lower()
            if len(part) == size or (key and key in keys):
                later.append(operation)
                continue
            part.append(operation)
            if key:
                keys.add(key)
        yield part
        waiting = later
