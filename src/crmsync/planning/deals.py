"""Which of a person's deals speaks for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from crmsync.model import Deal, DealStatus

_NEVER = datetime.min.replace(tzinfo=UTC)


class By(StrEnum):
    """What makes one deal come before another."""

    LATEST = "latest"
    LARGEST = "largest"


def speaks(deals: Iterable[Deal], by: By, *, open_only: bool, else_closed: bool) -> Deal | None:
    """Return the deal that speaks for a person, all of whose deals are given.

    `open_only`: an open deal; where none is open, the latest that was closed if `else_closed`.
    """
    there = [deal for deal in deals if not deal.is_deleted]
    candidates = [d for d in there if d.status is DealStatus.OPEN] if open_only else there
    if candidates:
        return max(candidates, key=_largest if by is By.LARGEST else _latest)
    if open_only and else_closed and there:
        return max(there, key=_latest_closed)
    return None


# Ties are broken by id, the longer one being the newer: the same deal whichever page came first.


def _latest(deal: Deal) -> tuple[datetime, datetime, int, str]:
    made = deal.created_at or _NEVER
    return made, deal.modified_at or _NEVER, len(deal.crm_id), deal.crm_id


def _largest(deal: Deal) -> tuple[float, datetime, int, str]:
    return deal.amount or 0.0, deal.created_at or _NEVER, len(deal.crm_id), deal.crm_id


def _latest_closed(deal: Deal) -> tuple[datetime, int, str]:
    moment = deal.closed_at or deal.modified_at or deal.created_at or _NEVER
    return moment, len(deal.crm_id), deal.crm_id
