"""Where the facts of one profile came from: the call that sent them, or the CRM they were read in.

Reads only what is stored; what is no longer kept is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crmsync.identity.facts import facts
from crmsync.model import EventType, Profile, ProfileId, ProfileKind, TraitSource
from crmsync.store import inbox, profiles
from crmsync.store.inbox import StoredEvent
from crmsync.store.vault import Vault
from crmsync.sync.context import Works

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


@dataclass(slots=True)
class Witness:
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
    def of(cls, works: Works, connection: Connection, profile: Profile) -> Witness:
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
