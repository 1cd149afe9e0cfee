"""Reading COQL: from text to a `Query`, or to where the text stops making sense.

Criteria join in pairs: `A and (B and C)`; three in a row are a syntax error, as at Zoho.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

Operator = Literal[
    "=", "!=", ">", "<", ">=", "<=", "like", "not like", "in", "not in", "between", "is null",
    "is not null",
]  # fmt: skip

_GRAMMAR = r"""
query: _SELECT columns _FROM NAME where? order? limit?
columns: path ("," path)*
path: NAME ("." NAME)*

where: _WHERE _condition
_condition: _operand | pair
pair: _operand (AND | OR) _operand
_operand: criterion | "(" _condition ")"

criterion: path COMPARE value            -> compare
         | path LIKE value               -> compare
         | path _NOT LIKE value          -> not_like
         | path _IN "(" values ")"       -> among
         | path _NOT _IN "(" values ")"  -> not_among
         | path _BETWEEN value AND value -> between
         | path _IS _NULL                -> is_null
         | path _IS _NOT _NULL           -> is_not_null
values: value ("," value)*
value: STRING -> string
     | NUMBER -> number
     | TRUE   -> true
     | FALSE  -> false

order: _ORDER _BY sort ("," sort)*
sort: path (ASC | DESC)?
limit: _LIMIT NUMBER                 -> limit
     | _LIMIT NUMBER "," NUMBER      -> offset_limit
     | _LIMIT NUMBER _OFFSET NUMBER  -> limit_offset

_SELECT: /select\b/i
_FROM: /from\b/i
_WHERE: /where\b/i
_NOT: /not\b/i
_IN: /in\b/i
_BETWEEN: /between\b/i
_IS: /is\b/i
_NULL: /null\b/i
_ORDER: /order\b/i
_BY: /by\b/i
_LIMIT: /limit\b/i
_OFFSET: /offset\b/i
AND: /and\b/i
OR: /or\b/i
LIKE: /like\b/i
ASC: /asc\b/i
DESC: /desc\b/i
TRUE: /true\b/i
FALSE: /false\b/i
COMPARE: ">=" | "<=" | "!=" | "=" | ">" | "<"
NAME: /[A-Za-z$][A-Za-z0-9_$]*/
STRING: /'(?:[^'\\]|\\.)*'/s
NUMBER: /-?\d+(?:\.\d+)?/
%ignore /\s+/
"""
_NEAR_CHARACTERS = 20
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Path = tuple[str, ...]
"""A field, or a lookup and a field of what it names."""

Value = str | int | float | bool


class Unreadable(Exception):
    """The text is not COQL."""

    def __init__(self, line: int, column: int, near: str) -> None:
        """Take the place and what stands there."""
        super().__init__(near)
        self.line = line
        self.column = column
        self.near = near


@dataclass(frozen=True, slots=True)
class Criterion:
    """One comparison."""

    path: Path
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two conditions that hold together, or of which one does."""

    left: Condition
    both: bool
    right: Condition


Condition = Criterion | Pair


@dataclass(frozen=True, slots=True)
class Sort:
    """One key to sort by."""

    path: Path
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One query as written."""

    columns: tuple[Path, ...]
    module: str
    where: Condition | None
    order: tuple[Sort, ...] = ()
    offset: int = 0
    limit: int = 200


@functools.lru_cache(maxsize=64)
def parse(text: str) -> Query:
    """Read a query; `Unreadable` says where it cannot be."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        place: int = error.pos_in_stream  # type: ignore[assignment]  # lark declares None
        near = text[place : place + _NEAR_CHARACTERS] if place >= 0 else "end of query"
        raise Unreadable(max(error.line, 1), max(error.column, 1), near) from None
    return _Build().transform(tree)


@v_args(inline=True)
class _Build(Transformer[Token, Query]):
    """Makes the parts of a `Query` from the parse tree, innermost first."""

    def query(self, columns: tuple[Path, ...], module: Token, *clauses: dict[str, object]) -> Query:
        parts: dict[str, object] = {"where": None}
        for clause in clauses:
            parts.update(clause)
        return Query(columns, str(module), **parts)  # type: ignore[arg-type]

    def columns(self, *paths: Path) -> tuple[Path, ...]:
        return paths

    def path(self, *names: Token) -> Path:
        return tuple(map(str, names))

    def where(self, condition: Condition) -> dict[str, object]:
        return {"where": condition}

    def pair(self, left: Condition, joint: Token, right: Condition) -> Pair:
        return Pair(left, joint.lower() == "and", right)

    def compare(self, path: Path, operator: Token, value: Value) -> Criterion:
        return Criterion(path, operator.lower(), (value,))  # type: ignore[arg-type]

    def not_like(self, path: Path, _like: Token, value: Value) -> Criterion:
        return Criterion(path, "not like", (value,))

    def among(self, path: Path, values: tuple[Value, ...]) -> Criterion:
        return Criterion(path, "in", values)

    def not_among(self, path: Path, values: tuple[Value, ...]) -> Criterion:
        return Criterion(path, "not in", values)

    def between(self, path: Path, low: Value, _and: Token, high: Value) -> Criterion:
        return Criterion(path, "between", (low, high))

    def is_null(self, path: Path) -> Criterion:
        return Criterion(path, "is null", ())

    def is_not_null(self, path: Path) -> Criterion:
        return Criterion(path, "is not null", ())

    def values(self, *values: Value) -> tuple[Value, ...]:
        return values

    def string(self, token: Token) -> Value:
        return _ESCAPED.sub(r"\1", token[1:-1])

    def number(self, token: Token) -> Value:
        return float(token) if "." in token else int(token)

    def true(self, _token: Token) -> Value:
        return True

    def false(self, _token: Token) -> Value:
        return False

    def order(self, *sorts: Sort) -> dict[str, object]:
        return {"order": sorts}

    def sort(self, path: Path, direction: Token | None = None) -> Sort:
        return Sort(path, direction is not None and direction.lower() == "desc")

    def limit(self, limit: Token) -> dict[str, object]:
        return {"limit": int(limit)}

    def offset_limit(self, offset: Token, limit: Token) -> dict[str, object]:
        return {"offset": int(offset), "limit": int(limit)}

    def limit_offset(self, limit: Token, offset: Token) -> dict[str, object]:
        return {"offset": int(offset), "limit": int(limit)}


@functools.cache
def _parser() -> Lark:
    # Building it takes longer than most programs that import this have to wait for.
    return Lark(_GRAMMAR, start="query", parser="lalr")
