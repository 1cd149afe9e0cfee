"""The comparison of what we believe with what a CRM holds: what a sweep adds to reading its pages.

What the pages say is taken as any other (`taking`): values that are not what we know are drift, or
theirs to change. Besides, each page stamps the links whose records it came upon. When all was read,
every link with a record that was not among it has it read by id: it was deleted past every list, or
the list did not show it, and only the record itself can tell (`life`). Records with the key of
somebody who has another one are read by id, too (`duplicates`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from crmsync.model import CrmId, LinkId, ProfileId, Record
from crmsync.store import cursors, duplicates, hints, sightings
from crmsync.store.cursors import Reading
from crmsync.sync.context import Sync
from crmsync.sync.duplicates import doubled, strangers
from crmsync.sync.reading import Books

AT_ONCE = 1_000
"""Links looked through in one transaction."""


def came_upon(
    books: Books, records: Sequence[Record], owners: Mapping[CrmId, tuple[LinkId, ProfileId]]
) -> None:
    """Note what a page of a sweep shows, besides values; its links are locked."""
    mapping = books.reader.mapping
    seen = {owners[r.crm_id][0] for r in records if r.crm_id in owners}
    sightings.stamp(books.connection, seen, books.now)
    unknown = strangers(records, owners)
    books.sweep["compared"] += len(seen)
    books.sweep["unlinked"] += len(unknown)
    again = doubled(books.connection, mapping, unknown) if unknown else []
    asked = {(mapping.object_type, one.crm_id) for one in again}
    hints.ask(books.connection, mapping.connection, asked, books.now)


def ask_for_unseen(sync: Sync, reading: Reading, began: datetime) -> int | None:
    """Have every linked record read that a sweep did not come upon since it began; return how many.

    None where somebody else reads by now. Also the duplicates that were known before: they may have
    been done away with.
    """
    database, name, object_type = (
        sync.store.database,
        reading.subject.connection,
        reading.subject.name,
    )
    lease = timedelta(seconds=sync.timing.lease_seconds)

    def ask(connection: Connection, records: Collection[CrmId]) -> None:
        now = database.now(connection)
        hints.ask(connection, name, {(object_type, crm_id) for crm_id in records}, now)

    def some(connection: Connection, after: LinkId) -> list[tuple[LinkId, CrmId]] | None:
        if not cursors.hold(connection, reading, database.now(connection) + lease):
            return None
        found = sightings.unseen(connection, name, object_type, began, after=after, limit=AT_ONCE)
        ask(connection, [crm_id for _, crm_id in found])
        return found

    unseen, after = 0, LinkId(0)
    while found := database.transact(lambda c: some(c, after)):  # noqa: B023 - used at once
        unseen, after = unseen + len(found), found[-1][0]
    if found is None:
        return None
    database.transact(
        lambda c: ask(c, duplicates.unconfirmed(c, name, object_type, began, AT_ONCE))
    )
    return unseen
