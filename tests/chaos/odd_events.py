"""Calls of the tracking specification as clients send them: right, wrong, and very wrong. By seed.

A `Call` knows whether it is right, that is whether it must be taken. Values that must never be
told again, in no answer and no log, hold `CANARY`.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

CANARY = "canary-4711"
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
KINDS = ("identify", "track", "page", "screen", "group", "alias")
LONG = 40_000
"""Characters: more than one trait may have."""
PEOPLE = 400
MESSAGES = 3_000
"""So few that some come again, with the same content or another."""
MAX_BODY_BYTES = 900_000
"""Of a batch; the door takes a mebibyte."""

NONSENSE: Sequence[Any] = (
    None, True, False, 0, -1, 0.1, 1e308, -1e-308, 2**53 + 1, 2**63, -(2**63), 10**400,
    float("nan"), float("inf"), float("-inf"), "", " ", "NaN", "null", "undefined", "\0", "a\0b",
    "\ud800", "a\udfffb", "مرحبا بالعالم", "\u202egnirts\u202c", "👩‍👩‍👧‍👦", "e\u0301", "é",
    "\U0001d518\U0001d52b", "x" * LONG, CANARY, "' OR 1=1 --", "<script>", "../../etc/passwd", "${jndi:ldap://x}",
    "{{ 7 * 7 }}", "2026-02-30", "0000-01-01", "9999-12-31T23:59:59-14:00", "12345678901234567890",
    "1e999", "true", "Ann0@ACME.example ", "@", "a@", "@b", [], [[]], {}, {"": ""}, [None],
    ["x"] * 500,
    {"a": {"b": {"c": [1, {"d": None}]}}}, {"\0": 1}, {"\ud800": 1}, {"k" * 300: 1}, {"$set": 1},
    {"a.b": 1}, {"__proto__": 1},
)  # fmt: skip
NAMES = (
    "", " ", "email", "id", "userId", "first_name", "\0", "\ud800", "k" * 250, "sentAt", "traits",
    "originalTimestamp", "externalIds", "sessionId", "é", "e\u0301", "a.b", "$k",
)  # fmt: skip
TRAITS: Mapping[str, Callable[[random.Random], Any]] = {
    "first_name": lambda r: r.choice(("Ann", "Bo", "Zoë", "李", "O'Neil", "Ann")) + str(r.random()),
    "lastName": lambda r: r.choice(("Lee", "von Müller", "العربي", "👋")),
    "email": lambda r: f"p{r.randrange(PEOPLE)}@acme.example",
    "plan": lambda r: r.choice(("free", "pro", None)),
    "age": lambda r: r.choice((7, 7.5, "7")),
    "phone": lambda r: f"+4930{r.randrange(10**7)}",
    "created_at": lambda r: "2024-02-29T12:00:00Z",
    "address": lambda r: {"city": "Kyïv", "tags": ["a", {"b": 1}]},
    "note": lambda r: CANARY,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    kind: str
    body: Any
    """What is sent; for a batch with `type`."""
    is_right: bool


@dataclass(frozen=True, slots=True)
class Post:
    """One request."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    calls: Sequence[Call]
    is_right: bool
    """Whether what is around the calls is right."""


def calls(chance: random.Random) -> Iterator[Call]:
    """Yield calls without end."""
    while True:
        kind = chance.choice(KINDS)
        body = _right(kind, chance)
        is_right = chance.random() < 0.6
        if not is_right:
            body = _wrong(body, chance)
        yield Call(kind, body, is_right)


def _right(kind: str, chance: random.Random) -> dict[str, Any]:
    person = f"u{chance.randrange(PEOPLE)}"
    body: dict[str, Any] = {
        "type": kind,
        "messageId": f"m{chance.randrange(MESSAGES) if chance.random() < 0.1 else chance.random()}",
        "timestamp": (EPOCH + timedelta(seconds=chance.randrange(10**7))).isoformat(),
        "anonymousId": f"a{chance.randrange(PEOPLE)}",
    }
    if chance.random() < 0.7:
        body["userId"] = person
    traits = chance.sample(list(TRAITS), chance.randrange(5))
    values = {name: TRAITS[name](chance) for name in traits}
    if kind in {"identify", "group"}:
        body["traits"] = values
    else:
        body["properties"] = values
    if kind == "identify":
        body["userId"] = person
    elif kind == "track":
        body["event"] = chance.choice(("Signed Up", "Order Completed", "日本", "x" * 200))
    elif kind == "group":
        body["groupId"] = f"g{chance.randrange(40)}"
    elif kind == "alias":
        body["previousId"] = f"a{chance.randrange(PEOPLE)}"
    return body


def _wrong(body: dict[str, Any], chance: random.Random) -> Any:
    """Return a call with something odd in it, which may be taken or refused."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        how = chance.random()
        if how < 0.03:
            return _nonsense(chance)
        if how < 0.5:
            body[chance.choice(list(body) or ["type"])] = _nonsense(chance)
        elif how < 0.6:
            body.pop(chance.choice(list(body) or ["type"]), None)
        elif how < 0.9:
            holder = body.setdefault(
                chance.choice(("traits", "properties", "context", "integrations")), {}
            )
            if isinstance(holder, dict):
                holder[_name(chance)] = _nonsense(chance)
        else:
            body[_name(chance)] = _nested(chance)
    return body


def _nonsense(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(NONSENSE))  # what holds it may be changed further


def _name(chance: random.Random) -> str:
    return chance.choice(NAMES)


def _nested(chance: random.Random) -> Any:
    value: Any = "bottom"
    for _ in range(chance.choice((5, 31, 33, 200))):
        value = chance.choice(([value], {"k": value}))
    return value


# --- requests ------------------------------------------------------------------------------


def posts(chance: random.Random) -> Iterator[Post]:
    """Yield requests without end: mostly batches, some single calls, some broken as a whole."""
    source = calls(chance)
    while True:
        if chance.random() < 0.2:
            call = next(source)
            path = call.kind if chance.random() < 0.97 else "identity"
            is_right = path in KINDS
            yield _post(f"/v1/{path}", call.body, [call], chance, is_right=is_right)
            continue
        batch = [next(source) for _ in range(chance.randint(1, 60))]
        around: dict[str, Any] = {"batch": [call.body for call in batch]}
        is_right = chance.random() < 0.9
        if not is_right:
            around[chance.choice(("batch", "sentAt", "context", "\ud800"))] = chance.choice(
                NONSENSE
            )
        yield _post("/v1/batch", around, batch, chance, is_right=is_right)


def _post(
    path: str, content: Any, of: Sequence[Call], chance: random.Random, *, is_right: bool
) -> Post:
    body = encoded(content, chance)
    headers: dict[str, str] = {"Content-Type": "application/json"}
    how = chance.random()
    if len(body) > MAX_BODY_BYTES:
        is_right = False
    if how < 0.1:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    elif how < 0.12:
        headers["Content-Type"] = chance.choice(("text/plain", "", "application/xml", "é".encode()))
    elif how < 0.15:
        is_right = False
        headers["Content-Encoding"] = chance.choice(("gzip", "br", "identity, gzip", "x"))
    elif how < 0.2:
        is_right = False
        spoilt = bytearray(body)
        spoilt[chance.randrange(len(spoilt))] = chance.choice(b'\x00\xff{}[]"\\')
        body = bytes(spoilt[: chance.randrange(len(spoilt)) + 1])
    elif how < 0.21:
        is_right = False
        body = chance.choice(
            (b"", b"[", b"[" * 100_000, b"\xff\xfe", b"null", b"NaN", b"1" * 5_000)
        )
    return Post(path, body, headers, of, is_right)


def encoded(content: Any, chance: random.Random) -> bytes:
    """Return JSON as some client writes it: escaped, or as UTF-8 with half characters escaped."""
    if chance.random() < 0.5:
        return json.dumps(content).encode()
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
