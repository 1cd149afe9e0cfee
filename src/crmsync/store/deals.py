"""Deals as the CRMs hold them, and who is on them: what is said of a person is chosen from all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select

from crmsync.model import CrmId, Deal, DealStatus
from crmsync.store import bulk
from crmsync.store.tables import deal_people, deals
from crmsync.store.vault import Vault


def save(connection: Connection, vault: Vault, name: str, found: Sequence[Deal]) -> set[CrmId]:
    """Keep deals as they are now; return everybody who is, or was, on one that differs."""
    latest = {deal.crm_id: deal for deal in found}
    held = {deal.crm_id: deal for deal in _load(connection, vault, name, latest)}
    changed = [deal for deal in latest.values() if _differs(deal, held.get(deal.crm_id))]
    if not changed:
        return set()
    ids = [deal.crm_id for deal in changed]
    for table, column in ((deals, deals.c.crm_id), (deal_people, deal_people.c.deal_id)):
        connection.execute(
            delete(table).where(table.c.connection == name, bulk.among(connection, column, ids))
        )
    there = [deal for deal in changed if not deal.is_deleted]
    bulk.insert(connection, deals, [_row(vault, name, deal) for deal in there])
    bulk.insert(
        connection,
        deal_people,
        [
            {"connection": name, "deal_id": deal.crm_id, "person_id": person, "place": place}
            for deal in there
            for place, person in enumerate(dict.fromkeys(deal.people))
        ],
    )
    before = (held[deal.crm_id] for deal in changed if deal.crm_id in held)
    return {person for deal in (*changed, *before) for person in deal.people}


def of_people(
    connection: Connection, vault: Vault, name: str, people: Collection[CrmId]
) -> dict[CrmId, list[Deal]]:
    """Return all deals that each of these people is on."""
    rows = connection.execute(
        select(deal_people.c.person_id, deal_people.c.deal_id).where(
            deal_people.c.connection == name,
            bulk.among(connection, deal_people.c.person_id, people),
        )
    ).all()
    held = {d.crm_id: d for d in _load(connection, vault, name, {deal for _, deal in rows})}
    found: dict[CrmId, list[Deal]] = {person: [] for person in people}
    for person, deal in rows:
        if deal in held:
            found[CrmId(person)].append(held[deal])
    return found


def _load(connection: Connection, vault: Vault, name: str, ids: Collection[str]) -> list[Deal]:
    if not ids:
        return []
    on_them: dict[str, list[CrmId]] = {}
    for deal, person in connection.execute(
        select(deal_people.c.deal_id, deal_people.c.person_id)
        .where(deal_people.c.connection == name, bulk.among(connection, deal_people.c.deal_id, ids))
        .order_by(deal_people.c.deal_id, deal_people.c.place)
    ):
        on_them.setdefault(deal, []).append(CrmId(person))
    rows = connection.execute(
        select(deals).where(deals.c.connection == name, bulk.among(connection, deals.c.crm_id, ids))
    )
    return [
        Deal(
            crm_id=CrmId(row.crm_id),
            people=tuple(on_them.get(row.crm_id, ())),
            status=DealStatus(row.status),
            amount=row.amount,
            created_at=row.created_at,
            modified_at=row.modified_at,
            closed_at=row.closed_at,
            fields=orjson.loads(vault.open(row.sealed, _context(name, row.crm_id))),
        )
        for row in rows
    ]


def _differs(deal: Deal, held: Deal | None) -> bool:
    if deal.is_deleted or held is None:
        return held is not None or not deal.is_deleted
    is_older = deal.modified_at and held.modified_at and deal.modified_at < held.modified_at
    return not is_older and deal != held  # an index that lags shows what has been


def _row(vault: Vault, name: str, deal: Deal) -> dict[str, Any]:
    return {
        "connection": name,
        "crm_id": deal.crm_id,
        "status": deal.status,
        "amount": deal.amount,
        "created_at": deal.created_at,
        "modified_at": deal.modified_at,
        "closed_at": deal.closed_at,
        "sealed": vault.seal(orjson.dumps(dict(deal.fields)), _context(name, deal.crm_id)),
    }


def _context(name: str, crm_id: str) -> str:
    return f"deals:{name}:{crm_id}"
