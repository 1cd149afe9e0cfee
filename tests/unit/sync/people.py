"""What these tests say in few words: mappings, people who wait, and what the CRM holds."""

from __future__ import annotations

from typing import Any

from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.model import CrmId
from crmsync.store import links as store_links
from crmsync.sync.push import push
from tests.workbench import ADOPTING, identify, ingest, the_sync

NAMES = "firstname: first_name, lastname: last_name"


def held(crm: MemoryCrm, object_type: str = "contacts") -> list[dict[str, Any]]:
    """Return the fields of all records, without those that are empty."""
    records = crm.records.get(object_type, {}).values()
    return [{k: v for k, v in r.fields.items() if v is not None} for r in records]


def seed(crm: MemoryCrm, **fields: Any) -> CrmId:
    """Make a record that was there before us."""
    return crm.save("contacts", None, fields)


def mapping(fields: str, match: str = "crmsync_id: profile_id", **keys: str) -> str:
    """Return a mapping of contacts."""
    lines = [
        "connection: crm",
        f"source: {keys.pop('source', 'profiles')}",
        f"object: {keys.pop('object', 'contacts')}",
        f"match: {{{match}}}",
        *(f"{name}: {value}" for name, value in keys.items()),
        f"fields: {{{fields}}}",
    ]
    return "\n".join(lines) + "\n"


def writes(crm) -> int:
    """Return how many write calls the CRM has had."""
    return crm.calls["write"]


def make_due(works) -> None:
    """Let time pass until everything is due."""
    database = works.store.database
    database.transact(
        lambda connection: store_links.make_due(
            connection, "crm", "contacts", database.now(connection)
        )
    )


def adopting(works_with, people: int):
    """Open a project in which these people are looked for by their e-mail before a write."""
    works = works_with(ADOPTING)
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", email=f"ann{n}@acme.example") for n in range(people)])
    return works, sync
