"""The condition language of `only:`, `when:` and segments: text to a tree, nothing evaluated.

    plan = "enterprise" AND (sessions > 5 OR NOT is_trial = true) AND last_seen < 7 days

Total and bounded: no calls, no loops, no attribute access. `predicates` turns the tree into a
function over one profile's facts; docs/mapping.md defines every comparison.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

MAX_SOURCE_BYTES: Final = 2048
MAX_NODES: Final = 200
MAX_DEPTH: Final = 20

_GRAMMAR: Final = r"""
?start: any
?any: all ("OR"i all)*              -> any_of
?all: inverse ("AND"i inverse)*     -> all_of
?inverse: "NOT"i inverse            -> negated
    | "(" any ")"
    | comparison
comparison: NAME OPERATOR _literal
_literal: TEXT | BOOLEAN | number | duration
number: NUMBER
duration: NUMBER UNIT

OPERATOR: "!=" | "<=" | ">=" | "=" | "<" | ">"
TEXT: /"[^"\\]*(?:\\.[^"\\]*)*"/ | /'[^'\\]*(?:\\.[^'\\]*)*'/
NUMBER: /-?\$?[0-9]{1,15}(\.[0-9]{1,15})?(?![\d.,])/
BOOLEAN.2: /(true|false)(?![\w.-])/i
UNIT.2: /(minute|hour|day|week)s?(?![\w.-])/i
NAME: /(?!(and|or|not|true|false)(?![\w.-]))[^\W\d][\w.-]{0,99}/i

%import common.WS
%ignore WS
"""

_AMOUNT_DIGITS: Final = 6
"""Of a time: beyond a million minutes, days say it better."""
_UNITS: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact against one literal."""

    fact: str
    operator: str
    """One of = != < <= > >=."""
    literal: str | int | float | bool | timedelta
    """A timedelta means `so long ago`."""
    offset: int
    """Where the fact's name stands in the source, from 0."""


@dataclass(frozen=True, slots=True)
class Not:
    """True where its term is false."""

    term: Condition


@dataclass(frozen=True, slots=True)
class All:
    """True where every term is."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where at least one term is."""

    terms: tuple[Condition, ...]


Condition: TypeAlias = Comparison | Not | All | AnyOf


class ConditionError(ValueError):
    """The text is not a condition."""

    def __init__(self, message: str, offset: int = 0) -> None:
        """Say what is wrong at which character, from 0."""
        super().__init__(message)
        self.message = message
        self.offset = offset


def parse(source: str) -> Condition:
    """Return the tree of a condition, or raise `ConditionError` with the place in the text."""
    if len(source.encode()) > MAX_SOURCE_BYTES:
        raise ConditionError(f"the condition is longer than {MAX_SOURCE_BYTES} bytes")
    if not source.strip():
        raise ConditionError(
            'the condition is empty; write one such as plan = "pro", or leave the key out'
        )
    try:
        tree: Any = _parser().parse(source)
    except UnexpectedInput as error:
        raise _explained(error, source) from None
    check_size(tree)
    return tree  # type: ignore[no-any-return] # Lark cannot know what its transformer returns


def check_size(condition: Condition) -> None:
    """Raise `ConditionError` where a condition has too many nodes or nests too deep."""
    level: list[Condition] = [condition]
    nodes = depth = 0
    while level:
        nodes += len(level)
        depth += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ConditionError(
                f"the condition is too large (at most {MAX_NODES} parts, {MAX_DEPTH} deep)"
            )
        level = [child for node in level for child in _children(node)]


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield every comparison, in the order of the source."""
    if isinstance(condition, Comparison):
        yield condition
    for child in _children(condition):
        yield from comparisons(child)


def facts_of(condition: Condition) -> frozenset[str]:
    """Return the names of the facts that the condition reads."""
    return frozenset(comparison.fact for comparison in comparisons(condition))


def depends_on_time(condition: Condition) -> bool:
    """Whether the condition can become true or false without any event."""
    return any(isinstance(c.literal, timedelta) for c in comparisons(condition))


def replaced(condition: Condition, by: Callable[[Comparison], Condition]) -> Condition:
    """Return the condition with each comparison put through `by`."""
    if isinstance(condition, Comparison):
        return by(condition)
    if isinstance(condition, Not):
        return Not(replaced(condition.term, by))
    return type(condition)(tuple(replaced(term, by) for term in condition.terms))


def canonical(condition: Condition) -> str:
    """Return the condition as one text that does not depend on spacing or letter case of words."""
    if isinstance(condition, Comparison):
        return f"({condition.fact}{condition.operator}{condition.literal!r})"
    if isinstance(condition, Not):
        return f"(NOT{canonical(condition.term)})"
    word = "AND" if isinstance(condition, All) else "OR"
    return f"({word.join(canonical(term) for term in condition.terms)})"


def _children(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, All | AnyOf):
        return condition.terms
    return (condition.term,) if isinstance(condition, Not) else ()


@v_args(inline=True)
class _TreeBuilder(Transformer[Token, Condition]):
    """Builds nodes while the parser reduces, so that no depth of input recurses."""

    def comparison(self, name: Token, operator: Token, literal: object) -> Comparison:
        value: Any = literal
        if isinstance(literal, Token):
            value = _unquoted(literal) if literal.type == "TEXT" else literal.lower() == "true"
        if isinstance(value, timedelta) and operator in ("=", "!="):
            raise ConditionError(
                f"compare a time with < (within) or > (longer ago), not {operator}",
                operator.start_pos or 0,
            )
        return Comparison(str(name), str(operator), value, name.start_pos or 0)

    def number(self, text: Token) -> int | float:
        plain = text.replace("$", "")
        return float(plain) if "." in plain else int(plain)

    def duration(self, amount: Token, unit: Token) -> timedelta:
        if not amount.isdigit() or len(amount) > _AMOUNT_DIGITS:
            raise ConditionError(
                f"{amount} {unit} is not a time; write a whole number such as 7 days",
                amount.start_pos or 0,
            )
        return int(amount) * _UNITS[unit.lower().removesuffix("s")]

    def negated(self, term: Condition) -> Condition:
        return Not(term)

    def all_of(self, *terms: Condition) -> Condition:
        return All(terms) if len(terms) > 1 else terms[0]

    def any_of(self, *terms: Condition) -> Condition:
        return AnyOf(terms) if len(terms) > 1 else terms[0]


@functools.cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_TreeBuilder())


def _unquoted(token: Token) -> str:
    r"""Return the text between the quotes; `\` keeps the character after it as it is."""
    result, escaped = [], False
    for character in token[1:-1]:
        escaped = character == "\\" and not escaped
        if not escaped:
            result.append(character)
    return "".join(result)


_STRAIGHT: Final = "use straight quotes"
_SLIPS: Final = (
    (re.compile(r"=="), "write = for equality"),
    (re.compile(r"<>"), "write != for inequality"),
    (re.compile(r"&"), "write AND"),
    (re.compile(r"\|"), "write OR"),
    (re.compile(r"!"), "write NOT, or != between a fact and a value"),
    (re.compile("[\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}]"), _STRAIGHT),
    (re.compile("[\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}]"), _STRAIGHT),
    (re.compile(r"[\"']"), "the quote is never closed"),
    (re.compile(r"-?\$?[0-9][0-9,._]*"), "write numbers such as 1000, 0.5 or $1000"),
)
"""What people write out of habit from other languages, and what to write instead."""


def _explained(error: UnexpectedInput, source: str) -> ConditionError:
    """Turn the parser's complaint into a sentence about what was expected instead."""
    offset = error.pos_in_stream
    if offset is None or offset < 0 or (isinstance(error, UnexpectedToken) and not error.token):
        return ConditionError(f"the condition ends too early: {_expected(error)}", len(source))
    for slip, advice in _SLIPS:
        for start in (offset, offset - 1):  # the first character of `==` and `<>` is an operator
            if start >= 0 and (match := slip.match(source, start)) and match.end() > offset:
                return ConditionError(f"unexpected {match[0][:30]}: {advice}", start)
    found = source[offset:].split(maxsplit=1)[0][:30]
    return ConditionError(f"unexpected {found}: {_expected(error)}", offset)


def _expected(error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedCharacters):
        wanted = set(error.allowed or ())
    else:
        wanted = set(getattr(error, "accepts", None) or ())
    if "OPERATOR" in wanted:
        return "after a fact comes = != < <= > or >="
    if "TEXT" in wanted:
        return 'expected a "text" in quotes, a number, true, false or a time such as 7 days'
    if "NAME" in wanted:
        return "expected the name of a fact"
    return "expected AND, OR or )" if "RPAR" in wanted else "expected AND, OR or the end"
