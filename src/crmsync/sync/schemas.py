"""The CRM's fields as they are now: described within the last day, else described anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from crmsync.model import ObjectSchema
from crmsync.store import state
from crmsync.store.cursors import DEALS
from crmsync.sync.context import Sync

SCHEMA_AGE = timedelta(hours=24)


def live_schema(sync: Sync, *, deals: bool = False) -> ObjectSchema:
    """Return the CRM's fields: as described within the last day, else described anew.

    Of the mapping's object type, or of deals.
    """
    database, mapping = sync.store.database, sync.mapping
    subject = DEALS if deals else mapping.object_type
    with database.read() as connection:
        oldest = database.now(connection) - SCHEMA_AGE
        known = state.find_schema(connection, mapping.connection, subject, oldest)
    if known is not None:
        return known
    connector = sync.connector
    fresh = (
        replace(connector.describe_deals(), object_type=DEALS)
        if deals
        else connector.describe(mapping.object_type)
    )
    database.transact(
        lambda connection: state.save_schema(
            connection, mapping.connection, fresh, database.now(connection)
        )
    )
    return fresh
