"""Why each CRM field holds what it holds: event → trait → mapping line → sync log entry.

And the other way: what somebody changed in the CRM → log entry → mapping line → trait.

    explain(works, profile)  ->  one RecordStory per mapping that is about such profiles

Reads only what is stored; a link of the chain that is no longer kept is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crmsync.mapping.compiled import PullField, SyncMapping
from crmsync.mapping.problems import Place
from crmsync.mapping.render import render
from crmsync.model import LinkId, Profile, Value
from crmsync.planning.reading import Flips
from crmsync.store import known_records, link_records, runs
from crmsync.store.known_records import KnownRecord
from crmsync.store.read_log import ACTION
from crmsync.store.runs import LogEntry
from crmsync.sync.context import Works
from crmsync.sync.shown import Shown
from crmsync.sync.witness import FactStory, Witness


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
    refused: LogEntry | None = None
    """The latest entry that failed for the record as a whole, where nothing has succeeded since."""


def explain(works: Works, profile: Profile) -> list[RecordStory]:
    """Tell the story of every record that a profile has or is to have."""
    vault = works.store.vault
    with works.store.database.read() as connection:
        witness = Witness.of(works, connection, profile)
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
    witness: Witness,
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
            taken=(taken := _latest(ours, line.name, of=_took_by(line, witness))),
            noticed=_newer(_latest(ours, line.name, of=_noticed), taken, written),
            is_frozen=line.name in turns and turns[line.name].frozen_at is not None,
        )
        for line in _lines(mapping)
    ]
    names = {line.name for line in _lines(mapping)}
    whole = next((e for e in ours if e.error and e.error["field"] not in names), None)
    succeeded = next((e for e in ours if e.error is None and e.action != ACTION), None)
    return RecordStory(
        mapping, record, wanted.in_scope, bool(wanted.match), stories, _newer(whole, succeeded)
    )


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
    is_twice: bool = False
    """Whether the record and its deal have a field of this name; the log does not tell which."""


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
    of_deals = mapping.deals.pulls if mapping.deals else ()
    twice = {pull.name for pull in of_deals} & set(mapping.read_fields)
    for pull in mapping.pulls:
        if not pull.is_pushed:
            yield replace(_only_read(pull), is_twice=pull.name in twice)
    for pull in of_deals:
        yield replace(_only_read(pull), is_of_deal=True, is_twice=pull.name in twice)


def _only_read(pull: PullField) -> _Line:
    return _Line(pull.name, pull.place, pull.trait, (pull.trait,), pull.trait, is_pushed=False)


def _wrote(entry: LogEntry, name: str) -> bool:
    return entry.action != ACTION and entry.error is None and name in entry.fields


def _failed(entry: LogEntry, name: str) -> bool:
    return entry.action != ACTION and entry.error is not None and name in entry.fields


def _took_by(line: _Line, witness: Witness) -> Callable[[LogEntry, str], bool]:
    """Say whether an entry read a line's field back: by value, where the name is not enough."""

    def took(entry: LogEntry, name: str) -> bool:
        if entry.action != ACTION or entry.error is not None or name not in entry.fields:
            return False
        return not line.is_twice or entry.fields[name][1] == witness.facts.get(line.origin)

    return took


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
