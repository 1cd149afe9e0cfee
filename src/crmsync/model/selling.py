"""What salespeople do: deals, and the owners and stages that their fields name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from crmsync.model.ids import CrmId, Fields


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of the CRM, to whom records belong."""

    id: str
    email: str
    """Empty where the CRM does not say."""
    name: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline that deals go through."""

    id: str
    """As deals name it."""
    label: str
    pipeline_id: str = ""
    """Empty where the CRM's stages are those of all pipelines."""
    pipeline: str = ""
    position: int = 0


class DealStatus(StrEnum):
    """Whether a deal is still to be decided."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal as the CRM holds it now."""

    crm_id: CrmId
    people: tuple[CrmId, ...] = ()
    """Ids of the people on it, the main one first."""
    status: DealStatus = DealStatus.OPEN
    amount: float | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    closed_at: datetime | None = None
    fields: Fields = field(default_factory=dict)
    """Those asked for, canonical: ids of owners and stages as they are."""
    is_deleted: bool = False
    """It is gone; nothing else of it is known."""


@dataclass(frozen=True, slots=True)
class DealPage:
    """Deals changed since a cursor, and where to go on."""

    deals: Sequence[Deal]
    cursor: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A CRM says that a record was changed: a reason to read it, nothing more."""

    object_type: str
    """As mappings name it; `deals` for a deal, whatever the CRM calls it."""
    crm_id: CrmId
    at: datetime
    """When it was changed, as the CRM says."""
    key: str
    """The same for every delivery of one event."""
    successor: CrmId | None = None
    """The record that it was merged into, where the CRM says so only here."""
