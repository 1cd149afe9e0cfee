"""Who is called what while events are folded: finding, naming, making and merging profiles.

Every lookup follows the merges of this fold, so a profile that was merged away is never seen
again. The rules of precedence are in `people` and `companies`; this module only keeps the books.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from crmsync.identity.rules import Note, NoteCode
from crmsync.identity.state import Merge, Outcome, Touched, World
from crmsync.identity.times import parse_time
from crmsync.identity.writing import absorb
from crmsync.model import Event, Identifier, Profile, ProfileId, ProfileKind


class Directory:
    """The world during one fold, and the outcome as far as it is known."""

    __slots__ = ("_merged_into", "_new_id", "_world", "outcome")

    def __init__(self, world: World, new_id: Callable[[], ProfileId]) -> None:
        """Work on a world in place."""
        self._world = world
        self._new_id = new_id
        self._merged_into: dict[ProfileId, ProfileId] = {}
        self.outcome = Outcome()

    def find(self, identifier: Identifier) -> Profile | None:
        """Find the profile that an identifier names."""
        profile_id = self._world.identifiers.get(identifier)
        return None if profile_id is None else self._world.profiles[self.current(profile_id)]

    def current(self, profile_id: ProfileId) -> ProfileId:
        """Give the profile that this one has become."""
        if self._merged_into:
            while (winner := self._merged_into.get(profile_id)) is not None:
                profile_id = winner
        return profile_id

    def became(self, profile: Profile) -> Profile:
        """Give what a profile is by now: itself, or the winner it was merged into."""
        return self._world.profiles[self.current(profile.id)]

    def claim(self, identifier: Identifier, profile: Profile) -> None:
        """Let an identifier name a profile, unless it names one already."""
        if identifier not in self._world.identifiers:
            self._world.identifiers[identifier] = profile.id
            self.outcome.new_identifiers[identifier] = profile.id

    def create(self, kind: ProfileKind) -> Profile:
        """Make a new profile."""
        profile = Profile(self._new_id(), kind)
        self._world.profiles[profile.id] = profile
        self.outcome.touched[profile.id] = Touched(profile, created=True, changed={"profile_id"})
        return profile

    def touch(self, profile: Profile) -> Touched:
        """Give the profile's entry among those to save."""
        touched = self.outcome.touched.get(profile.id)
        if touched is None:
            touched = self.outcome.touched[profile.id] = Touched(profile)
        return touched

    def merge(self, one: Profile, other: Profile, evidence: str, message_id: str) -> Profile:
        """Make two profiles one: who has a user id wins, else who has an e-mail, else the older.

        Gives the winner. A loser that was made in this fold leaves no trace.
        """
        winner, loser = sorted((one, other), key=_rank)
        touched_loser = self.outcome.touched.pop(loser.id, None)
        absorb(self.touch(winner), loser)
        del self._world.profiles[loser.id]
        self._merged_into[loser.id] = winner.id
        if touched_loser is None or not touched_loser.created:
            self.outcome.merges.append(Merge(winner.id, loser.id, evidence, message_id))
        return winner

    def note(self, code: NoteCode, event: Event, detail: str) -> None:
        """Tell the sender something about an event."""
        self.outcome.notes.append(Note(code, event.message_id, detail))

    def finish(self, owners: Sequence[ProfileId]) -> Outcome:
        """Close the books: final names for everything, one version up for what changed."""
        outcome = self.outcome
        outcome.owners = [self.current(owner) for owner in owners]
        if self._merged_into:
            self._follow_merges()
        for touched in outcome.touched.values():
            profile = touched.profile
            if touched.changed:
                profile.version += 1
                if "created_at" in touched.changed:
                    sent = profile.traits.get("created_at")
                    profile.created_at = parse_time(sent) if sent else profile.identified_at
        return outcome

    def _follow_merges(self) -> None:
        """Let everything that named a loser name the winner."""
        for identifiers in (self._world.identifiers, self.outcome.new_identifiers):
            for identifier, profile_id in identifiers.items():
                identifiers[identifier] = self.current(profile_id)
        for profile in self._world.profiles.values():
            if profile.company_id is not None:
                profile.company_id = self.current(profile.company_id)
        self.outcome.merges = [
            replace(merge, winner=self.current(merge.winner)) for merge in self.outcome.merges
        ]


def _rank(profile: Profile) -> tuple[bool, bool, ProfileId]:
    return (profile.user_id is None, profile.email is None, profile.id)
