"""The CRM's fields as they are now: described within the last day, else described anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from crmsync.model import ObjectSchema
from crmsync.store import failed_links, schemas
from crmsync.store.cursors import DEALS
from crmsync.sync.context import Store, Sync

SCHEMA_AGE = timedelta(hours=24)
log = structlog.get_logger()


def live_schema(sync: Sync, *, deals: bool = False) -> ObjectSchema:
    """Return the CRM's fields: as described within the last day, else described anew.

    Of the mapping's object type, or of deals.
    """
    database, mapping = sync.store.database, sync.mapping
    subject = DEALS if deals else mapping.object_type
    with database.read() as connection:
        oldest = database.now(connection) - SCHEMA_AGE
        known = schemas.find_schema(connection, mapping.connection, subject, oldest)
    if known is not None:
        return known
    connector = sync.connector
    fresh = (
        replace(connector.describe_deals(), object_type=DEALS)
        if deals
        else connector.describe(mapping.object_type)
    )
    keep_schema(sync.store, mapping.connection, fresh)
    return fresh


def keep_schema(store: Store, name: str, schema: ObjectSchema) -> None:
    """Remember how a CRM describes an object; what was refused for a changed field is tried again.

    A picklist that has the value now, or a field that has become longer, is reason enough.
    """

    def work(connection: Connection) -> int:
        now = store.database.now(connection)
        changed = schemas.save_schema(connection, name, schema, now)
        return failed_links.revive_refused(connection, name, schema.object_type, changed, now)

    revived = store.database.transact(work)
    if revived:
        log.info("revived", connection=name, object=schema.object_type, records=revived)
