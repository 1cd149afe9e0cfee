"""What the pages of one subject are judged by: its live fields, the names of owners and stages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from crmsync.mapping.compiled import SyncMapping
from crmsync.model import Directory, Fields, ObjectSchema
from crmsync.store.cursors import DEALS, Subject
from crmsync.sync.context import Sync, Works
from crmsync.sync.naming import names_of
from crmsync.sync.reading import Reader
from crmsync.sync.schemas import live_schema


def open_readers(
    works: Works,
    sync: Sync,
    subject: Subject,
    mappings: Sequence[SyncMapping],
    *,
    anew: bool = False,
) -> tuple[ObjectSchema, list[Reader]]:
    """Return the fields that are read, and the reader of each mapping; `anew`: names are asked for.

    Raises what a CRM call raises.
    """
    if subject.name == DEALS:
        schema = deal_schema(sync)
        names = names_of(sync, _directories(schema, subject).values(), anew=anew)
        syncs = [works.open_sync(mapping) for mapping in mappings]
        return schema, [Reader.of(works, one, live_schema(one), names) for one in syncs]
    schema = live_schema(sync)
    names = names_of(sync, _directories(schema, subject).values(), anew=anew)
    return schema, [Reader.of(works, sync, schema, names)]


def informed(
    sync: Sync,
    subject: Subject,
    readers: list[Reader],
    schema: ObjectSchema,
    page: Iterable[Fields],
) -> list[Reader]:
    """Have the CRM's owners or stages read again where a page names one that is new."""
    names, by_field = readers[0].names, _directories(schema, subject)
    lacking = {
        directory
        for fields in page
        for name, directory in by_field.items()
        if not names.has(directory, fields.get(name))
    }
    if not lacking:
        return readers
    fresh = names_of(sync, lacking, anew=True)
    return [replace(reader, names=fresh) for reader in readers]


def deal_schema(sync: Sync) -> ObjectSchema:
    """Return the live fields of deals."""
    return live_schema(sync, deals=True)


def _directories(schema: ObjectSchema, subject: Subject) -> dict[str, Directory]:
    """Return which of the fields that are read hold ids of what."""
    described = (schema.fields.get(name) for name in subject.fields)
    return {one.name: one.directory for one in described if one and one.directory}
