"""Records that are nobody's, though their match key says that they are somebody's with another one.

A sweep comes upon them; a page of it may be old by the time it is taken, so it only has them read
by id. Judged is what was read fresh, together with the record that their person is linked to. Two
records that are nobody's and have one key do not concern us.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from crmsync.mapping.compiled import SyncMapping
from crmsync.model import CrmId, Identifier, IdentifierKind, LinkId, ProfileId, Record, Value
from crmsync.store import duplicates, profiles
from crmsync.store.duplicates import Doubled
from crmsync.store.link_records import Linked
from crmsync.store.read_log import Entry
from crmsync.sync import complaints
from crmsync.sync.reading import Books

_KINDS: Mapping[str, IdentifierKind] = {
    "email": IdentifierKind.EMAIL,
    "user_id": IdentifierKind.USER_ID,
    "group_id": IdentifierKind.GROUP_ID,
}
"""Facts that name one profile, besides our own id."""
_OURS = "profile_id"


def strangers(records: Sequence[Record], owned: Collection[CrmId]) -> list[Record]:
    """Return the records that are there and no link's; `owned`: those that are."""
    return [
        record
        for record in records
        if not (record.is_deleted or record.is_converted)
        and not any(one in owned for one in (record.crm_id, *record.former_ids))
    ]


def doubled(
    connection: Connection, mapping: SyncMapping, records: Sequence[Record]
) -> list[Doubled]:
    """Return which of these strangers have the key of somebody who has another record.

    The first key of the mapping that names anybody decides, as it does when a person is sent.
    """
    keys = {record.crm_id: _keys(mapping, record) for record in records}
    named = _named(connection, {key for own in keys.values() for _, key in own})
    whose = {
        crm_id: (field, named[key])
        for crm_id, own in keys.items()
        for field, key in own[::-1]  # so that the first one stays
        if key in named
    }
    people = {person for _, person in whose.values()}
    place = mapping.connection, mapping.object_type
    held = duplicates.records_of(connection, *place, people) if people else {}
    return [
        Doubled(crm_id, held[person][0], person, held[person][1], field)
        for crm_id, (field, person) in whose.items()
        if person in held
    ]


def judge(
    books: Books,
    records: Sequence[Record],
    owned: Collection[CrmId],
    locked: Mapping[LinkId, Linked],
) -> None:
    """Tell of the duplicates among records that were read fresh, and forget those that are none."""
    mapping = books.reader.mapping
    place = mapping.connection, mapping.object_type
    there = {r.crm_id for r in records if not (r.is_deleted or r.is_converted)}
    found: list[Doubled] = []
    put_off: set[CrmId] = set()
    for one in doubled(books.connection, mapping, strangers(records, owned)):
        linked = locked.get(one.link_id)
        if linked is None or one.linked not in there:
            continue  # merged or gone: this record may take its place
        if books.is_busy(linked):
            books.ask_again(one.crm_id)
            put_off.add(one.crm_id)
            continue
        found.append(one)
    read = {crm_id for r in records for crm_id in (r.crm_id, *r.former_ids)}
    over = read - put_off - {one.crm_id for one in found}
    duplicates.forget(books.connection, *place, over)
    new = duplicates.keep(books.connection, *place, found, books.now) if found else set()
    for one in found:
        if one.crm_id in new:
            failure = complaints.duplicate(one.crm_id, one.linked, one.field)
            books.note(Entry(one.link_id, one.profile_id, one.linked, {}, failure))
            books.counts["duplicates"] += 1


_Key = str | Identifier
"""One of our own ids, or an identifier."""


def _keys(mapping: SyncMapping, record: Record) -> list[tuple[str, _Key]]:
    """Return the keys of a record by which a person may be found, the first one first."""
    found = ((field, _key(fact, record.fields.get(field))) for field, fact in mapping.match)
    return [(field, key) for field, key in found if key is not None]


def _key(fact: str, value: Value) -> _Key | None:
    text = value.strip() if isinstance(value, str) else ""
    if not text or (fact != _OURS and fact not in _KINDS):
        return None
    if fact == _OURS:
        return text.lower()
    kind = _KINDS[fact]
    return Identifier(kind, text.lower() if kind is IdentifierKind.EMAIL else text)


def _named(connection: Connection, keys: Collection[_Key]) -> dict[_Key, ProfileId]:
    ids = {key for key in keys if isinstance(key, str)}
    identifiers = {key for key in keys if isinstance(key, Identifier)}
    found: dict[_Key, ProfileId] = {}
    if ids:
        found.update(duplicates.named_by_id(connection, ids).items())
    if identifiers:
        found.update(profiles.find_identifiers(connection, identifiers).items())
    return found
