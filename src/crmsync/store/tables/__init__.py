"""The tables, as docs/reliability.md needs them; their meaning lives in the modules beside.

Columns named `sealed` hold ciphertext (`vault.py`), with the context said beside them.
"""

from crmsync.store.tables.accounts import (
    connections,
    cursors,
    duplicates,
    field_flips,
    hints,
    hook_events,
    oauth_tokens,
    object_schemas,
    watches,
)
from crmsync.store.tables.columns import Instant, document, json_text, metadata
from crmsync.store.tables.people import changes, events, identifiers, profiles, trait_names
from crmsync.store.tables.processes import processes, schema_support
from crmsync.store.tables.queue import links, runs, schedule_ticks, sync_log, syncs
from crmsync.store.tables.selling import deal_people, deals, directories, owners, stages

__all__ = [
    "Instant",
    "changes",
    "connections",
    "cursors",
    "deal_people",
    "deals",
    "directories",
    "document",
    "duplicates",
    "events",
    "field_flips",
    "hints",
    "hook_events",
    "identifiers",
    "json_text",
    "links",
    "metadata",
    "oauth_tokens",
    "object_schemas",
    "owners",
    "processes",
    "profiles",
    "runs",
    "schedule_ticks",
    "schema_support",
    "stages",
    "sync_log",
    "syncs",
    "trait_names",
    "watches",
]
