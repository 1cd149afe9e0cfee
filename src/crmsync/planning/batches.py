"""Grouping operations into the fewest calls a CRM allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    by_action: dict[Action, list[Operation]] = {}
    for operation in operations:
        by_action.setdefault(operation.action, []).append(operation)
    for action, group in by_action.items():
        key = match_field if action is Action.UPSERT else None
        for part in _parts(group, records_per_call[action]):
            yield Batch(object_type, action, part, key)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Split a refused batch in two, to find the record at fault."""
    middle = len(batch.operations) // 2
    parts = batch.operations[:middle], batch.operations[middle:]
    first, second = (
        Batch(batch.object_type, batch.action, part, batch.match_field) for part in parts
    )
    return first, second


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
