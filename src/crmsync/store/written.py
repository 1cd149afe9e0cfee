"""What a run wrote, record by record, as its log tells: what an undo goes by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmsync.model import Action, CrmId, LinkId, Outcome, ProfileId, RunId, Value
from crmsync.planning.restoring import FieldWrite
from crmsync.store import bulk
from crmsync.store.read_log import ACTION as PULLED
from crmsync.store.tables import sync_log
from crmsync.store.vault import Vault

WROTE = sync_log.c.outcome.in_([Outcome.SUCCEEDED, Outcome.UNKNOWN]) & (sync_log.c.action != PULLED)
"""What may have changed a record."""


@dataclass(slots=True)
class Written:
    """What one run wrote of one record."""

    link_id: LinkId
    profile_id: ProfileId
    crm_id: CrmId | None = None
    """As the CRM named it then; None where no answer ever came."""
    was_created: bool = False
    was_blind: bool = False
    """The CRM found the record by its key: what it held before nobody has read."""
    last_entry: int = 0
    """Of the run's entries about it."""
    fields: dict[str, FieldWrite] = field(default_factory=dict)


def written(
    connection: Connection, vault: Vault, run: RunId, before: int | None, limit: int
) -> tuple[list[Written], int | None]:
    """Return a page of the records that a run wrote, the latest first, and where the next begins.

    A record belongs to the page of its latest entry, and has all its entries with it.
    """
    query = select(sync_log.c.id, sync_log.c.profile_id).where(sync_log.c.run_id == run, WROTE)
    if before is not None:
        query = query.where(sync_log.c.id < before)
    page = connection.execute(query.order_by(sync_log.c.id.desc()).limit(limit)).all()
    if not page:
        return [], None
    entries = connection.execute(
        select(sync_log)
        .where(
            sync_log.c.run_id == run,
            WROTE,
            bulk.among(connection, sync_log.c.profile_id, {row.profile_id for row in page}),
        )
        .order_by(sync_log.c.id)
    )
    first, last = page[0].id, page[-1].id
    records = _by_record(vault, entries)
    return [one for one in records if last <= one.last_entry <= first], last


def later_writes(
    connection: Connection, vault: Vault, records: Collection[Written], run: RunId
) -> dict[LinkId, list[tuple[RunId, Mapping[str, Value]]]]:
    """Return what other runs wrote of records since: the run and the new values, latest first."""
    since = {one.link_id: one.last_entry for one in records}
    rows = connection.execute(
        select(sync_log)
        .where(
            bulk.among(connection, sync_log.c.profile_id, {one.profile_id for one in records}),
            sync_log.c.id > min(since.values(), default=0),
            sync_log.c.run_id != run,
            WROTE,
        )
        .order_by(sync_log.c.id.desc())
    )
    found: dict[LinkId, list[tuple[RunId, Mapping[str, Value]]]] = {}
    for row in rows:
        if row.id > since.get(row.link_id, row.id):
            values = {name: new for name, (_, new) in _changes(vault, row).items()}
            found.setdefault(row.link_id, []).append((row.run_id, values))
    return found


def _by_record(vault: Vault, entries: Iterable[Any]) -> list[Written]:
    found: dict[LinkId, Written] = {}
    for row in entries:
        one = found.setdefault(row.link_id, Written(row.link_id, row.profile_id))
        one.crm_id = row.crm_id or one.crm_id
        one.was_created |= row.action == Action.CREATE
        one.was_blind |= row.action == Action.UPSERT
        one.last_entry = row.id
        for name, (old, new) in _changes(vault, row).items():
            known = one.fields.get(name)
            before, earlier = (known.before, known.written) if known else (old, ())
            one.fields[name] = FieldWrite(before, (*earlier, new))
    return list(found.values())


def _changes(vault: Vault, row: Any) -> dict[str, tuple[Value, Value]]:
    content = orjson.loads(vault.open(row.sealed, f"sync_log:{row.link_id}"))
    changes: dict[str, tuple[Value, Value]] = content["fields"]
    return changes
