"""Reading the records that must be known before they are written: stale, or not yet found.

Reads the CRM; writes nothing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from crmsync.connectors.base import Key
from crmsync.errors import BatchRejected
from crmsync.mapping.compiled import OnDelete
from crmsync.model import Failure, Record
from crmsync.planning.changes import observed
from crmsync.sync.records import Draft, Target, is_homeless

TRIED_ALONE = 16
"""Records read one by one before a mapping is said not to fit: a CRM's answers to all are alike."""


class Sought(Protocol):
    """Whoever a record is looked for."""

    failure: Failure | None
    """Why theirs cannot be looked for: set where the CRM refuses the key."""


S = TypeVar("S", bound=Sought)


def look(target: Target, drafts: Sequence[Draft], between_reads: Callable[[], None]) -> None:
    """Read the records that must be known before they are written, as many in a call as it takes.

    A key that the CRM refuses is its own record's failure.
    """
    stale = [d for d in drafts if d.crm_id and not d.failure and _is_stale(target, d)]
    missing = {d.claim.link_id: d for d in stale}
    for d, record in read_each(target, stale, lambda d: Key(str(d.crm_id)), between_reads):
        del missing[d.claim.link_id]
        _recognise(d, record)
    lost = [d for d in missing.values() if d.failure is None]
    for d in lost:  # merged into another one, perhaps, that has our key now
        d.crm_id, d.known = None, {}
    for name, _ in target.mapping.match:
        sought = drafts if name in target.look_by else lost
        homeless = [d for d in sought if is_homeless(d) and name in d.match]
        for d, record in read_each(target, homeless, _key_by(name), between_reads):
            d.crm_id, d.adopted = record.crm_id, True
            d.known = observed(d.desired, {}, record.fields)
    if target.mapping.on_delete is OnDelete.SUPPRESS:
        for d in lost:
            d.is_lost = d.crm_id is None and d.failure is None


def _recognise(d: Draft, record: Record) -> None:
    """Take up what was read of a linked record, which another may have taken the place of."""
    if record.is_converted:
        d.is_converted, d.successor = True, record.successor
        return
    if record.crm_id != d.crm_id:
        d.crm_id, d.adopted, d.known = record.crm_id, True, {}
    d.known = {**d.known, **observed(d.desired, d.known, record.fields)}


def _is_stale(target: Target, d: Draft) -> bool:
    """Whether the snapshot of a linked record is not enough to decide by."""
    return d.claim.verify or any(
        name in d.desired and name not in d.known for name in target.only_if_empty
    )


def _key_by(name: str) -> Callable[[Draft], Key]:
    return lambda d: Key(d.match[name], name)


def read_each(
    target: Target,
    sought: Sequence[S],
    key_of: Callable[[S], Key],
    between_reads: Callable[[], None],
) -> Iterator[tuple[S, Record]]:
    """Yield those whose record was found.

    What is refused is halved until the key at fault is alone: at most two reads for each key of the
    part, and its record is then set aside, so that they are not spent again.
    Raises BatchRejected where it seems to be the mapping that does not fit, and not the keys.
    """

    def read(part: Sequence[S]) -> list[Record | None]:
        between_reads()
        keys = [key_of(d) for d in part]
        return target.connector.read(target.mapping.object_type, keys, target.names)

    size = target.connector.capabilities.records_per_read
    parts = deque(sought[start : start + size] for start in range(0, len(sought), size))
    fits = len(sought) == 1
    while parts:
        part = [d for d in parts.popleft() if d.failure is None]
        if not part:
            continue
        try:
            records = read(part)
        except BatchRejected as refusal:
            if not fits:
                _try_some(sought, read)
            if len(part) == 1:
                part[0].failure = refused_key(refusal)
            else:
                middle = len(part) // 2
                parts.extendleft([part[middle:], part[:middle]])
        else:
            yield from ((d, found) for d, found in zip(part, records, strict=True) if found)
        fits = True


def _try_some(sought: Sequence[S], read: Callable[[Sequence[S]], object]) -> None:
    """Read some records one by one; raise BatchRejected when every one of them is refused.

    By chance, so that a run of bad keys at one place, or the same ones as the last time, cannot
    pass for a mapping that does not fit.
    """
    tried = random.sample(sought, min(len(sought), TRIED_ALONE))
    for d in tried:
        try:
            read([d])
        except BatchRejected as refusal:
            d.failure = refused_key(refusal)
    if all(d.failure is not None for d in tried):
        for d in tried:
            d.failure = None
        raise BatchRejected(
            "the records cannot be read by their match key", code="UNREADABLE", hint="check --live"
        )


def refused_key(refusal: BatchRejected) -> Failure:
    """Return why a record could not even be looked for."""
    return Failure(refusal.code, refusal.user_message, refusal.hint, refusal.field, refusal.excerpt)
