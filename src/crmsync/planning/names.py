"""Ids of a CRM's users and pipeline stages, and the names by which people know them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from crmsync.model import Directory, Owner, Stage, Value


class NoSuchName(Exception):
    """The directory has no such entry."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a CRM's directories say."""

    _shown: dict[Directory, dict[str, str]] = field(repr=False)
    _owner_ids: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, owners: Iterable[Owner], stages: Iterable[Stage]) -> Names:
        """Owners are known by e-mail, else by name; stages by label."""
        people = list(owners)
        shown = {
            Directory.OWNERS: {o.id: o.email.lower() or o.name for o in people},
            Directory.STAGES: {stage.id: stage.label for stage in stages},
        }
        # Who left has no more work assigned; of two users with one e-mail the first one has it.
        ids = {o.email.lower(): o.id for o in reversed(people) if o.email and o.is_active}
        return cls(shown, ids)

    def shown(self, directory: Directory, value: Value) -> Value:
        """Return what people call an entry; raise NoSuchName for an id that is not there."""
        if value is None:
            return None
        try:
            return self._shown[directory][str(value)]
        except KeyError:
            raise NoSuchName from None

    def has(self, directory: Directory, value: Value) -> bool:
        """Whether an id is there; nothing is."""
        return value is None or str(value) in self._shown[directory]

    def owner_id(self, value: Value) -> Value:
        """Return the id of the active user with an e-mail, or of the one whose id it is.

        Raises NoSuchName where there is none.
        """
        text = str(value).strip()
        if text in self._shown[Directory.OWNERS]:
            return text
        try:
            return self._owner_ids[text.lower()]
        except KeyError:
            raise NoSuchName from None
