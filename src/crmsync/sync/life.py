"""The life of a link in its CRM: its record was merged into another, converted, or deleted.

The same whether a pull saw it or a write was refused for it. What the CRM merged, the link follows:
it moves to the record that stayed, which is read before it is written, so that our match key is
moved too. What was deleted is looked for once more by the push, then follows the mapping's
`on_delete`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from crmsync.mapping.compiled import SyncMapping
from crmsync.model import CrmId, Failure, LinkId, ProfileId, RunTrigger
from crmsync.store import hints, link_records, links
from crmsync.store.link_records import Linked
from crmsync.store.links import LinkState, Mark
from crmsync.store.settlements import ONE_PERSON

DELETED, CONVERTED, MERGED, TAKEN = "RECORD_DELETED", "CONVERTED", "RECORD_MERGED", "RECORD_TAKEN"

TOLD: Mapping[str, Failure] = {
    DELETED: Failure(
        DELETED,
        "the record was deleted in the CRM",
        "the person is not sent again; `crmsync replay --record ID` makes this one record again, "
        "`on_delete: recreate` in the mapping all that are deleted from now on",
    ),
    TAKEN: Failure(
        TAKEN,
        "the record was merged in the CRM into one that is another profile's",
        f"{ONE_PERSON} part the records in the CRM, then `crmsync replay`",
    ),
}
"""What the log says of it, where a person may have to do something."""


def follow(linked: Linked, successor: CrmId, owner: LinkId | None) -> str:
    """Move a link to the record that its own was merged into; `owner`: whose that one is already.

    Two of our profiles in one record wait for a person: they may be one.
    """
    linked.known, linked.is_known_anew = {}, True
    if owner is not None and owner != linked.link_id:
        linked.state, linked.crm_id = LinkState.CONFLICT, None  # theirs is no more
        linked.error_class, linked.error_code = "conflict", TAKEN
        return TAKEN
    linked.crm_id = successor
    linked.to_write = linked.to_read = linked.is_busy = True
    return MERGED


def doubt(linked: Linked) -> str:
    """Have a record that seems deleted looked for, by id and by our keys, before the next write.

    Not every CRM says which record it was merged into.
    """
    linked.to_write = linked.to_read = True
    return DELETED


def convert(linked: Linked) -> str:
    """End the link of a lead that became a contact."""
    linked.state = LinkState.CONVERTED
    linked.error_class, linked.error_code = None, CONVERTED
    return CONVERTED


def hand_over(
    connection: Connection,
    heirs: Iterable[SyncMapping],
    person: ProfileId,
    successor: CrmId | None,
    now: datetime,
) -> None:
    """Give the contact that a lead became to the mappings that take on converted leads.

    It is read back as their own. Where the CRM does not name it, it is found by its match keys with
    their next push.
    """
    for heir in heirs:
        place = heir.connection, heir.object_type, person
        if successor is None or not link_records.give(connection, *place, successor, now):
            links.mark(connection, [Mark(*place, now, RunTrigger.REALTIME)])
        elif heir.pulls or heir.deals:
            hints.ask(connection, heir.connection, {(heir.object_type, successor)}, now)
