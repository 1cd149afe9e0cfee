"""Which records are associated with which, and by what types. Always kept in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

HUBSPOT_DEFINED = "HUBSPOT_DEFINED"
USER_DEFINED = "USER_DEFINED"

Kind = tuple[str, int]
"""Category and type id."""


@dataclass(frozen=True, slots=True)
class Label:
    """One association type from one object type to another."""

    category: str
    type_id: int
    label: str | None
    inverse_id: int


UNLABELLED = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("deals", "contacts"): 3,
    ("contacts", "deals"): 4,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("contacts", "contacts"): 449,
    ("companies", "companies"): 450,
    ("deals", "deals"): 451,
}
_PRIMARY = {
    ("contacts", "companies"): 1,
    ("companies", "contacts"): 2,
    ("deals", "companies"): 5,
    ("companies", "deals"): 6,
}
_FIRST_OWN_TYPE = 1000


class Associations:
    """Every association of one portal."""

    def __init__(self) -> None:
        """Start without any, with the types HubSpot defines."""
        self._pairs: dict[tuple[str, str, str], dict[str, set[Kind]]] = {}
        """By from type, from id and to type: to id and the kinds."""
        self._labels: dict[tuple[str, str], list[Label]] = {}
        self._next_type = _FIRST_OWN_TYPE
        self.made: Callable[[str, str, str, str], object] = _untold
        """Told of each new pair; not of those that a merge moves."""
        self.removed: Callable[[str, str, str, str], object] = _untold
        """The same of each that is taken away."""
        for (source, target), type_id in UNLABELLED.items():
            inverse = UNLABELLED[target, source]
            self._labels[source, target] = [Label(HUBSPOT_DEFINED, type_id, None, inverse)]
        for (source, target), type_id in _PRIMARY.items():
            inverse = _PRIMARY[target, source]
            self._labels[source, target].append(Label(HUBSPOT_DEFINED, type_id, "Primary", inverse))

    # --- types ------------------------------------------------------------------------------

    def labels(self, source: str, target: str) -> list[Label]:
        """Return the types from one object type to another."""
        return self._labels[source, target]

    def find_label(self, source: str, target: str, kind: Kind) -> Label | None:
        """Return one type."""
        return next(
            (x for x in self._labels[source, target] if (x.category, x.type_id) == kind), None
        )

    def add_label(self, source: str, target: str, label: str, inverse: str) -> list[Label]:
        """Define a label, both ways; return the two."""
        first, second = self._next_type, self._next_type + 1
        self._next_type += 2
        forth = Label(USER_DEFINED, first, label, second)
        back = Label(USER_DEFINED, second, inverse, first)
        self._labels[source, target].append(forth)
        self._labels[target, source].append(back)
        return [forth, back]

    # --- pairs ------------------------------------------------------------------------------

    def of(self, source: str, record_id: str, target: str) -> dict[str, set[Kind]]:
        """Return what a record is associated with: kinds by id."""
        return self._pairs.get((source, record_id, target), {})

    def connect(self, source: str, from_id: str, target: str, to_id: str) -> Kind:
        """Add the unlabelled type to a pair; return it."""
        kind = (HUBSPOT_DEFINED, UNLABELLED[source, target])
        held = self._kinds(source, from_id, target, to_id)
        self._set(source, from_id, target, to_id, {kind, *held})
        if not held:
            self.made(source, from_id, target, to_id)
        return kind

    def label(
        self, source: str, from_id: str, target: str, to_id: str, kinds: Iterable[Kind]
    ) -> None:
        """Replace the labels of a pair; the unlabelled type is always among them."""
        wanted = {*kinds, (HUBSPOT_DEFINED, UNLABELLED[source, target])}
        primary = (HUBSPOT_DEFINED, _PRIMARY.get((source, target), 0))
        if primary in wanted:
            self._demote(source, from_id, target, primary)
        is_new = not self._kinds(source, from_id, target, to_id)
        self._set(source, from_id, target, to_id, wanted)
        if is_new:
            self.made(source, from_id, target, to_id)

    def unlabel(
        self, source: str, from_id: str, target: str, to_id: str, kinds: Iterable[Kind]
    ) -> None:
        """Take labels from a pair; without the unlabelled type nothing is left of it."""
        removed = set(kinds)
        if (HUBSPOT_DEFINED, UNLABELLED[source, target]) in removed:
            self.disconnect(source, from_id, target, to_id)
        else:
            left = self._kinds(source, from_id, target, to_id) - removed
            self._set(source, from_id, target, to_id, left)

    def disconnect(self, source: str, from_id: str, target: str, to_id: str) -> None:
        """Remove a pair."""
        if self._drop(source, from_id, target, to_id):
            self.removed(source, from_id, target, to_id)

    def forget(self, source: str, record_id: str) -> None:
        """Remove all of a record's pairs."""
        for target in {pair[1] for pair in self._labels}:
            for to_id in list(self.of(source, record_id, target)):
                self.disconnect(source, record_id, target, to_id)

    def move(self, source: str, from_id: str, survivor_id: str) -> None:
        """Give a record's pairs to another."""
        for target in {pair[1] for pair in self._labels}:
            for to_id, kinds in list(self.of(source, from_id, target).items()):
                self._drop(source, from_id, target, to_id)
                if (target, to_id) != (source, survivor_id):
                    both = kinds | self._kinds(source, survivor_id, target, to_id)
                    self._set(source, survivor_id, target, to_id, both)

    def snapshot(self) -> list[list[str]]:
        """Return the pairs as JSON: from type and id, to type and id; without their labels."""
        return [
            [source, from_id, target, to_id]
            for (source, from_id, target), pairs in self._pairs.items()
            for to_id in pairs
        ]

    def load_snapshot(self, snapshot: Iterable[list[str]]) -> None:
        """Add the pairs of a snapshot."""
        for pair in snapshot:
            self.connect(*pair)

    def _kinds(self, source: str, from_id: str, target: str, to_id: str) -> set[Kind]:
        return self._pairs.get((source, from_id, target), {}).get(to_id, set())

    def _drop(self, source: str, from_id: str, target: str, to_id: str) -> bool:
        """Take a pair away; return whether there was one."""
        held = self._pairs.get((source, from_id, target), {}).pop(to_id, None)
        self._pairs.get((target, to_id, source), {}).pop(from_id, None)
        return held is not None

    def _set(self, source: str, from_id: str, target: str, to_id: str, kinds: set[Kind]) -> None:
        back = {
            (category, label.inverse_id)
            for category, type_id in kinds
            if (label := self.find_label(source, target, (category, type_id))) is not None
        }
        self._pairs.setdefault((source, from_id, target), {})[to_id] = kinds
        self._pairs.setdefault((target, to_id, source), {})[from_id] = back

    def _demote(self, source: str, from_id: str, target: str, primary: Kind) -> None:
        """Only one company may be a record's primary one."""
        for to_id, kinds in list(self.of(source, from_id, target).items()):
            if target == "companies" and primary in kinds:
                self._set(source, from_id, target, to_id, kinds - {primary})


def _untold(_source: str, _from_id: str, _target: str, _to_id: str) -> None:
    return
