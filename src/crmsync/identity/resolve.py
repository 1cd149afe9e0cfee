"""The fold of events into profiles: the story of identity, one step per event.

`wanted` says what the store must load, `fold` works on it and gives an `Outcome` to save.
`people` and `companies` decide who is meant, `writing` which value is newer, `statistics` what a
visit counts. The rules in words are in docs/identity.md. Called by `sync.ingest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from crmsync.identity import statistics
from crmsync.identity.companies import (
    COMPANY,
    CompanyClaim,
    claim_of,
    company_identifiers,
    company_of,
)
from crmsync.identity.directory import Directory
from crmsync.identity.facts import company_changed_with
from crmsync.identity.people import person_identifiers, person_of
from crmsync.identity.rules import NoteCode, Rules, Types
from crmsync.identity.state import Outcome, Touched, World
from crmsync.identity.traits import STANDARD, STANDARD_COMPANY, value_type
from crmsync.identity.writing import write_company, write_identified, write_trait
from crmsync.model import (
    Event,
    EventType,
    Identifier,
    Profile,
    ProfileId,
    TraitSource,
    new_profile_id,
)

_STANDARD_NAMES = STANDARD.keys() | STANDARD_COMPANY.keys()
_NONE_APART: frozenset[str] = frozenset()
_NAME_APART = frozenset({"name"})
"""A company with an id is not renamed by who only names it: that may be an old name of it."""
_COMPANY_APART = frozenset({COMPANY})
_EMAIL_APART = frozenset({COMPANY, "email"})
"""Of traits: `company` is another profile, and an e-mail that is another's is not written."""


def wanted(events: Iterable[Event]) -> set[Identifier]:
    """Name every identifier that folding these events can look up."""
    found: set[Identifier] = set()
    for event in events:
        found.update(person_identifiers(event))
        found.update(company_identifiers(event))
    return found


def fold(
    events: Sequence[Event],
    world: World,
    rules: Rules,
    *,
    new_id: Callable[[], ProfileId] = new_profile_id,
) -> Outcome:
    """Fold events, in the order given, into the world's profiles, which change in place.

    `world` holds what the store has of `wanted(events)`. A profile's version goes up by one,
    and only if one of its facts changed.
    """
    directory = Directory(world, new_id)
    story = _Fold(directory, rules, world.trait_names)
    owners = [story.take(event) for event in events]
    outcome = directory.finish(owners)
    outcome.new_trait_names = story.new_trait_names
    return outcome


class _Fold:
    """The steps of one fold."""

    __slots__ = ("_directory", "_known_names", "_room", "_rules", "new_trait_names")

    def __init__(self, directory: Directory, rules: Rules, known_names: set[str]) -> None:
        self._directory = directory
        self._rules = rules
        self._known_names = known_names
        self._room = rules.max_trait_names - len(known_names - rules.read_names)
        self.new_trait_names: set[str] = set()

    def take(self, event: Event) -> ProfileId:
        """Fold one event; whose it is."""
        source = TraitSource(event.at, f"source:{event.source}", event.message_id)
        is_group = event.type is EventType.GROUP
        claim = claim_of(event)
        names_person = event.user_id or event.email or event.anonymous_id
        if claim is not None and not names_person:
            return self._take_company(claim, event, source)[0].id
        person, own_email = person_of(event, self._directory)
        touched = self._directory.touch(person)
        if is_group:
            if event.email is not None and own_email and person.email is None:
                write_trait(touched, "email", event.email, source)
        elif event.traits:
            apart = _COMPANY_APART if own_email else _EMAIL_APART
            self._write_traits(touched, event.traits, apart, event, source)
        if event.user_id is not None or event.email is not None:
            write_identified(touched, event.at)
        if event.type in statistics.ACTIVITY:
            touched.changed |= statistics.count(person, event, self._rules.goals)
        if claim is not None:
            company, changed = self._take_company(claim, event, source)
            self._move(touched, company, source)
            if changed and person.company_id == company.id:
                touched.changed |= company_changed_with(changed)
        elif not is_group and COMPANY in event.traits and event.traits[COMPANY] is None:
            self._move(touched, None, source)
        return person.id

    def _take_company(
        self, claim: CompanyClaim, event: Event, source: TraitSource
    ) -> tuple[Profile, set[str]]:
        """Fold what an event says of a company: (company, names of its facts that changed)."""
        company, is_named = company_of(claim, event, self._directory)
        touched = self._directory.touch(company)
        only_found_by_name = not claim.identifiers and company.user_id is not None
        apart = _NAME_APART if only_found_by_name else _NONE_APART
        changed = self._write_traits(touched, claim.traits, apart, event, source)
        if is_named:
            changed.add("group_id")
        return company, changed

    def _move(self, person: Touched, company: Profile | None, source: TraitSource) -> None:
        """Let a person belong to a company, or to none."""
        profile = person.profile
        if profile.company_id is not None:
            profile.company_id = self._directory.current(profile.company_id)
        left = profile.company_id
        if not write_company(person, None if company is None else company.id, source):
            return
        person.changed |= company_changed_with(("name", "group_id"))
        if company is not None:
            person.changed |= company_changed_with(company.traits)
        if left is not None:  # what the company left said is not loaded: any of its traits
            person.changed |= company_changed_with(self._known_names | STANDARD_COMPANY.keys())

    def _write_traits(
        self,
        touched: Touched,
        traits: Mapping[str, Any],
        apart: AbstractSet[str],
        event: Event,
        source: TraitSource,
    ) -> set[str]:
        """Write traits but those set apart; the names of those that changed."""
        changed = set()
        ignored = []
        for trait, value in traits.items():
            if trait in apart:
                continue
            if trait not in _STANDARD_NAMES:
                if not self._admit(trait):
                    ignored.append(trait)
                    continue
                if not self._fits(touched.profile, trait, value, event):
                    continue
            if write_trait(touched, trait, value, source):
                changed.add(trait)
        if ignored:
            self._directory.note(
                NoteCode.TRAIT_LIMIT,
                event,
                f"{len(ignored)} traits were ignored, the first is traits.{ignored[0]}: the "
                f"project has its {self._rules.max_trait_names} trait names (max_trait_names)",
            )
        return changed

    def _admit(self, trait: str) -> bool:
        """Tell whether a trait's name is known, read, or one more that the project may have."""
        if trait in self._known_names:
            return True
        if trait not in self._rules.read_names:
            if self._room <= 0:
                return False
            self._room -= 1
        self._known_names.add(trait)
        self.new_trait_names.add(trait)
        return True

    def _fits(self, profile: Profile, trait: str, value: object, event: Event) -> bool:
        """Tell whether a value may follow the one held, where no type is declared (C12)."""
        held = profile.traits.get(trait)
        if held is None or value is None or value_type(held) is value_type(value):
            return True
        if trait in self._rules.trait_types:
            return True  # judged when the call was read
        if self._rules.types is Types.STRICT:
            detail = f"traits.{trait} has another type than before and was refused (types: strict)"
            self._directory.note(NoteCode.VALUE_DROPPED, event, detail)
            return False
        detail = f"traits.{trait} has another type than before; it was taken as it is"
        self._directory.note(NoteCode.TYPE_CHANGED, event, detail)
        return True
