"""What the fold of events works on and what it gives back. The store fills one, saves the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crmsync.identity.rules import Note
from crmsync.model import Identifier, Profile, ProfileId, TraitSource


@dataclass(slots=True)
class World:
    """The part of the identity store that some events can touch; the fold changes it in place."""

    profiles: dict[ProfileId, Profile] = field(default_factory=dict)
    """At least every profile that `identifiers` names."""
    identifiers: dict[Identifier, ProfileId] = field(default_factory=dict)
    """Of what `resolve.wanted` asked for, all that the store has."""
    trait_names: set[str] = field(default_factory=set)
    """Every trait name of the project that is not a standard one."""


@dataclass(frozen=True, slots=True)
class TraitChange:
    """A trait got another value. For `company` the values are ids of company profiles."""

    trait: str
    old: Any
    new: Any
    source: TraitSource


@dataclass(slots=True)
class Touched:
    """A profile that must be saved."""

    profile: Profile
    created: bool = False
    changed: set[str] = field(default_factory=set)
    """Names of the facts whose value changed; empty where only a source became newer."""
    changes: list[TraitChange] = field(default_factory=list)
    """In the order in which they happened."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Two stored profiles became one.

    All identifiers, links and events of the loser, also those that were not loaded, and the
    people of a loser that is a company, belong to the winner from now on.
    """

    winner: ProfileId
    loser: ProfileId
    evidence: str
    """What showed that they are one: a kind of identifier, or `alias`."""
    message_id: str


@dataclass(slots=True)
class Outcome:
    """What a fold found out. Save in this order: touched, new identifiers, merges (in order)."""

    touched: dict[ProfileId, Touched] = field(default_factory=dict)
    new_identifiers: dict[Identifier, ProfileId] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    owners: list[ProfileId] = field(default_factory=list)
    """Whose each event is, in the order of the events; a group call without a person's id
    belongs to the company."""
    notes: list[Note] = field(default_factory=list)
    new_trait_names: set[str] = field(default_factory=set)
