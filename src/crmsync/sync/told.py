"""Reading, fresh and by id, what a webhook told of or what is no longer relied on.

An id that the CRM refuses is forgotten, so that it holds up neither the others nor the poll.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from crmsync.connectors.base import Connector, Key
from crmsync.errors import BatchRejected
from crmsync.model import Deal, Record
from crmsync.store.hints import ToRead

REFUSED_BEFORE_MISFIT = 3
"""Ids refused one by one, with none read, before it is the mapping that does not fit."""

T = TypeVar("T")

log = structlog.get_logger()


def read_records(
    connector: Connector, object_type: str, told: Sequence[ToRead], fields: Sequence[str]
) -> list[Record]:
    """Return the records as they are; one that is gone as deleted.

    Raises BatchRejected where it seems to be the fields that do not fit, and not the ids.
    """
    parts = _in_parts(
        told,
        connector.capabilities.records_per_read,
        lambda some: connector.read(object_type, [Key(one.crm_id) for one in some], fields),
    )
    return [
        _as_told(one, record)
        for some, found in parts
        for one, record in zip(some, found, strict=True)
    ]


def read_deals(connector: Connector, told: Sequence[ToRead], fields: Collection[str]) -> list[Deal]:
    """Return the deals as they are; raises as `read_records` does."""
    parts = _in_parts(
        told,
        len(told),
        lambda some: connector.deals_by_id([one.crm_id for one in some], sorted(fields)),
    )
    return [deal for _, found in parts for deal in found]


def _as_told(one: ToRead, record: Record | None) -> Record:
    """Return what was read; whatever else it says, the id that was told of was its own."""
    if record is None:
        return Record(one.crm_id, {}, is_deleted=True, successor=one.successor)
    if one.crm_id in {record.crm_id, *record.former_ids}:
        return record
    return replace(record, former_ids=(*record.former_ids, one.crm_id))


def _in_parts(
    told: Sequence[ToRead], size: int, read: Callable[[Sequence[ToRead]], T]
) -> Iterator[tuple[Sequence[ToRead], T]]:
    """Yield what was read of each part; halve what is refused until the id at fault is alone."""
    parts = deque(told[start : start + size] for start in range(0, len(told), size))
    refused, fits = 0, False
    while parts:
        part = parts.popleft()
        try:
            found = read(part)
        except BatchRejected as refusal:
            if len(part) > 1:
                middle = len(part) // 2
                parts.extendleft([part[middle:], part[:middle]])
                continue
            refused += 1
            if refused == REFUSED_BEFORE_MISFIT and not fits:
                raise
            log.warning("told_of_unreadable", object_type=part[0].object_type, code=refusal.code)
        else:
            fits = True
            yield part, found
