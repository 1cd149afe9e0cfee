"""Deals become traits: kept whole, then the one that speaks for each person is chosen from all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection

from crmsync.mapping.compiled import DealMapping, NoneOpen, Pick, PullField
from crmsync.mapping.values import Unusable
from crmsync.model import CrmId, Deal, Failure, ObjectSchema
from crmsync.planning.deals import By, speaks
from crmsync.planning.names import NoSuchName
from crmsync.store import deals, link_records
from crmsync.store.link_records import Linked
from crmsync.store.links import KEPT_OUT
from crmsync.store.read_log import Entry
from crmsync.sync import complaints
from crmsync.sync.reading import Books, Reader
from crmsync.sync.taking import open_books


def take_deals(
    readers: Sequence[Reader],
    found: Sequence[Deal],
    schema: ObjectSchema,
    step: Callable[[Connection], bool],
    *,
    all_of_them: bool = False,
) -> Counter[str] | None:
    """Take a page of deals in, for every mapping of their connection that reads deals.

    `all_of_them`: people are told of deals that are as they were, too: stages and owners may have
    got other names. None where `step` says, in the same transaction, that it is not ours to take.
    """
    store, name = readers[0].sync.store, readers[0].mapping.connection

    def work(connection: Connection) -> Counter[str] | None:
        if not step(connection):
            return None
        concerned = deals.save(connection, store.vault, name, found)
        if all_of_them:
            concerned |= {person for deal in found for person in deal.people}
        counts = Counter({"deals": len(found)})
        for reader in readers:
            counts += tell_people(connection, reader, concerned, schema)
        return counts

    return store.database.transact(work)


def tell_people(
    connection: Connection, reader: Reader, concerned: Collection[CrmId], schema: ObjectSchema
) -> Counter[str]:
    """Write to people's profiles what the deal that speaks for each of them says."""
    mapping, vault = reader.mapping, reader.sync.store.vault
    if mapping.deals is None or not concerned:
        return Counter()
    owners = link_records.owners(connection, mapping.connection, mapping.object_type, concerned)
    books = open_books(connection, reader, {person for _, person in owners.values()})
    locked = link_records.lock(connection, vault, {link for link, _ in owners.values()})
    by_person = deals.of_people(connection, vault, mapping.connection, owners.keys())
    for crm_id, (link, _) in owners.items():
        linked = locked.get(link)
        if linked is None or linked.state in KEPT_OUT:
            continue
        if linked.profile_id not in books.people:  # it was merged into another since
            books.ask_again(crm_id)
            continue
        deal = _spokesman(mapping.deals, by_person[crm_id])
        _tell(books, linked, mapping.deals.pulls, deal, schema)
    books.close()
    return books.counts


def _spokesman(how: DealMapping, held: Sequence[Deal]) -> Deal | None:
    return speaks(
        held,
        By.LARGEST if how.pick is Pick.LARGEST_OPEN else By.LATEST,
        open_only=how.pick is not Pick.LATEST,
        else_closed=how.none_open is NoneOpen.LATEST_CLOSED,
    )


def _tell(
    books: Books,
    linked: Linked,
    pulls: Sequence[PullField],
    deal: Deal | None,
    schema: ObjectSchema,
) -> None:
    """Write what a deal says to the traits of one person; without a deal they are unset."""
    reader = books.reader
    before = books.people[linked.profile_id].traits
    held = {pull.trait: before.get(pull.trait) for pull in pulls}
    at = min((deal.modified_at if deal else None) or books.now, books.now)
    source = f"pull:{reader.mapping.connection}:deal:{deal.crm_id if deal else 'none'}"
    for pull in pulls:
        value = deal.fields.get(pull.name) if deal else None
        try:
            trait = pull.back(reader.shown(pull, value, schema)) if deal else None
        except NoSuchName:
            books.note(_entry(linked, complaints.unknown_name(pull)))
            continue
        except Unusable as reason:
            books.note(_entry(linked, complaints.unusable(pull, reason)))
            continue
        books.write(linked, pull, trait, at, source)
    after = books.people[linked.profile_id].traits
    changes = {
        pull.name: (held[pull.trait], after.get(pull.trait))
        for pull in pulls
        if held[pull.trait] != after.get(pull.trait)
    }
    if changes:
        books.counts["taken"] += 1
        books.note(Entry(linked.link_id, linked.profile_id, linked.crm_id, changes))


def _entry(linked: Linked, failure: Failure) -> Entry:
    return Entry(linked.link_id, linked.profile_id, linked.crm_id, {}, failure)
