"""Log entries of what was read back: which CRM field had changed, from what to what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from crmsync.model import CrmId, Failure, LinkId, Outcome, ProfileId, RunId
from crmsync.planning.changes import Change
from crmsync.store import bulk, runs
from crmsync.store.tables import sync_log
from crmsync.store.vault import Vault

ACTION = "pull"


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one record, or of one field of it, that was read back."""

    link_id: LinkId
    profile_id: ProfileId
    crm_id: CrmId | None
    changes: dict[str, Change] = field(default_factory=dict)
    """By CRM field: what was known, what was found."""
    failure: Failure | None = None


def write(
    connection: Connection, vault: Vault, run: RunId, entries: Sequence[Entry], now: datetime
) -> None:
    """Add entries to the log of a run, and to its counts."""
    bulk.insert(connection, sync_log, [_row(vault, run, entry, now) for entry in entries])
    counts = Counter("failed" if entry.failure else "updated" for entry in entries)
    runs.add(connection, run, counts, calls=0, now=now)


def _row(vault: Vault, run: RunId, entry: Entry, now: datetime) -> dict[str, Any]:
    failure = entry.failure
    content: dict[str, Any] = {"fields": entry.changes}
    if failure is not None:
        content |= {"message": failure.message, "hint": failure.hint, "excerpt": failure.excerpt}
    return {
        "run_id": run,
        "link_id": entry.link_id,
        "profile_id": entry.profile_id,
        "crm_id": entry.crm_id,
        "action": ACTION,
        "outcome": Outcome.REJECTED if failure else Outcome.SUCCEEDED,
        "error_class": "pull" if failure else None,
        "error_code": failure.code if failure else None,
        "error_field": failure.field if failure else None,
        "attempt": 1,
        "at": now,
        "sealed": vault.seal(orjson.dumps(content), f"sync_log:{entry.link_id}"),
    }
