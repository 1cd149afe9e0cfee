"""A condition's tree as a function over one profile's facts.

Two-valued, always: a missing fact, an empty text and an empty list are one thing, `empty`.
`x = ""` holds for empty, `x != ""` for all else; any other comparison with an empty fact is false,
except `!=`, which is true. A fact of another type than the literal compares like an unequal one:
text is never read as a number, nor 1 as true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from crmsync.mapping.conditions import All, Comparison, Condition, Not
from crmsync.mapping.values import Kind, Unusable, as_moment, is_empty
from crmsync.model import Facts

Predicate: TypeAlias = Callable[[Facts], bool]
_Test: TypeAlias = Callable[[object], bool]

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def predicate(
    condition: Condition, kinds: Mapping[str, Kind], *, now: datetime | None = None
) -> Predicate:
    """Compile a condition; `kinds` says which facts are dates, so that text compares as time.

    `now` is needed where the condition depends on time; without it that raises ValueError.
    """
    if isinstance(condition, Comparison):
        test = _test(condition, kinds.get(condition.fact, Kind.ANY), now)
        fact = condition.fact
        return lambda facts: test(facts.get(fact))
    if isinstance(condition, Not):
        inner = predicate(condition.term, kinds, now=now)
        return lambda facts: not inner(facts)
    terms = tuple(predicate(term, kinds, now=now) for term in condition.terms)
    if isinstance(condition, All):
        return lambda facts: all(term(facts) for term in terms)
    return lambda facts: any(term(facts) for term in terms)


def _test(comparison: Comparison, kind: Kind, now: datetime | None) -> _Test:
    literal, sign = comparison.literal, comparison.operator
    compare = _COMPARE[sign]
    if isinstance(literal, timedelta):
        return _age_test(literal, compare, now)
    if literal == "" and isinstance(literal, str):
        return _emptiness_test(sign)
    if kind is Kind.MOMENT and isinstance(literal, str):
        return _moment_test(as_moment(literal), compare)
    return _value_test(literal, compare, unlike=sign == "!=")


def _emptiness_test(sign: str) -> _Test:
    if sign == "=":
        return is_empty
    if sign == "!=":
        return lambda value: not is_empty(value)
    raise ValueError("an empty text compares with = and != only")


def _age_test(age: timedelta, compare: Callable[[Any, Any], bool], now: datetime | None) -> _Test:
    if now is None:
        raise ValueError("a condition on time needs the present time")
    return _moment_test(now, lambda moment, present: compare(present - moment, age))


def _moment_test(literal: datetime, compare: Callable[[Any, Any], bool]) -> _Test:
    def test(value: object) -> bool:
        try:
            return compare(as_moment(value), literal)
        except Unusable:
            return False

    return test


def _value_test(literal: object, compare: Callable[[Any, Any], bool], *, unlike: bool) -> _Test:
    types = (int, float) if type(literal) in (int, float) else (type(literal),)

    def test(value: object) -> bool:
        return compare(value, literal) if type(value) in types else unlike

    return test
