"""What a CRM, or something in front of it, may make of an answer: one hurt after another, by seed.

`spoil` takes the CRM's own answer and returns the bytes to send in its place. Each hurt is one
entry of `HURTS` and says whether it could do anything with the answer at hand.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from crmsync.sandbox.http import HTML, Answer
from tests.chaos.nonsense import HEADERS, IDS, NONSENSE, OTHER_IDS, PAGE, STATUSES, TYPES

BOMB_BYTES = 48 * 1024 * 1024
"""Unpacked; more than `http.MAX_BODY_BYTES`."""
MAX_PLACES = 400
"""Of a body, of which one is chosen; the first ones of a large one will do."""


@dataclass(slots=True)
class Draft:
    """An answer on its way to being spoilt."""

    status: int
    content_type: str
    headers: dict[str, str]
    body: bytes
    chance: random.Random
    keeps_order: bool
    """Whether this CRM promises its results in the order of the call: then nobody can tell that
    they are in another, and no hurt may change what stands where."""
    hurts: list[str] = field(default_factory=list)
    promised_bytes: int | None = None
    """Of the body, where that is not what is sent."""
    raw: bytes | None = None
    """Sent in place of everything."""

    def bytes(self) -> bytes:
        """Return what goes over the wire; the connection ends with it."""
        if self.raw is not None:
            return self.raw
        length = len(self.body) if self.promised_bytes is None else self.promised_bytes
        named = {"Content-Length": str(length), "Connection": "close", **self.headers}
        if self.content_type:
            named["Content-Type"] = self.content_type
        lines = [f"HTTP/1.1 {self.status} Spoilt", *(f"{n}: {v}" for n, v in named.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + self.body


def spoil(answer: Answer, chance: random.Random, *, keeps_order: bool) -> Draft:
    """Return the answer with one to three hurts, none of them in vain."""
    draft = Draft(
        answer.status, answer.content_type, dict(answer.headers), answer.body, chance, keeps_order
    )
    wanted = chance.choice((1, 1, 1, 2, 3))
    while len(draft.hurts) < wanted:
        [name] = chance.choices(list(HURTS), [weight for weight, _ in HURTS.values()])
        if name not in draft.hurts and HURTS[name][1](draft):
            draft.hurts.append(name)
    return draft


def continued(
    answer: Answer, more: Mapping[str, Any], chance: random.Random, *, keeps_order: bool
) -> Draft:
    """Return the answer with these members besides its own, where it is an object."""
    body = answer.body
    with suppress(orjson.JSONDecodeError):
        document = orjson.loads(body)
        body = orjson.dumps({**document, **more}) if isinstance(document, dict) else body
    draft = Draft(answer.status, answer.content_type, {}, body, chance, keeps_order)
    draft.hurts.append("there is always more")
    return draft


# --- the JSON of an answer -----------------------------------------------------------------

Holder = dict[str, Any] | list[Any]


def _places(value: Any) -> list[tuple[Holder, Any]]:
    """Return where in a document a value stands: what holds it, and its name or number there."""
    found: list[tuple[Holder, Any]] = []
    waiting = [value]
    while waiting and len(found) < MAX_PLACES:
        holder = waiting.pop(0)
        if isinstance(holder, dict | list):
            names = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            found += [(holder, name) for name in names]
            waiting += [holder[name] for name in names]
    return found


def _with_json(change: Callable[[Draft, Any], Any]) -> Callable[[Draft], bool]:
    """Return the hurt that changes the document of an answer; `change` returns the new one."""

    def hurt(draft: Draft) -> bool:
        try:
            document = orjson.loads(draft.body)
        except orjson.JSONDecodeError:
            return False
        before = json.dumps(document)
        after = json.dumps(change(draft, document))
        draft.body = after.encode()
        return after != before

    return hurt


def _drop_key(draft: Draft, document: Any) -> Any:
    places = [(holder, name) for holder, name in _places(document) if isinstance(holder, dict)]
    if places:
        holder, name = draft.chance.choice(places)
        del holder[name]
    return document


def _rename_key(draft: Draft, document: Any) -> Any:
    places = [(holder, name) for holder, name in _places(document) if isinstance(holder, dict)]
    if places:
        holder, name = draft.chance.choice(places)
        other = draft.chance.choice((name.upper(), name.lower(), name + "s", name[::-1], "", "\0"))
        holder[other] = holder.pop(name)
    return document


def _retype(draft: Draft, document: Any) -> Any:
    places = _places(document)
    if not places or draft.chance.random() < 0.05:
        return draft.chance.choice(NONSENSE)
    holder, name = draft.chance.choice(places)
    holder[name] = draft.chance.choice(NONSENSE)
    return document


def _bury(draft: Draft, document: Any) -> Any:
    places = _places(document)
    if not places:
        return [document]
    holder, name = draft.chance.choice(places)
    for _ in range(draft.chance.choice((1, 2, 300))):
        holder[name] = draft.chance.choice(([holder[name]], {"data": holder[name]}))
    return document


def _change_id(draft: Draft, document: Any) -> Any:
    places = [(holder, name) for holder, name in _places(document) if name in IDS]
    if places:
        holder, name = draft.chance.choice(places)
        holder[name] = draft.chance.choice(OTHER_IDS)
    return document


def _rearrange(draft: Draft, document: Any) -> Any:
    """Drop, double or move items of a list."""
    lists = [h[n] for h, n in _places(document) if isinstance(h[n], list) and h[n]]
    if isinstance(document, list) and document:
        lists.append(document)
    if not lists:
        return document
    items = draft.chance.choice(lists)
    how = draft.chance.choice(("drop", "double", "empty", "insert", "move"))
    at = draft.chance.randrange(len(items))
    if how == "drop":
        del items[at]
    elif how == "double":
        items.insert(at, items[at])
    elif how == "empty":
        items.clear()
    elif how == "insert":
        items.append(draft.chance.choice(NONSENSE))
    elif not draft.keeps_order:
        draft.chance.shuffle(items)
    return document


# --- the bytes and the head of an answer ---------------------------------------------------


def _other_status(draft: Draft) -> bool:
    before = draft.status
    draft.status = draft.chance.choice(STATUSES)
    return draft.status != before


def _cut(draft: Draft) -> bool:
    if not draft.body:
        return False
    if draft.chance.random() < 0.5:
        draft.promised_bytes = len(draft.body)
    draft.body = draft.body[: draft.chance.randrange(len(draft.body))]
    return True


def _flip(draft: Draft) -> bool:
    """Turn bytes into what is no JSON, or no text, any more: never a digit into another digit."""
    if not draft.body:
        return False
    spoilt = bytearray(draft.body)
    for _ in range(draft.chance.choice((1, 2, 8))):
        spoilt[draft.chance.randrange(len(spoilt))] = draft.chance.choice(b'\x00\x80\xff{}[]",:\\')
    draft.body = bytes(spoilt)
    return draft.body != draft.body[:0]


def _garble(draft: Draft) -> bool:
    text = draft.body.decode("utf-8", "replace")
    draft.body = draft.chance.choice((
        draft.body + b"}", draft.body + draft.body, b"\xef\xbb\xbf" + draft.body,
        text.encode("utf-16"), b")]}',\n" + draft.body, b"NaN", b'{"a": Infinity}',
        b"[" * 5_000 + b"]" * 5_000, b"", b"null", b'""', b"{}", b"[]", b"\xff\xfe", PAGE,
    ))  # fmt: skip
    return True


def _html(draft: Draft) -> bool:
    draft.body, draft.content_type = PAGE, HTML
    return True


def _other_type(draft: Draft) -> bool:
    draft.content_type = draft.chance.choice(TYPES)
    return True


def _other_headers(draft: Draft) -> bool:
    draft.headers |= draft.chance.choice(HEADERS)
    return True


def _pack(draft: Draft) -> bool:
    packed = gzip.compress(draft.body)
    cut = draft.chance.choice((len(packed), len(packed), 12, len(packed) - 4))
    draft.body = packed[:cut]
    draft.headers["Content-Encoding"] = "gzip"
    return True


def _bomb(draft: Draft) -> bool:
    draft.body = BOMB
    draft.headers["Content-Encoding"] = "gzip"
    return True


def _no_http(draft: Draft) -> bool:
    draft.raw = draft.chance.choice((
        b"", b"\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 abc X\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n{}", b"HTTP/9.9 200 OK\r\n\r\n{}", b"{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    ))  # fmt: skip
    return True


BOMB = gzip.compress(b" " * BOMB_BYTES)
HURTS: Mapping[str, tuple[float, Callable[[Draft], bool]]] = {
    "another status": (3, _other_status),
    "a key dropped": (3, _with_json(_drop_key)),
    "a key renamed": (2, _with_json(_rename_key)),
    "a value retyped": (5, _with_json(_retype)),
    "a value buried": (1, _with_json(_bury)),
    "an id changed": (2, _with_json(_change_id)),
    "items rearranged": (2, _with_json(_rearrange)),
    "cut short": (1, _cut),
    "bytes flipped": (1, _flip),
    "garbled": (1, _garble),
    "HTML": (0.5, _html),
    "another type": (0.5, _other_type),
    "other headers": (2, _other_headers),
    "packed": (0.5, _pack),
    "a bomb": (0.03, _bomb),
    "no HTTP": (0.5, _no_http),
}
"""Each with how often it is chosen, as a share of the sum."""
