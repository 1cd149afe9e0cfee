"""The CRM's side of the connector in memory: what it holds, and what salespeople do there.

Connections of one name share one `MemoryCrm`, found by `MemoryCrm.named`. It counts the calls it
gets, and fails as a test asks it to.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from crmsync.connectors.base import Key
from crmsync.errors import CrmsyncError
from crmsync.model import CrmId, Deal, Fields, FieldSchema, Owner, Record, Stage


@dataclass
class MemoryCrm:
    """The CRM's side: what it holds, and what it was asked."""

    schemas: dict[str, dict[str, FieldSchema]] = field(default_factory=dict)
    """By object type; a type springs into being with its first description."""
    records: dict[str, dict[CrmId, Record]] = field(default_factory=dict)
    deals: dict[CrmId, Deal] = field(default_factory=dict)
    owners: list[Owner] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    ties: set[tuple[str, CrmId, str, CrmId]] = field(default_factory=set)
    """(object type, id, other object type, other id) of associated records."""
    calls: Counter[str] = field(default_factory=Counter)
    written: int = 0
    """Records that a connection created or changed."""
    failures: list[tuple[CrmsyncError, bool]] = field(default_factory=list)
    """What the next calls raise, and whether they are carried out first."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    _by_name: ClassVar[dict[str, MemoryCrm]] = {}

    @classmethod
    def named(cls, name: str) -> MemoryCrm:
        """Return the CRM of the connections of this name."""
        return cls._by_name.setdefault(name, cls())

    @classmethod
    def forget(cls, name: str) -> None:
        """Begin anew under this name."""
        cls._by_name.pop(name, None)

    def fail_next(self, error: CrmsyncError, *, carried_out: bool = False) -> None:
        """Make one call raise; `carried_out` first does what it asked, as a lost answer would."""
        self.failures.append((error, carried_out))

    def save(self, object_type: str, crm_id: CrmId | None, fields: Fields) -> CrmId:
        """Keep the fields of a record, new where it has no id, and say when."""
        self._tick()
        crm_id = crm_id or CrmId(str(next(self._ids)))
        held = self.records.setdefault(object_type, {})
        old = held.get(crm_id) or Record(crm_id, {})
        held[crm_id] = replace(old, fields={**old.fields, **fields}, modified_at=self._now)
        return crm_id

    def find(self, object_type: str, key: Key) -> Record | None:
        """Return the record with this id, or with this value in a field, whatever its case."""
        held = self.records.get(object_type, {})
        if key.field is None:
            found = held.get(CrmId(key.value))
            if found is not None and found.is_deleted:
                return held.get(found.successor) if found.successor else None
            return found
        wanted = key.value.lower()
        there = (r for r in held.values() if not r.is_deleted)
        return next((r for r in there if str(r.fields.get(key.field)).lower() == wanted), None)

    def is_gone(self, object_type: str, crm_id: CrmId | None) -> bool:
        """Whether a record takes no writes."""
        record = self.records.get(object_type, {}).get(crm_id or CrmId(""))
        return record is None or record.is_deleted or record.is_converted

    def _tick(self) -> None:
        """Let no two changes have the same time."""
        self._now = max(datetime.now(UTC), self._now + timedelta(milliseconds=1))

    # --- what salespeople do ----------------------------------------------------------------

    def edit(self, object_type: str, crm_id: CrmId, **fields: object) -> None:
        """Change a record."""
        self.save(object_type, crm_id, fields)  # type: ignore[arg-type] # a test's values

    def delete(self, object_type: str, crm_id: CrmId) -> None:
        """Delete a record; the list of changes tells of it."""
        self._tick()
        gone = Record(crm_id, {}, self._now, is_deleted=True)
        self.records[object_type][crm_id] = gone

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> None:
        """Make one record of two: the loser is deleted, and points to the winner."""
        self.delete(object_type, loser)
        held = self.records[object_type]
        held[loser] = replace(held[loser], successor=winner)
        self.save(object_type, winner, {})
        former = (*held[winner].former_ids, loser)
        held[winner] = replace(held[winner], former_ids=former)

    def convert(self, object_type: str, lead: CrmId, contact: CrmId | None) -> None:
        """Let a lead become a contact."""
        self.save(object_type, lead, {})
        held = self.records[object_type]
        held[lead] = replace(held[lead], is_converted=True, successor=contact)

    def deal(self, deal: Deal) -> None:
        """Keep a deal as it is now."""
        self._tick()
        self.deals[deal.crm_id] = replace(deal, modified_at=self._now)
