"""Deals: what a query shows of them, and whether their stage is an open, won or lost one.

The person on a deal is its contact. Contact roles, which name further people, are not read: Zoho
tells them in a call for each single deal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.changes import Changes
from crmsync.connectors.zoho.coql import MODIFIED
from crmsync.connectors.zoho.fields import DEALS, STAGE, Module
from crmsync.connectors.zoho.modules import Modules
from crmsync.connectors.zoho.pipelines import Pipelines
from crmsync.connectors.zoho.rows import LIST_IDS, Row, Rows
from crmsync.connectors.zoho.values import moment
from crmsync.connectors.zoho.wire import is_id, values_of
from crmsync.model import CrmId, Deal, DealPage, DealStatus

PIPELINE, CONTACT, AMOUNT = "Pipeline", "Contact_Name", "Amount"
CREATED, STAGED, CLOSING = "Created_Time", "Stage_Modified_Time", "Closing_Date"
OWN = (STAGE, PIPELINE, CONTACT, AMOUNT, CREATED, STAGED, CLOSING)
"""Fields that make a deal what it is here, besides those that are asked for."""


class Deals:
    """The deals of one account. Safe to use from many threads."""

    def __init__(self, api: Api, modules: Modules, changes: Changes, pipelines: Pipelines) -> None:
        """Read nothing yet."""
        self._api = api
        self._modules = modules
        self._changes = changes
        self._pipelines = pipelines

    def changed(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield what changed; see `base.Connector.deals`."""
        rows, columns = self._rows(fields)
        for chunk in self._changes.walk(rows, cursor, columns):
            deals = [self._deal(row, fields, rows) for row in chunk.rows]
            gone = [Deal(one.crm_id, modified_at=one.at, is_deleted=True) for one in chunk.gone]
            yield DealPage([*deals, *gone], str(chunk.cursor))

    def by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Return the deals of these ids, each once."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return []
        rows, columns = self._rows(fields)
        found: dict[str, Row] = {}
        for start in range(0, len(wanted), LIST_IDS):
            found |= rows.by_id(wanted[start : start + LIST_IDS], [MODIFIED, *columns])
        rows.demand(found.values(), fields)
        return [
            self._deal(found[crm_id], fields, rows)
            if crm_id in found
            else Deal(crm_id, is_deleted=True)
            for crm_id in wanted
        ]

    def _rows(self, fields: Sequence[str]) -> tuple[Rows, list[str]]:
        """Return what reads deals, and the columns to ask for."""
        module = self._modules.having(DEALS, fields)
        own = [name for name in OWN if name in module.fields]
        return Rows(self._api, module), list(dict.fromkeys([*own, *fields]))

    def _deal(self, row: Row, fields: Sequence[str], rows: Rows) -> Deal:
        try:
            return self._deal_of(row, fields, rows.module)
        except UNREADABLE:
            raise rows.strange() from None

    def _deal_of(self, row: Row, fields: Sequence[str], module: Module) -> Deal:
        own = values_of(row, OWN, module)
        values = values_of(row, fields, module)
        stage, status = self._stage_of(str(own[PIPELINE] or ""), str(own[STAGE] or ""), module)
        if stage is not None and STAGE in values:
            values[STAGE] = stage
        contact, amount = own[CONTACT], own[AMOUNT]
        if contact and not is_id(contact):
            raise ValueError("not an id")
        return Deal(
            crm_id=CrmId(str(row["id"])),
            people=(CrmId(str(contact)),) if contact else (),
            status=status,
            amount=float(amount) if isinstance(amount, int | float) else None,
            created_at=_at(row, CREATED),
            modified_at=_at(row, MODIFIED),
            closed_at=None if status is DealStatus.OPEN else _closed_at(row),
            fields=values,
        )

    def _stage_of(self, pipeline: str, text: str, module: Module) -> tuple[str | None, DealStatus]:
        """Return the id of a stage by the texts that a deal shows, and what a deal in it is.

        Most fields say it themselves; else the pipelines are asked for. None: it is gone.
        """
        field = module.fields.get(STAGE)
        stage = field.choices.get(text) if field else None
        if field is not None and stage is not None and stage in field.statuses:
            return stage, field.statuses[stage]
        step = self._pipelines.find(pipeline, text)
        return (step.stage.id, step.status) if step else (None, DealStatus.OPEN)


def _closed_at(row: Mapping[str, Any]) -> datetime | None:
    """Return when a deal came to its last stage; else the day it was to close, from midnight."""
    return _at(row, STAGED) or _at(row, CLOSING)


def _at(row: Mapping[str, Any], name: str) -> datetime | None:
    text = row.get(name)
    return moment(text) if text else None
