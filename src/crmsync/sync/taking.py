"""One page of changed records becomes traits, in one transaction: value first, then who decides.

    records ─► whose are they ─► merged, converted, deleted? ─► what differs from what we know ─►
    who decides (planning.reading) ─► traits, marks, links, log, and the cursor

What a write of ours may still change is not judged: it is read again when it has settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import Connection

from crmsync.identity.writing import same_value
from crmsync.mapping.compiled import Conflict, PullField
from crmsync.mapping.values import Unusable
from crmsync.model import (
    CrmId,
    Failure,
    Identifier,
    IdentifierKind,
    LinkId,
    Profile,
    ProfileId,
    Record,
    Value,
)
from crmsync.planning.names import NoSuchName
from crmsync.planning.reading import Both, Flips, Verdict, judge
from crmsync.store import link_records, profiles
from crmsync.store.link_records import Linked
from crmsync.store.links import KEPT_OUT
from crmsync.store.read_log import Entry
from crmsync.sync import complaints, duplicates, life
from crmsync.sync.reading import Books, Reader
from crmsync.sync.sweeping import came_upon
from crmsync.sync.turns import was_told, watch_turns


class How(Enum):
    """How a page was come by."""

    LISTED = auto()
    """What changed, from an index that may lag."""
    SWEPT = auto()
    """A part of all there is, from the same."""
    BY_ID = auto()
    """Records that were asked for, from the CRM's primary store."""


def take(
    reader: Reader,
    records: Sequence[Record],
    began: datetime,
    step: Callable[[Connection], bool],
    *,
    how: How = How.LISTED,
) -> Books | None:
    """Take a page in; None where `step` says, in the same transaction, that it is not ours to take.

    `began`: when reading it was begun, by the database's clock.
    """

    def work(connection: Connection) -> Books | None:
        if not step(connection):
            return None
        return _take(connection, reader, records, began, how)

    books = reader.sync.store.database.transact(work)
    for name in books.woken if books else ():
        reader.works.ring(name)
    return books


def _take(
    connection: Connection,
    reader: Reader,
    records: Sequence[Record],
    began: datetime,
    how: How,
) -> Books:
    mapping = reader.mapping
    ids = {i for r in records for i in (r.crm_id, r.successor, *r.former_ids) if i is not None}
    owners = link_records.owners(connection, mapping.connection, mapping.object_type, ids)
    books = open_books(connection, reader, {person for _, person in owners.values()})
    books.email_owners = _email_owners(connection, reader, records)
    vault = reader.sync.store.vault
    locked = link_records.lock(connection, vault, {link for link, _ in owners.values()})
    flips = link_records.flips(connection, locked)
    settled_by = (
        began if how is How.BY_ID else began - timedelta(seconds=reader.sync.timing.settle_seconds)
    )
    for record in records:
        for crm_id in dict.fromkeys((record.crm_id, *record.former_ids)):
            link = owners.get(crm_id, (None, None))[0]
            linked = locked.get(link) if link is not None else None
            if linked is None or linked.crm_id != crm_id:
                continue
            if linked.state in KEPT_OUT:
                _settle_two_records(books, record, linked)
                continue
            if not _follow_life(books, record, linked, owners):
                _read_values(books, record, linked, flips.get(linked.link_id, {}), settled_by)
    if how is How.SWEPT:
        came_upon(books, records, owners)
    if how is How.BY_ID:
        duplicates.judge(books, records, owners, locked)
    books.close()
    return books


def open_books(connection: Connection, reader: Reader, people: Iterable[ProfileId]) -> Books:
    """Lock people in the order in which everybody does, and open the books on them."""
    found = profiles.load_for_change(connection, set(people))
    companies = profiles.load(connection, {p.company_id for p in found.values() if p.company_id})
    now = reader.sync.store.database.now(connection)
    return Books(reader, connection, now, found, companies)


def _follow_life(
    books: Books,
    record: Record,
    linked: Linked,
    owners: dict[CrmId, tuple[LinkId, ProfileId]],
) -> bool:
    """Do what follows where the record is not what it was; whether that was so."""
    reader = books.reader
    merged_into = record.successor if record.is_deleted else None
    if linked.crm_id in record.former_ids:
        merged_into = record.crm_id
    if not (record.is_deleted or record.is_converted or merged_into):
        return False
    crm_id = linked.crm_id
    if books.is_busy(linked):
        books.ask_again(crm_id or record.crm_id, merged_into)
        return True
    if record.is_converted:
        what = life.convert(linked)
        person, successor = linked.profile_id, record.successor
        life.hand_over(books.connection, reader.sync.heirs, person, successor, books.now)
    elif merged_into is not None:
        what = _follow(books, linked, merged_into, owners)
    else:
        what = life.doubt(linked)
    books.changed_links[linked.link_id] = linked
    books.counts[what] += 1
    if what != life.DELETED:  # the push tells, when it has looked
        failure = life.TOLD.get(what)
        books.note(Entry(linked.link_id, linked.profile_id, crm_id, failure=failure))
    return True


def _follow(
    books: Books,
    linked: Linked,
    successor: CrmId,
    owners: dict[CrmId, tuple[LinkId, ProfileId]],
) -> str:
    """Move a link to the record that its own was merged into, which is read as its own then."""
    owner, person = owners.get(successor, (None, None))
    if owner is not None and owner != linked.link_id and person == linked.profile_id:
        link_records.forget(books.connection, [owner])  # their two records have become one
        owner = None
    what = life.follow(linked, successor, owner)
    if what == life.MERGED:
        # Whoever follows to the same record later on this page is another person.
        owners[successor] = linked.link_id, linked.profile_id
        books.ask_again(successor)
    return what


def _settle_two_records(books: Books, record: Record, linked: Linked) -> None:
    """End the conflict of a person with two records when somebody has done away with one."""
    is_gone = record.is_deleted or linked.crm_id in record.former_ids
    if is_gone and not linked.row.is_primary:
        link_records.forget(books.connection, [linked.link_id])


def _read_values(
    books: Books, record: Record, linked: Linked, flips: Mapping[str, Flips], settled_by: datetime
) -> None:
    """Judge the values of a record field by field."""
    reader = books.reader
    profile = books.people.get(linked.profile_id)
    if profile is None:  # it was merged into another since
        books.ask_again(record.crm_id)
        return
    frozen = {name for name, kept in flips.items() if kept.frozen_at}
    only_read = [p for p in reader.mapping.pulls if not p.is_pushed and p.name in record.fields]
    written = [f for f in reader.mapping.fields if f.name not in frozen]
    differs = any(
        f.name in record.fields and record.fields[f.name] != linked.known.get(f.name)
        for f in written
    )
    unread = [p for p in only_read if _is_news(reader, p, profile, linked, record)]
    if not differs and not unread:
        books.counts["unchanged"] += 1
        return
    written_at = linked.written_at
    if books.is_busy(linked) or (written_at is not None and written_at >= settled_by):
        books.ask_again(record.crm_id)
        books.counts["later"] += 1
        return
    verdict = Verdict()
    if differs:
        desired = reader.desired(profile, books.company_of(profile))
        both = [
            Both(
                f.name,
                reader.owner_of(f),
                desired.get(f.name, linked.known.get(f.name)),
                _ours_at(reader, profile, f.name),
                is_phone=f.name in reader.phones,
            )
            for f in written
        ]
        verdict = judge(both, linked.known, record.fields, record.modified_at)
        watch_turns(books, linked, verdict, flips)
    for pull in unread:
        verdict.taken[pull.name] = record.fields[pull.name]
        if pull.conflict is not Conflict.THEIRS:
            verdict.known[pull.name] = record.fields[pull.name]
    _settle(books, record, linked, verdict, flips)


def _settle(
    books: Books,
    record: Record,
    linked: Linked,
    verdict: Verdict,
    flips: Mapping[str, Flips],
) -> None:
    """Write what is taken, remember what is known, tell of both."""
    reader = books.reader
    taken: dict[str, tuple[Value, Value]] = {}
    for name, value in verdict.taken.items():
        before = linked.known.get(name)
        failure = _write_trait(books, record, linked, reader.pulls[name], value)
        if failure is None:
            taken[name] = before, value
        else:  # left as it is on both sides
            verdict.known.pop(name, None)
            if not was_told(books, linked, flips, name, value):
                books.note(Entry(linked.link_id, linked.profile_id, linked.crm_id, {}, failure))
    if verdict.known:
        linked.known = {**linked.known, **verdict.known}
        linked.is_known_anew = True
    linked.to_write = linked.to_write or verdict.to_write
    if verdict.known or verdict.to_write:
        books.changed_links[linked.link_id] = linked
    if taken:
        books.counts["taken"] += 1
        books.note(Entry(linked.link_id, linked.profile_id, linked.crm_id, taken))
    books.drift.update(verdict.drifted.keys())
    books.sweep["drifted"] += bool(verdict.drifted)
    drifted = {
        name: change
        for name, change in verdict.drifted.items()
        if not was_told(books, linked, flips, name, change[1])
    }
    if drifted:
        books.counts["drifted"] += 1
        failure = complaints.drift(drifted)
        books.note(Entry(linked.link_id, linked.profile_id, linked.crm_id, drifted, failure))


def _write_trait(
    books: Books, record: Record, linked: Linked, pull: PullField, value: Value
) -> Failure | None:
    reader = books.reader
    try:
        back = pull.back(reader.shown(pull, value))
    except NoSuchName:
        return complaints.unknown_name(pull)
    except Unusable as reason:
        return complaints.unusable(pull, reason)
    at = min(record.modified_at or books.now, books.now)
    source = f"pull:{reader.mapping.connection}:{record.crm_id}"
    return books.write(linked, pull, back, at, source)


def _is_news(
    reader: Reader, pull: PullField, profile: Profile, linked: Linked, record: Record
) -> bool:
    """Whether a field that is only read says something else than the trait, and may."""
    value = record.fields[pull.name]
    try:
        trait = pull.back(reader.shown(pull, value))
    except (NoSuchName, Unusable):
        return value != linked.known.get(pull.name)
    held = profile.traits.get(pull.trait)
    if same_value(held, trait):
        return False
    match pull.conflict:
        case Conflict.ONLY_IF_EMPTY:
            return held is None
        case Conflict.NEWEST:
            if value == linked.known.get(pull.name):
                return False
            source = profile.trait_sources.get(pull.trait)
            return source is None or (
                record.modified_at is not None and record.modified_at >= source.at
            )
        case _:
            return True


def _ours_at(reader: Reader, profile: Profile, name: str) -> datetime | None:
    pull = reader.pulls.get(name)
    source = profile.trait_sources.get(pull.trait) if pull else None
    return source.at if source else None


def _email_owners(
    connection: Connection, reader: Reader, records: Sequence[Record]
) -> dict[str, ProfileId]:
    names = [p.name for p in reader.mapping.pulls if p.trait == "email"]
    found = {str(v).strip().lower() for r in records for n in names if (v := r.fields.get(n))}
    wanted = {Identifier(IdentifierKind.EMAIL, value) for value in found}
    return {i.value: who for i, who in profiles.find_identifiers(connection, wanted).items()}
