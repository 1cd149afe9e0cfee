"""Why each CRM field holds what it holds: event → trait → mapping line → sync log entry.

And the other way: what somebody changed in the CRM → log entry → mapping line → trait.

    explain(works, profile)  ->  one RecordStory per mapping that is about such profiles

Reads only what is stored; a link of the chain that is no longer kept is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crmsync.identity.facts import facts
from crmsync.mapping.compiled import PullField, SyncMapping
from crmsync.mapping.problems import Place
from crmsync.mapping.render import render
from crmsync.model import EventType, LinkId, Profile, ProfileId, ProfileKind, TraitSource, Value
from crmsync.planning.reading import Flips
from crmsync.store import inbox, known_records, link_records, profiles, runs
from crmsync.store.inbox import StoredEvent
from crmsync.store.known_records import KnownRecord
from crmsync.store.read_log import ACTION
from crmsync.store.runs import LogEntry
from crmsync.store.vault import Vault
from crmsync.sync.context import Works
from crmsync.sync.shown import Shown

CONNECTION = "connection:"
"""What the origin of a trait begins with that was read back."""
COMPANY_PREFIX = "company_"
DERIVED = {
    "first_name": ("name",),
    "last_name": ("name",),
    "name": ("first_name", "last_name"),
    "avatar": ("email",),
}
"""Facts that are made of traits where nobody sent them: identity.facts has the rules."""
VISITS = frozenset({"sessions", "visits", "pages_viewed", "first_seen", "last_seen"})
GOALS = frozenset({"goals_completed", "revenue"})
ACTIVITY = frozenset({EventType.PAGE, EventType.SCREEN, EventType.TRACK})


@dataclass(frozen=True, slots=True)
class FactStory:
    """Where one fact that a field is made of came from."""

    name: str
    value: Any
    how: str
    """`sent`, `sent for the company`, `derived`, `counted` or `given by crmsync`."""
    trait: str | None = None
    """The trait behind it, where that has another name."""
    old: Any = None
    """What the trait held before, where it is still known."""
    source: TraitSource | None = None
    event: StoredEvent | None = None
    """The call that said so, or for a count the latest one counted; None where it is not kept."""
    read_at: datetime | None = None
    """When it was read back from a CRM, for what was."""


@dataclass(frozen=True, slots=True)
class FieldStory:
    """Why one CRM field holds what it holds."""

    name: str
    held: Value
    """What the record is known to hold."""
    wanted: Any
    """What the mapping makes of the profile now, before it is brought into the CRM's type."""
    unusable: str | None
    """Why the mapping can make nothing of it."""
    place: Place
    origin: str
    facts: Sequence[FactStory]
    written: LogEntry | None = None
    """The latest entry of the log that wrote it."""
    failed: LogEntry | None = None
    """The latest entry that failed to, where that is newer."""
    trait: str | None = None
    """The trait that it is read back into."""
    is_pushed: bool = True
    """Whether we write it at all."""
    is_of_deal: bool = False
    """Whether it is a field of the deal that speaks for the person."""
    taken: LogEntry | None = None
    """The latest entry that read it back."""
    noticed: LogEntry | None = None
    """The latest entry that read it back and left it as it was, where that is newer."""
    is_frozen: bool = False
    """Whether both sides leave it alone, since they took turns."""


@dataclass(frozen=True, slots=True)
class RecordStory:
    """One record and its fields."""

    mapping: SyncMapping
    record: KnownRecord | None
    in_scope: bool
    addressable: bool
    """Whether any match key is known; without one nothing is sent."""
    fields: Sequence[FieldStory]


def explain(works: Works, profile: Profile) -> list[RecordStory]:
    """Tell the story of every record that a profile has or is to have."""
    vault = works.store.vault
    with works.store.database.read() as connection:
        witness = _Witness.of(works, connection, profile)
        known = known_records.known_records(connection, vault, [profile.id]).get(profile.id, [])
        shown = Shown(connection)
        entries = [
            replace(entry, fields=shown.changes(entry))
            for entry in runs.find_entries(connection, vault, profile_id=profile.id)
        ]
        frozen = link_records.flips(connection, [record.link_id for record in known])
        return [
            _record(witness, shown, mapping, known, entries, frozen)
            for mapping in works.configuration.mappings
            if mapping.source is profile.kind
        ]


def _record(  # noqa: PLR0913, PLR0917 - all that is stored about one record
    witness: _Witness,
    shown: Shown,
    mapping: SyncMapping,
    known: Sequence[KnownRecord],
    entries: Sequence[LogEntry],
    flips: Mapping[LinkId, Mapping[str, Flips]],
) -> RecordStory:
    key = (mapping.connection, mapping.object_type)
    record = next((one for one in known if (one.connection, one.object_type) == key), None)
    ours = [entry for entry in entries if (entry.connection, entry.object) == key]
    wanted = render(mapping, witness.facts)
    held = shown.fields(*key, record.snapshot) if record else {}
    turns = flips.get(record.link_id, {}) if record else {}
    stories = [
        FieldStory(
            name=line.name,
            held=held.get(line.name),
            wanted=wanted.fields.get(line.name, wanted.match.get(line.name)),
            unusable=wanted.unusable.get(line.name),
            place=line.place,
            origin=line.origin,
            facts=[witness.tell(fact) for fact in line.reads],
            written=(written := _latest(ours, line.name, of=_wrote)),
            failed=_newer(_latest(ours, line.name, of=_failed), written),
            trait=line.trait,
            is_pushed=line.is_pushed,
            is_of_deal=line.is_of_deal,
            taken=(taken := _latest(ours, line.name, of=_took)),
            noticed=_newer(_latest(ours, line.name, of=_noticed), taken, written),
            is_frozen=line.name in turns and turns[line.name].frozen_at is not None,
        )
        for line in _lines(mapping)
    ]
    return RecordStory(mapping, record, wanted.in_scope, bool(wanted.match), stories)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a mapping that says something of a CRM field."""

    name: str
    place: Place
    origin: str
    reads: Sequence[str]
    trait: str | None = None
    is_pushed: bool = True
    is_of_deal: bool = False


def _lines(mapping: SyncMapping) -> Iterator[_Line]:
    """Yield what is written, then the match keys that are not, then what is only read back."""
    back = {pull.name: pull.trait for pull in mapping.pulls}
    for field_ in mapping.fields:
        reads = sorted(field_.reads)
        yield _Line(field_.name, field_.place, field_.origin, reads, back.get(field_.name))
    named = {field_.name for field_ in mapping.fields}
    for name, fact in mapping.match:
        if name not in named:
            yield _Line(name, mapping.match_places[name], fact, (fact,))
    for pull in mapping.pulls:
        if not pull.is_pushed:
            yield _only_read(pull)
    for pull in mapping.deals.pulls if mapping.deals else ():
        yield replace(_only_read(pull), is_of_deal=True)


def _only_read(pull: PullField) -> _Line:
    return _Line(pull.name, pull.place, pull.trait, (pull.trait,), pull.trait, is_pushed=False)


def _wrote(entry: LogEntry, name: str) -> bool:
    return entry.action != ACTION and entry.error is None and name in entry.fields


def _failed(entry: LogEntry, name: str) -> bool:
    return entry.action != ACTION and entry.error is not None and name in entry.fields


def _took(entry: LogEntry, name: str) -> bool:
    return entry.action == ACTION and entry.error is None and name in entry.fields


def _noticed(entry: LogEntry, name: str) -> bool:
    if entry.action != ACTION or entry.error is None:
        return False
    return name in entry.fields or entry.error["field"] == name


def _latest(
    entries: Sequence[LogEntry], name: str, *, of: Callable[[LogEntry, str], bool]
) -> LogEntry | None:
    return next((entry for entry in entries if of(entry, name)), None)


def _newer(one: LogEntry | None, *others: LogEntry | None) -> LogEntry | None:
    if one is None or any(other is not None and other.at >= one.at for other in others):
        return None
    return one


@dataclass(slots=True)
class _Witness:
    """Knows where the facts of one profile came from."""

    profile: Profile
    company: Profile | None
    facts: Mapping[str, Any]
    goals: frozenset[str]
    vault: Vault
    connection: Connection
    own_sources: Mapping[str, TraitSource]
    company_sources: Mapping[str, TraitSource]
    old_values: Mapping[tuple[ProfileId, str, str], tuple[Any, datetime]]
    """What a trait held before, and since when not, by profile, trait and message id."""
    history: Sequence[StoredEvent]
    _stories: dict[str, FactStory] = field(default_factory=dict)

    @classmethod
    def of(cls, works: Works, connection: Connection, profile: Profile) -> _Witness:
        """Load all that is stored about a profile and its company."""
        vault = works.store.vault
        company = None
        if profile.company_id is not None:
            found = profiles.load(connection, [profile.company_id])
            company = found.get(profile.company_id)
        about = [profile.id, *([company.id] if company else [])]
        return cls(
            profile=profile,
            company=company,
            facts=facts(profile, company),
            goals=works.rules.goals,
            vault=vault,
            connection=connection,
            own_sources=profiles.sources_of(connection, profile.id),
            company_sources=profiles.sources_of(connection, company.id) if company else {},
            old_values={
                (owner, trait, change[3]): (change[0], stored.at)
                for owner in about
                # The latest one last: everything read back of a record has one message id.
                for stored in reversed(inbox.changes_of(connection, vault, owner))
                for trait, change in stored.traits.items()
            },
            history=inbox.history(connection, vault, profile.id),
        )

    def tell(self, name: str) -> FactStory:
        """Return a fact's story."""
        if name not in self._stories:
            self._stories[name] = self._story(name)
        return self._stories[name]

    def _story(self, name: str) -> FactStory:
        if name in VISITS | GOALS and self.profile.kind is ProfileKind.PERSON:
            return self._counted(name)
        if name in self.profile.traits:
            return self._sent(name, name, self.own_sources, self.profile.id, "sent")
        for trait in DERIVED.get(name, ()):
            if trait in self.profile.traits:
                return self._sent(name, trait, self.own_sources, self.profile.id, "derived")
        if self.company is not None:
            trait = "name" if name == "company" else name.removeprefix(COMPANY_PREFIX)
            if trait in self.company.traits and (name == "company" or trait != name):
                how = "sent for the company"
                return self._sent(name, trait, self.company_sources, self.company.id, how)
        value = self.facts.get(name)
        return FactStory(name, value, "given by crmsync" if value is not None else "never sent")

    def _sent(
        self,
        name: str,
        trait: str,
        sources: Mapping[str, TraitSource],
        owner: ProfileId,
        how: str,
    ) -> FactStory:
        source = sources.get(trait)
        key = owner, trait, source.message_id if source else ""
        old, since = self.old_values.get(key, (None, None))
        return FactStory(
            name=name,
            value=self.facts.get(name),
            how=how,
            trait=trait if trait != name else None,
            old=old,
            source=source,
            event=self._event(source) if source else None,
            read_at=since if source and source.origin.startswith(CONNECTION) else None,
        )

    def _event(self, source: TraitSource) -> StoredEvent | None:
        kind, _, origin = source.origin.partition(":")
        if kind != "source":
            return None
        return inbox.find(self.connection, self.vault, origin, source.message_id)

    def _counted(self, name: str) -> FactStory:
        """Return the latest event that a count counted; the earliest for `first_seen`."""
        counted = [e for e in self.history if self._counts(name, e)]
        if name == "first_seen":
            counted.reverse()
        latest = counted[0] if counted else None
        return FactStory(name, self.facts.get(name), "counted", event=latest)

    def _counts(self, name: str, event: StoredEvent) -> bool:
        if name in GOALS:
            return event.type == EventType.TRACK and event.name in self.goals
        if name == "pages_viewed":
            return event.type in (EventType.PAGE, EventType.SCREEN)
        return event.type in ACTIVITY
