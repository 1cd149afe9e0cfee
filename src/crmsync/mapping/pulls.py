"""What is read back from a CRM: `pull:`, the two-way lines of `fields:`, and `deals:`.

Every field has one owner, and every trait one field of a mapping that it is read from: that is what
keeps two-way sync from going round in circles. What would break it is noted at its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from crmsync.mapping.compiled import (
    Conflict,
    DealMapping,
    FieldMapping,
    NoneOpen,
    Pick,
    PullField,
)
from crmsync.mapping.problems import Place, Problems
from crmsync.mapping.reversal import Back, Irreversible, reader, reversed_field
from crmsync.mapping.spec import (
    DealFieldKeys,
    DealKeys,
    FieldKeys,
    MappingKeys,
    PullKeys,
    long_form,
)
from crmsync.mapping.vocabulary import Vocabulary
from crmsync.mapping.yaml_nodes import MapNode, node_at

TWO_WAY: Final = frozenset({Conflict.THEIRS, Conflict.NEWEST})
"""What `conflict` under `fields:` says of a field that is read back too."""


def pulled_names(root: MapNode) -> Iterator[str]:
    """Yield the traits that a mapping file reads from its CRM, be the file right or wrong."""
    for path in (("pull",), ("deals", "pull")):
        node, _, found = node_at(root, path)
        if found == path and isinstance(node, MapNode):
            yield from node.entries


class PullReader:
    """Checks and compiles what one file reads back."""

    def __init__(
        self, keys: MappingKeys, root: MapNode, vocabulary: Vocabulary, problems: Problems
    ) -> None:
        """`root` is what `keys` were read from."""
        self._keys = keys
        self._root = root
        self._vocabulary = vocabulary
        self._problems = problems
        self._fields = {name: long_form(FieldKeys, given) for name, given in keys.fields.items()}
        self._places: dict[str, Place] = {}
        """Where each trait was first said to be read back."""

    def records(self) -> tuple[PullField, ...]:
        """Return what is read back of the records, those that go both ways first."""
        found = [
            self._two_way(name, keys)
            for name, keys in self._fields.items()
            if Conflict(keys.conflict) in TWO_WAY
        ]
        for trait, given in self._keys.pull.items():
            found.append(self._pull(trait, long_form(PullKeys, given)))
        return tuple(pull for pull in found if pull)

    def deals(self) -> DealMapping | None:
        """Return what is read back of deals; call it after `records`."""
        keys = self._keys.deals
        if keys is None:
            return None
        place = self._root.key_places["deals"]
        if self._keys.source != "profiles":
            self._problems.error(place, "`deals` are those of people; this mapping sends companies")
        self._check_none_open(keys)
        pulls = []
        for trait, given in keys.pull.items():
            at = node_at(self._root, ("deals", "pull", trait))[1]
            if self._is_free(trait, at):
                field = long_form(DealFieldKeys, given)
                pulls.append(_only_read(trait, field, Conflict.THEIRS, at))
        return DealMapping(Pick(keys.pick), NoneOpen(keys.none_open), tuple(pulls), place)

    def _two_way(self, name: str, keys: FieldKeys) -> PullField | None:
        """Return what reads back a line of `fields:` whose own `conflict` asks for it."""
        node, _, _ = node_at(self._root, ("fields", name, "conflict"))
        back = self._reversed(name, keys, node.place)
        if back is None or keys.from_ is None or not self._is_free(keys.from_, node.place):
            return None
        _, place, _ = node_at(self._root, ("fields", name))
        return PullField(
            trait=keys.from_,
            name=name,
            conflict=Conflict(keys.conflict),
            is_pushed=True,
            place=place,
            back=back,
        )

    def _pull(self, trait: str, keys: PullKeys) -> PullField | None:
        _, place, _ = node_at(self._root, ("pull", trait))
        pushed = self._fields.get(keys.from_)
        if pushed is not None and (complaint := _contradiction(trait, keys, pushed)):
            self._problems.error(place, f"'{keys.from_}' {complaint}")
            return None
        if not self._is_free(trait, place):
            return None
        if pushed is not None:
            return self._pull_of_pushed(trait, keys, pushed, place)
        sent_to = [name for name, field in self._fields.items() if field.from_ == trait]
        if sent_to:
            message = f"'{trait}' is sent to '{sent_to[0]}' and read from '{keys.from_}': "
            message += f"read it from '{sent_to[0]}' too, or '{keys.from_}' into another trait"
            self._problems.error(place, message)
            return None
        return _only_read(trait, keys, Conflict(keys.conflict), place)

    def _pull_of_pushed(
        self, trait: str, keys: PullKeys, pushed: FieldKeys, place: Place
    ) -> PullField | None:
        """Return what reads back a field that `fields:` writes as well."""
        back = self._reversed(keys.from_, pushed, place)
        if back is None:
            return None
        return PullField(
            trait=trait,
            name=keys.from_,
            conflict=Conflict(keys.conflict),
            is_pushed=True,
            place=place,
            back=back,
        )

    def _reversed(self, name: str, keys: FieldKeys, place: Place) -> Back | None:
        try:
            return reversed_field(name, keys, self._vocabulary.kind(keys.from_ or ""))
        except Irreversible as reason:
            self._problems.error(place, f"'{name}' cannot go both ways: {reason}")
            return None

    def _is_free(self, trait: str, place: Place) -> bool:
        """Whether this place may say what the trait is; note it where it may not."""
        if not self._vocabulary.check_pulled(trait, place):
            return False
        first = self._places.setdefault(trait, place)
        if first is not place:
            message = f"'{trait}' is read back already, in line {first.line}; choose another name"
            self._problems.error(place, message)
        return first is place

    def _check_none_open(self, keys: DealKeys) -> None:
        if keys.pick == "latest" and "none_open" in keys.model_fields_set:
            message = "none_open has no effect with `pick: latest`, which takes closed deals too"
            self._problems.warn(node_at(self._root, ("deals", "none_open"))[1], message)


def with_owners(
    fields: Iterable[FieldMapping], pulls: Iterable[PullField]
) -> tuple[FieldMapping, ...]:
    """Return the fields, each with who wins in it where a line under `pull:` says so.

    One that only fills gaps goes on doing that.
    """
    said = {p.name: p.conflict for p in pulls if p.is_pushed and p.conflict in TWO_WAY}
    return tuple(
        replace(field, conflict=said.get(field.name, Conflict.OURS))
        if field.conflict is Conflict.OURS
        else field
        for field in fields
    )


def _only_read(trait: str, keys: DealFieldKeys, conflict: Conflict, place: Place) -> PullField:
    return PullField(
        trait=trait,
        name=keys.from_,
        conflict=conflict,
        is_pushed=False,
        place=place,
        back=reader(keys.from_, keys.map),
        known=tuple(keys.map) if keys.map else None,
    )


def _contradiction(trait: str, keys: PullKeys, pushed: FieldKeys) -> str | None:
    """Say why a field cannot be both pushed and pulled like this; None where it can."""
    if pushed.from_ != trait:
        source = f"from '{pushed.from_}'" if pushed.from_ else "by a template or a constant"
        return f"is filled {source} under `fields`; it cannot be read into '{trait}' as well"
    if Conflict(pushed.conflict) in TWO_WAY:
        conflict = f"`conflict: {pushed.conflict}`"
        return f"goes both ways already, by {conflict} under `fields`; leave it out here"
    says_ours = pushed.conflict == "ours" and "conflict" in pushed.model_fields_set
    if says_ours and Conflict(keys.conflict) in TWO_WAY:
        return "has `conflict: ours` under `fields`; leave that out, or do not read it back"
    if keys.map is not None:
        return "is read back by the `map` under `fields`, turned round; leave this one out"
    return None
