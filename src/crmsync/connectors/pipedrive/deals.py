"""Deals as they are read back: whose they are, what is left to decide, and in which stage.

Won and lost are statuses: a deal that is decided keeps its stage. A deal names one person; others
who take part in it are not in these lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.pipedrive.calls import Calls, Entry, id_of
from crmsync.connectors.pipedrive.feed import Asked, changed_since, misread
from crmsync.connectors.pipedrive.fields import Catalogue
from crmsync.connectors.pipedrive.objects import DEALS, Field
from crmsync.connectors.pipedrive.wire import fields_of, time_in
from crmsync.model import CrmId, Deal, DealPage, DealStatus


class Deals:
    """The deals of one company."""

    def __init__(self, calls: Calls, catalogue: Catalogue) -> None:
        """Read nothing yet."""
        self._calls = calls
        self._catalogue = catalogue

    def changed(self, cursor: str | None, names: Sequence[str]) -> Iterator[DealPage]:
        """Yield the deals that changed; a person who is set, replaced or merged changes a deal."""
        asked = Asked(self._catalogue, DEALS, names)
        for entries, reached in changed_since(self._calls, DEALS, cursor):
            asked.check(entries)
            yield DealPage([_deal(entry, asked.fields) for entry in entries], reached)

    def by_id(self, ids: Sequence[CrmId], names: Sequence[str]) -> list[Deal]:
        """Read deals, archived ones too; what is in no list is deleted."""
        asked = Asked(self._catalogue, DEALS, names)
        entries = list(self._calls.entries(DEALS.paths, ids))
        asked.check(entries)
        there = {deal.crm_id: deal for deal in (_deal(entry, asked.fields) for entry in entries)}
        return [there.get(one) or Deal(one, is_deleted=True) for one in dict.fromkeys(ids)]


def _deal(entry: Entry, wanted: Mapping[str, Field]) -> Deal:
    try:
        return _read(entry, wanted)
    except UNREADABLE:
        raise misread() from None


def _read(entry: Entry, wanted: Mapping[str, Field]) -> Deal:
    crm_id, modified_at = CrmId(str(entry["id"])), time_in(entry, "update_time")
    if entry.get("is_deleted"):
        return Deal(crm_id, modified_at=modified_at, is_deleted=True)
    person, amount = entry.get("person_id"), entry.get("value")
    status = DealStatus(entry["status"])
    return Deal(
        crm_id,
        people=(CrmId(id_of({"id": person})),) if person is not None else (),
        status=status,
        amount=float(amount) if amount is not None else None,
        created_at=time_in(entry, "add_time"),
        modified_at=modified_at,
        closed_at=None if status is DealStatus.OPEN else _closed_at(entry, status),
        fields=fields_of(entry, wanted),
    )


def _closed_at(entry: Entry, status: DealStatus) -> datetime | None:
    return time_in(entry, "close_time") or time_in(entry, f"{status}_time")
