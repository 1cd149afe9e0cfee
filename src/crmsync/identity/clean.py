"""The sanitiser at the boundary: every value that passes can be stored and sent without loss.

A value that cannot is refused by itself, with its path named; NUL characters alone are removed,
because PostgreSQL cannot store them and they mean nothing (docs/reliability.md, faults 37 to 39).
`digest` is the fast test: most bodies are shown to be harmless by encoding them once, and only
the others are walked.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MAX_DEPTH = 32
MAX_NAME_LENGTH = 200
"""Characters of a trait's or property's name."""
MAX_NUMBER = 2**63
"""Numbers of this size and above are refused: neither database nor JSON clients agree on them."""


class Unusable(ValueError):
    """A value cannot be kept; the text is `<path> <why>`, without the value."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What encoding a body once tells about it."""

    sha256: bytes
    harmless: bool
    """Surely no NUL, surrogate, NaN, deep nesting or large value in it.

    It may hold a number beyond 2^63 that the encoder can write: JSON columns keep it, and traits
    are looked at for themselves.
    """


def digest(body: Mapping[str, Any], max_bytes: int) -> Digest:
    """Hash a body and find out cheaply whether anything in it needs a closer look.

    Raises Unusable where the body is nested too deeply to be encoded at all.
    """
    try:
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # surrogates, huge integers, very deep nesting: only the slow way copes
        return Digest(hashlib.sha256(_dump(body)).digest(), harmless=False)
    harmless = (
        len(text) <= max_bytes
        and b"\\u0000" not in text
        and b"null" not in text  # NaN and the infinities are encoded as null
        and text.count(b"{") + text.count(b"[") <= MAX_DEPTH
    )
    return Digest(hashlib.sha256(text).digest(), harmless)


def check_name(name: str, path: str) -> None:
    """Check a name inside an object. Raises Unusable."""
    if "\0" in name or not (name.isascii() or _is_unicode(name)):
        raise Unusable(f"{path} has a name with a NUL character or half a surrogate pair")


def check_trait_name(name: str) -> None:
    """Check the name of a trait, which is also held to a length. Raises Unusable."""
    if not name.strip():
        raise Unusable("a trait has an empty name")
    if len(name) > MAX_NAME_LENGTH:
        raise Unusable(f"a trait has a name of more than {MAX_NAME_LENGTH} characters")
    check_name(name, "a trait")


def clean_value(value: object, path: str, max_bytes: int, nul_paths: list[str]) -> Any:  # noqa: ANN401 - JSON
    """Give a value that is safe to keep, or raise Unusable.

    `nul_paths` collects where NUL characters were taken out.
    """
    checked = _walk(value, path, 0, nul_paths)
    size = len(orjson.dumps(checked)) if not isinstance(checked, int | float) else 0
    if size > max_bytes:
        raise Unusable(f"{path} is {size:,} bytes of JSON; at most {max_bytes:,} are kept")
    return checked


def clean_number(value: float, path: str) -> float:
    """Check that a number is finite and within what 64 bits hold. Raises Unusable."""
    # The range first: an integer of hundreds of digits cannot even be asked whether it is finite.
    if abs(value) >= MAX_NUMBER and abs(value) != math.inf:
        raise Unusable(f"{path} is a number beyond 2^63; send it as text")
    if not math.isfinite(value):
        raise Unusable(f"{path} is NaN or infinite; leave it out or send null")
    return value


def clean_id(value: object, path: str) -> str | None:
    """Give an identifier as trimmed text, None where it is absent or empty. Raises Unusable.

    An id is never altered beyond trimming, since that could join two people.
    """
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and len(value) <= MAX_NAME_LENGTH:
        if "\0" in value:
            raise Unusable(f"{path} holds a NUL character")
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(clean_number(value, path))
    if not isinstance(value, str):
        raise Unusable(f"{path} is neither text nor a whole number")
    text = value.strip()
    if len(text) > MAX_NAME_LENGTH:
        raise Unusable(f"{path} has more than {MAX_NAME_LENGTH} characters")
    if not text.isascii() and not _is_unicode(text):
        raise Unusable(f"{path} holds half a surrogate pair, which is not a character")
    if "\0" in text:
        raise Unusable(f"{path} holds a NUL character")
    return text or None


def _walk(value: object, path: str, depth: int, nul_paths: list[str]) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _walk_text(value, path, nul_paths)
    if isinstance(value, int | float):
        return clean_number(value, path)
    if depth == MAX_DEPTH:
        raise Unusable(f"{path} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        return dict(_walk_items(value, path, depth, nul_paths))
    if isinstance(value, list | tuple):
        return [
            _walk(item, f"{path}[{index}]", depth + 1, nul_paths)
            for index, item in enumerate(value)
        ]
    raise Unusable(f"{path} is not JSON")


def _walk_items(
    values: Mapping[str, Any], path: str, depth: int, nul_paths: list[str]
) -> Iterator[tuple[str, object]]:
    for name, item in values.items():
        check_name(name, path)
        yield name, _walk(item, f"{path}.{name}", depth + 1, nul_paths)


def _walk_text(text: str, path: str, nul_paths: list[str]) -> str:
    if not text.isascii() and not _is_unicode(text):
        raise Unusable(f"{path} holds half a surrogate pair, which is not a character")
    if "\0" in text:
        nul_paths.append(path)
        return text.replace("\0", "")
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dump(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, sort_keys=True).encode()
    except (RecursionError, TypeError, ValueError):
        raise Unusable("body is nested too deeply or is not JSON") from None
