"""Which names a mapping may read, and what sort of value each has.

A name is known when it is one of ours (traits and statistics every profile may have), begins with
`custom_`, is declared under `traits:` in crmsync.yaml, has been seen in events, or is the name of
a trait that a mapping reads from a CRM.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from crmsync.mapping import conditions
from crmsync.mapping.conditions import Comparison, Condition, ConditionError
from crmsync.mapping.problems import Place, Problems, nearest
from crmsync.mapping.values import Kind, Unusable, as_moment, kind_of
from crmsync.mapping.yaml_nodes import Node, ScalarNode

_FREE_PREFIX: Final = "custom_"
_SEGMENT: Final = "segment"
"""The word that stands for membership, in place of a fact."""
_LITERAL_KINDS: Final[Mapping[type, Kind]] = {
    str: Kind.TEXT,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    bool: Kind.BOOLEAN,
    timedelta: Kind.MOMENT,
}
_COMPARABLE: Final = {
    Kind.TEXT: 'compare it with a "text" in quotes',
    Kind.NUMBER: "compare it with a number",
    Kind.BOOLEAN: "compare it with true or false",
    Kind.MOMENT: 'compare it by < or > with a date such as "2026-01-31" or a time such as 7 days',
    Kind.LIST: 'only = "" and != "" apply to it',
}


class Vocabulary:
    """The known facts, and the checks of names and conditions against them."""

    def __init__(
        self,
        known: Mapping[str, str],
        seen: Collection[str],
        problems: Problems,
        *,
        reserved: Collection[str] = (),
        pulled: Collection[str] = (),
    ) -> None:
        """`known` maps names to types; `seen` are names that events have brought.

        `reserved` are those that crmsync keeps itself, `pulled` those that mappings read from CRMs.
        """
        self.kinds: dict[str, Kind] = {name: kind_of(type_) for name, type_ in known.items()}
        self.segments: dict[str, Condition | None] = {}
        """Named conditions; None for one whose text is wrong, which is reported where it stands."""
        self._seen = frozenset(seen) | frozenset(pulled)
        self._reserved = frozenset(reserved)
        self._problems = problems

    def kind(self, fact: str) -> Kind:
        """Return what sort of value a fact has."""
        return self.kinds.get(fact, Kind.ANY)

    def check_name(self, fact: str, place: Place) -> None:
        """Note a name that nothing is known of: an error where it looks like a slip."""
        if fact in self.kinds or fact in self._seen or fact.startswith(_FREE_PREFIX):
            return
        near = nearest(fact, [*self.kinds, *self._seen])
        if near:
            self._problems.error(place, f"unknown trait '{fact}' (did you mean '{near}'?)")
        else:
            message = f"trait '{fact}' is neither declared under `traits:` nor seen yet; "
            self._problems.warn(place, f"{message}it will be empty until an event brings it")

    def check_pulled(self, trait: str, place: Place) -> bool:
        """Whether a CRM may say what this trait is; note it where not. It may well be new."""
        if trait in self._reserved:
            message = f"'{trait}' is kept by crmsync itself: "
            self._problems.error(place, f"{message}it can be sent to a CRM, not read from one")
        return trait not in self._reserved

    def read_condition(self, node: Node, *, timeless: bool) -> Condition | None:
        """Read, check and return a condition; None where a problem was noted.

        A condition of a mapping must be `timeless`, and may name segments that are.
        """
        if not isinstance(node, ScalarNode):
            return None
        try:
            condition = conditions.parse(node.text)
            for comparison in conditions.comparisons(condition):
                self._check_comparison(comparison, node, timeless=timeless)
            if timeless:
                condition = conditions.replaced(condition, self._membership)
                conditions.check_size(condition)
        except ConditionError as error:
            self._problems.error(node.place_at(error.offset), error.message)
            return None
        return condition

    def _membership(self, comparison: Comparison) -> Condition:
        """Put a segment's own condition in place of its name."""
        if comparison.fact != _SEGMENT:
            return comparison
        condition = self.segments.get(str(comparison.literal))
        if condition is None:
            return comparison
        if conditions.depends_on_time(condition):
            message = f"segment '{comparison.literal}' depends on time; "
            message += "conditions on time are not supported in mappings yet"
            raise ConditionError(message, comparison.offset)
        return condition if comparison.operator == "=" else conditions.Not(condition)

    def _check_comparison(
        self, comparison: Comparison, node: ScalarNode, *, timeless: bool
    ) -> None:
        fact, offset = comparison.fact, comparison.offset
        if fact == _SEGMENT:
            self._check_segment(comparison, timeless=timeless)
            return
        if timeless and isinstance(comparison.literal, timedelta):
            message = "conditions on time are not supported in mappings yet; "
            message += "only what an event changes can be compared here"
            raise ConditionError(message, offset)
        self.check_name(fact, node.place_at(offset))
        complaint = _unfit(self.kind(fact), comparison)
        if complaint:
            raise ConditionError(f"{fact} {complaint}", offset)

    def _check_segment(self, comparison: Comparison, *, timeless: bool) -> None:
        name = comparison.literal
        if not timeless:
            message = "a segment cannot name another segment"
        elif comparison.operator not in ("=", "!=") or not isinstance(name, str):
            message = 'membership is written segment = "name" or segment != "name"'
        elif name not in self.segments:
            near = nearest(name, self.segments)
            message = f"unknown segment '{name}'" + (f" (did you mean '{near}'?)" if near else "")
        else:
            return
        raise ConditionError(message, comparison.offset)


def _unfit(kind: Kind, comparison: Comparison) -> str | None:
    """Say why a fact of this kind cannot be compared so; None where it can."""
    literal, ordered = comparison.literal, comparison.operator not in ("=", "!=")
    if literal == "":
        return "compares with an empty text by = and != only" if ordered else None
    given = _LITERAL_KINDS[type(literal)]
    if kind is Kind.MOMENT and isinstance(literal, str):
        return None if ordered and _is_moment(literal) else f"is a date; {_COMPARABLE[kind]}"
    if kind not in (given, Kind.ANY):
        return f"is of type {kind}; {_COMPARABLE[kind]}"
    if given is Kind.BOOLEAN and ordered:
        return "compares with true and false by = and != only"
    return None


def _is_moment(text: str) -> bool:
    try:
        as_moment(text)
    except Unusable:
        return False
    return True
