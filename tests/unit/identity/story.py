"""Short ways to tell a history of calls and see what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crmsync.identity.calls import read_call
from crmsync.identity.reading import Arrival
from crmsync.identity.resolve import fold
from crmsync.identity.rules import Note, Rules
from crmsync.identity.state import Outcome, World
from crmsync.model import Event, Identifier, IdentifierKind, Profile, ProfileId, ProfileKind

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULES = Rules(goals=frozenset({"plan_upgraded"}))


def at(clock: str) -> str:
    """Give a time of the story's day, for example `at("12:30")`."""
    return f"2026-06-01T{clock}:00Z"


def call(kind: str, rules: Rules = RULES, notes: list[Note] | None = None, **body: Any) -> Event:
    """Read one call that came alone at noon."""
    arrival = Arrival("web", NOON, rules)
    return read_call(kind, body, arrival, [] if notes is None else notes)


class Story:
    """A world that calls are folded into, one fold per `tell`."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.world = World()
        self.rules = rules
        self._arrival = Arrival("web", NOON, rules)
        self._count = 0

    def tell(self, *calls: tuple[str, Mapping[str, Any]]) -> Outcome:
        """Read calls, in order, and fold them."""
        return self.fold([read_call(kind, body, self._arrival, []) for kind, body in calls])

    def fold(self, events: Sequence[Event]) -> Outcome:
        """Fold events."""
        return fold(events, self.world, self.rules, new_id=self._new_id)

    def find(self, kind: str, value: str) -> Profile:
        """Get the profile that an identifier names, following merges as a store would."""
        return self.world.profiles[self.world.identifiers[Identifier(IdentifierKind(kind), value)]]

    def all(self, kind: ProfileKind = ProfileKind.PERSON) -> list[Profile]:
        """Give all profiles of a kind."""
        return [profile for profile in self.world.profiles.values() if profile.kind is kind]

    def _new_id(self) -> ProfileId:
        self._count += 1
        return ProfileId(f"p{self._count:02}")
