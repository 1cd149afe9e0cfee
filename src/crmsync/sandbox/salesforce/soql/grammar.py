"""Reading SOQL text into a `Query`. What it means is none of this module's business.

Understood: SELECT of fields, also of parents, of children by a query in parentheses, and of
COUNT(); FROM one object; WHERE with comparisons, LIKE, IN, AND, OR, NOT and parentheses; ORDER BY,
LIMIT and OFFSET.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.wire import day, moment

LiteralKind = Literal["string", "number", "boolean", "date", "datetime", "null"]


@dataclass(frozen=True, slots=True)
class Value:
    """A literal."""

    kind: LiteralKind
    value: Any
    """Text, a number, ...; a date as it is kept; of LIKE a compiled pattern."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field against literals: one, or for IN any number."""

    path: tuple[str, ...]
    operator: str
    """`=`, `!=`, `<`, `<=`, `>`, `>=`, `like`, `in`, `not in`."""
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Junction:
    """Several conditions: all of them, or any."""

    word: Literal["and", "or"]
    conditions: tuple[Condition, ...]


Condition = Comparison | Not | Junction


@dataclass(frozen=True, slots=True)
class Order:
    """One field to sort by."""

    path: tuple[str, ...]
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole SELECT."""

    fields: tuple[tuple[str, ...], ...]
    """Paths of names; none for COUNT()."""
    children: tuple[Query, ...]
    """Queries of children, each from the name of a relationship."""
    object_type: str
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


_GRAMMAR = r"""
query: _SELECT selection _FROM NAME where? order? limit? offset?
selection: _COUNT "(" ")" -> count
         | chosen ("," chosen)* -> fields
?chosen: path
       | "(" query ")"
path: NAME ("." NAME)*
where: _WHERE condition
?condition: term
          | term (_AND term)+ -> all_of
          | term (_OR term)+ -> any_of
?term: "(" condition ")"
     | _NOT term -> negation
     | path OPERATOR value -> comparison
     | path LIKE STRING -> likeness
     | path _IN "(" value ("," value)* ")" -> membership
     | path _NOT _IN "(" value ("," value)* ")" -> absence
value: STRING | DATETIME | DATE | NUMBER | TRUE | FALSE | NULL
order: _ORDER _BY ordering ("," ordering)*
ordering: path (ASC | DESC)? (_NULLS (FIRST | LAST))?
limit: _LIMIT NUMBER
offset: _OFFSET NUMBER

_SELECT.2: /select\b/i
_FROM.2: /from\b/i
_COUNT.2: /count(?=\s*\()/i
_WHERE.2: /where\b/i
_AND.2: /and\b/i
_OR.2: /or\b/i
_NOT.2: /not\b/i
_IN.2: /in\b/i
LIKE.2: /like\b/i
_ORDER.2: /order\b/i
_BY.2: /by\b/i
ASC.2: /asc\b/i
DESC.2: /desc\b/i
_NULLS.2: /nulls\b/i
FIRST.2: /first\b/i
LAST.2: /last\b/i
_LIMIT.2: /limit\b/i
_OFFSET.2: /offset\b/i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
NULL.2: /null\b/i
OPERATOR: "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
STRING: /'(?:[^'\\\n]|\\.)*'/
DATETIME.4: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)/
DATE.3: /\d{4}-\d\d-\d\d/
NUMBER.2: /[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/
NAME: /[A-Za-z]\w*/
%import common.WS
%ignore WS
"""

_ESCAPES = {
    "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\",
}  # fmt: skip
_CHARACTER = re.compile(r"\\(?P<escape>u[0-9A-Fa-f]{4}|.)|.", re.DOTALL)


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Read a query; `Refusal` MALFORMED_QUERY shows where it cannot be read."""
    try:
        return _Builder().transform(_PARSER.parse(text))
    except UnexpectedInput as error:
        raise _malformed(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, Refusal):
            raise error.orig_exc from None
        raise


def _unescaped(raw: str) -> str:
    return "".join(character for character, _ in _characters(raw, ""))


def _like(raw: str) -> re.Pattern[str]:
    wildcards = {"%": ".*", "_": "."}
    pattern = "".join(
        re.escape(character) if escaped or character not in wildcards else wildcards[character]
        for character, escaped in _characters(raw, "%_")
    )
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _characters(raw: str, more_escapes: str) -> Iterator[tuple[str, bool]]:
    """Yield what a string's text between the quotes stands for, and what of it was escaped."""
    for match in _CHARACTER.finditer(raw):
        escape = match["escape"]
        if escape is None:
            yield match[0], False
        elif len(escape) > 1:
            yield chr(int(escape[1:], 16)), True
        elif escape in _ESCAPES:
            yield _ESCAPES[escape], True
        elif escape in more_escapes:
            yield escape, True
        else:
            text = f"invalid string literal '{raw}'. Illegal character sequence '{match[0]}'"
            raise Refusal("MALFORMED_QUERY", text)


class _Builder(Transformer[Token, Query]):
    """From lark's tree, bottom up, to a `Query`."""

    def count(self, _children: list[Any]) -> tuple[()]:
        return ()

    def fields(self, children: list[Any]) -> tuple[tuple[str, ...] | Query, ...]:
        return tuple(children)

    def path(self, children: list[Token]) -> tuple[str, ...]:
        return tuple(str(name) for name in children)

    def where(self, children: list[Any]) -> tuple[str, Condition]:
        return "where", children[0]

    def all_of(self, children: list[Any]) -> Condition:
        return Junction("and", tuple(children))

    def any_of(self, children: list[Any]) -> Condition:
        return Junction("or", tuple(children))

    def negation(self, children: list[Any]) -> Condition:
        return Not(children[0])

    def comparison(self, children: list[Any]) -> Condition:
        path, operator, value = children
        return Comparison(path, "!=" if operator == "<>" else str(operator), (value,))

    def likeness(self, children: list[Any]) -> Condition:
        path, _, text = children
        return Comparison(path, "like", (Value("string", _like(text[1:-1])),))

    def membership(self, children: list[Any]) -> Condition:
        return Comparison(children[0], "in", tuple(children[1:]))

    def absence(self, children: list[Any]) -> Condition:
        return Comparison(children[0], "not in", tuple(children[1:]))

    def value(self, children: list[Token]) -> Value:
        return _READERS[children[0].type](children[0])

    def order(self, children: list[Any]) -> tuple[str, tuple[Order, ...]]:
        return "order", tuple(children)

    def ordering(self, children: list[Any]) -> Order:
        words = {token.type for token in children[1:]}
        return Order(children[0], "DESC" in words, "LAST" in words)

    def limit(self, children: list[Token]) -> tuple[str, int]:
        return "limit", _whole(children[0])

    def offset(self, children: list[Token]) -> tuple[str, int]:
        return "offset", _whole(children[0])

    def query(self, children: list[Any]) -> Query:
        chosen, object_type, *clauses = children
        said = dict(clauses)
        return Query(
            tuple(one for one in chosen if not isinstance(one, Query)),
            tuple(one for one in chosen if isinstance(one, Query)),
            str(object_type),
            said.get("where"),
            said.get("order", ()),
            said.get("limit"),
            said.get("offset", 0),
        )


def _string(token: Token) -> Value:
    raw = token[1:-1]
    return Value("string", _unescaped(raw) if "\\" in raw else raw)


def _date(token: Token) -> Value:
    return Value("date", _known(day(token), token))


def _datetime(token: Token) -> Value:
    return Value("datetime", _known(moment(str(token)), token))


def _known(read: str | None, token: Token) -> str:
    if read is None:
        raise Refusal("MALFORMED_QUERY", f"line 1:{token.column} no such date: '{token}'")
    return read


def _whole(token: Token) -> int:
    if not token.isdigit():
        raise Refusal("MALFORMED_QUERY", f"unexpected token: '{token}'")
    return int(token)


_READERS: dict[str, Callable[[Token], Value]] = {
    "STRING": _string,
    "DATE": _date,
    "DATETIME": _datetime,
    "NUMBER": lambda token: Value("number", float(token)),
    "TRUE": lambda _token: Value("boolean", value=True),
    "FALSE": lambda _token: Value("boolean", value=False),
    "NULL": lambda _token: Value("null", None),
}

_PARSER = Lark(_GRAMMAR, start="query", parser="lalr")


def _malformed(text: str, error: UnexpectedInput) -> Refusal:
    place = f"ERROR at Row:{error.line}:Column:{error.column}"
    token = getattr(error, "token", None)
    if token is None or token.type == "$END":
        return Refusal("MALFORMED_QUERY", f"{text[-60:]}\n{place}\nunexpected token: '<EOF>'")
    shown = f"{error.get_context(text, 30)}{place}\nunexpected token: '{token}'"
    return Refusal("MALFORMED_QUERY", shown)
