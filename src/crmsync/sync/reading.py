"""What a page of changed records needs to be judged by, and the books that are kept meanwhile.

`Reader` is worked out once per pull of a mapping; `Books` hold what one transaction changes, and
`close` saves it: profiles, history, marks, links, log, and what has to be read once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from crmsync.identity.facts import facts
from crmsync.identity.pulled import write_pulled
from crmsync.identity.state import Touched
from crmsync.identity.times import parse_time
from crmsync.mapping.compiled import Conflict, Drift, FieldMapping, PullField, SyncMapping
from crmsync.mapping.render import render
from crmsync.model import (
    CrmId,
    Directory,
    Failure,
    Identifier,
    IdentifierKind,
    LinkId,
    ObjectSchema,
    Profile,
    ProfileId,
    ProfileKind,
    RunId,
    RunTrigger,
    Value,
)
from crmsync.planning.changes import desired_record, difference, normalisers, phone_fields
from crmsync.planning.names import Names
from crmsync.planning.normalise import Normaliser
from crmsync.planning.reading import Flips, Owner
from crmsync.store import hints, inbox, link_records, links, profiles, read_log, runs
from crmsync.store.link_records import Linked
from crmsync.store.links import Mark
from crmsync.store.read_log import Entry
from crmsync.sync import complaints
from crmsync.sync.context import Sync, Works
from crmsync.sync.marking import marks_of

_OWNERS: Mapping[Conflict, Owner] = {
    Conflict.OURS: Owner.OURS,
    Conflict.THEIRS: Owner.THEIRS,
    Conflict.NEWEST: Owner.NEWEST,
    Conflict.ONLY_IF_EMPTY: Owner.WHO_COMES_FIRST,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """One mapping, seen from the CRM's side."""

    works: Works
    sync: Sync
    schema: ObjectSchema
    names: Names
    canonical: Mapping[str, Normaliser]
    phones: tuple[str, ...]
    pulls: Mapping[str, PullField]
    """By CRM field: what is read back into a trait."""

    @classmethod
    def of(cls, works: Works, sync: Sync, schema: ObjectSchema, names: Names) -> Reader:
        """Work out what every page of a mapping is judged by."""
        mapping = sync.mapping
        fields = [f.name for f in mapping.fields]
        return cls(
            works,
            sync,
            schema,
            names,
            normalisers([*fields, *(name for name, _ in mapping.match)], schema.fields),
            phone_fields(fields, schema.fields),
            {p.name: p for p in mapping.pulls},
        )

    @property
    def mapping(self) -> SyncMapping:
        """Return the mapping."""
        return self.sync.mapping

    def owner_of(self, field: FieldMapping) -> Owner:
        """Return who decides what a field holds."""
        if field.conflict is Conflict.OURS and self.mapping.drift is Drift.REASSERT:
            return Owner.OURS_AT_ONCE
        return _OWNERS[field.conflict]

    def takes_turns(self, name: str) -> bool:
        """Whether both sides may write a field again and again."""
        return any(
            self.owner_of(f) is not Owner.WHO_COMES_FIRST
            for f in self.mapping.fields
            if f.name == name
        )

    def desired(self, profile: Profile, company: Profile | None) -> dict[str, Value]:
        """Return what the record should hold; nothing where it cannot be said, or need not be."""
        wanted = render(self.mapping, facts(profile, company))
        if not wanted.in_scope:
            return {}
        record = desired_record({**wanted.match, **wanted.fields}, wanted.unusable, self.canonical)
        return {} if isinstance(record, Failure) else record

    def shown(self, pull: PullField, value: Value, schema: ObjectSchema | None = None) -> Value:
        """Return a field's value as people know it. Raises `NoSuchName`."""
        described = (schema or self.schema).fields.get(pull.name)
        directory: Directory | None = described.directory if described else None
        return self.names.shown(directory, value) if directory else value


@dataclass(slots=True)
class Books:
    """What one page changes; kept until the end of its transaction."""

    reader: Reader
    connection: Connection
    now: datetime
    people: dict[ProfileId, Profile]
    """Locked; in the order in which everybody locks them."""
    companies: dict[ProfileId, Profile]
    email_owners: dict[str, ProfileId] = field(default_factory=dict)
    """Who has each of the e-mails that the page holds."""
    touched: dict[ProfileId, Touched] = field(default_factory=dict)
    changed_links: dict[LinkId, Linked] = field(default_factory=dict)
    own: dict[ProfileId, Linked] = field(default_factory=dict)
    """The links of this mapping whose people's traits were changed by it."""
    flips: dict[tuple[LinkId, str], Flips] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    again: dict[CrmId, CrmId | None] = field(default_factory=dict)
    """Records to read once more, when what was sent of them has settled; and the ones that they
    were merged into, where that is known."""
    counts: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)
    """By CRM field: how many records hold another value than ours, told before or not."""
    sweep: Counter[str] = field(default_factory=Counter)
    """`drifted` records; of a sweep's page, `compared` ones of links and `unlinked` ones."""
    woken: set[str] = field(default_factory=set)
    """Connections that have something to send, once all is committed."""

    def turned(self, linked: Linked) -> set[str]:
        """Return which fields of a link are known to have taken turns on this page."""
        return {name for link, name in self.flips if link == linked.link_id}

    def company_of(self, profile: Profile) -> Profile | None:
        """Return a person's company."""
        return self.companies.get(profile.company_id) if profile.company_id else None

    def write(
        self,
        linked: Linked,
        pull: PullField,
        value: Any,  # noqa: ANN401 - any JSON
        at: datetime,
        source: str,
    ) -> Failure | None:
        """Write a trait that the CRM decides; return why it was not."""
        profile = self.people[linked.profile_id]
        is_person = profile.kind is ProfileKind.PERSON
        is_email = is_person and pull.trait == "email" and isinstance(value, str)
        if is_email:
            value = value.strip().lower()
            if self.email_owners.setdefault(value, profile.id) != profile.id:
                return complaints.email_taken(pull)
        touched = self.touched.setdefault(profile.id, Touched(profile))
        name = self.reader.mapping.connection
        if write_pulled(touched, pull.trait, value, at=at, connection=name, message_id=source):
            self.own[profile.id] = linked
            if is_email:
                identifier = Identifier(IdentifierKind.EMAIL, value)
                profiles.add_missing_identifier(self.connection, identifier, profile.id)
        return None

    def is_busy(self, linked: Linked) -> bool:
        """Whether a write is under way, or may still land: what is read may be overtaken."""
        lands_until = linked.row.verify_at
        return linked.is_busy or (lands_until is not None and lands_until > self.now)

    def note(self, entry: Entry) -> None:
        """Add to the log."""
        self.entries.append(entry)

    def ask_again(self, crm_id: CrmId, successor: CrmId | None = None) -> None:
        """Have a record read once more, when nothing of ours can be under way to it."""
        self.again[crm_id] = successor

    def close(self) -> None:
        """Save everything."""
        reader, connection, now = self.reader, self.connection, self.now
        vault, mapping = reader.sync.store.vault, reader.mapping
        changed = [t for t in self.touched.values() if t.changed or t.changes]
        for touched in changed:
            touched.profile.version += 1
            if "created_at" in touched.changed:
                sent = touched.profile.traits.get("created_at")
                touched.profile.created_at = parse_time(sent) if sent else None
        profiles.save(connection, [t.profile for t in self.touched.values()])
        names = {change.trait for t in changed for change in t.changes}
        profiles.add_trait_names(connection, names, now)
        inbox.record_changes(connection, vault, [t for t in changed if t.changes], now)
        link_records.save(connection, vault, list(self.changed_links.values()), now)
        # After the links as they were read are saved: a mark is not to be written over.
        marks = marks_of(reader.works, connection, changed, now)
        wanted = [mark for mark in marks if not self._is_in_step(mark)]
        links.mark(connection, wanted)
        self.woken = {mark.connection for mark in wanted}
        link_records.save_flips(connection, self.flips)
        if self.entries:
            read_log.write(connection, vault, self._run(), self.entries, now)
        later = now + timedelta(seconds=reader.sync.timing.settle_seconds)
        again = {(mapping.object_type, crm_id): into for crm_id, into in self.again.items()}
        hints.ask(connection, mapping.connection, again, later)
        merged = {record: into for record, into in again.items() if into is not None}
        hints.name_successors(connection, mapping.connection, merged)

    def _is_in_step(self, mark: Mark) -> bool:
        """Whether a mark is about the very record that was read, and it holds all there is."""
        mapping, linked = self.reader.mapping, self.own.get(mark.profile_id)
        is_here = (mark.connection, mark.object_type) == (mapping.connection, mapping.object_type)
        if linked is None or linked.to_write or self.is_busy(linked) or not is_here:
            return False
        profile = self.people[linked.profile_id]
        desired = self.reader.desired(profile, self.company_of(profile))
        return not difference(desired, linked.known, self.reader.phones)

    def _run(self) -> RunId:
        mapping = self.reader.mapping
        start = runs.window_start(RunTrigger.PULL, self.now)
        return runs.open_run(
            self.connection,
            mapping.sync,
            mapping.connection,
            mapping.object_type,
            RunTrigger.PULL,
            start,
            self.now,
        )
