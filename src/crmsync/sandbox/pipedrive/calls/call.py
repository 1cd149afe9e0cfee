"""One call on its way through the API, and the ways all calls read parameters and bodies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.company import Company
from crmsync.sandbox.pipedrive.wire import parse_rfc3339

Json = dict[str, Any]
Anything = Any
"""Whatever JSON can say."""

MAX_PAGE = 500
_PAGE = 100
_JSON = "application/json"
_MAX_DIGITS = 18


@dataclass(frozen=True)
class Call:
    """A request that has been let in, and what its path says."""

    company: Company
    request: Request
    path: dict[str, str]
    """The parts of the path that vary, by name."""
    type: str = ""
    """The object type the path is about, in the plural."""

    @cached_property
    def id(self) -> int:
        """The id in the path; 400 where it is no number."""
        text = self.path["id"]
        if not is_number(text):
            raise errors.invalid(["id: Expected 'integer' as value"])
        return int(text)

    def sent(self) -> Anything:
        """Return the JSON sent; 415 where the body does not say it is JSON, 400 where it is not."""
        if not self.request.headers.get("content-type", "").startswith(_JSON):
            raise errors.wrong_media_type()
        try:
            return self.request.json()
        except orjson.JSONDecodeError:
            raise errors.malformed() from None

    @cached_property
    def body(self) -> Json:
        """The JSON object sent; 400 for anything else."""
        value = self.sent()
        if not isinstance(value, dict):
            raise errors.invalid(["body: Expected 'object' as value"])
        return value

    # --- the query --------------------------------------------------------------------------

    def allow(self, *names: str) -> None:
        """Refuse a query with parameters of other names."""
        foreign = [errors.not_allowed(name) for name in self.request.query if name not in names]
        if foreign:
            raise errors.invalid(foreign)

    def number(self, name: str) -> int | None:
        """Return a parameter that is a whole number; None where it is not given."""
        text = self.request.one(name)
        if text is None:
            return None
        if not is_number(text):
            raise errors.invalid([f"{name}: Expected 'integer' as value"])
        return int(text)

    def flag(self, name: str) -> bool:
        """Return a parameter that is true or false; 1 and 0 are neither."""
        return self.choice(name, ("false", "true")) == "true"

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return a parameter that is one word out of some, of which the first is the default."""
        text = self.request.one(name) or allowed[0]
        if text not in allowed:
            raise errors.invalid([f"{name}: Expected one of {', '.join(allowed)}"])
        return text

    def choices(self, name: str, allowed: Sequence[str]) -> list[str]:
        """Return a parameter that lists words, joined by commas; none where it is not given."""
        listed = self.names(name)
        if not set(listed).issubset(allowed):
            raise errors.invalid([f"{name}: Expected one of {', '.join(allowed)}"])
        return listed

    def names(self, name: str, most: int | None = None) -> list[str]:
        """Return a parameter that lists anything, joined by commas; 400 for too many."""
        listed = [part for part in (self.request.one(name) or "").split(",") if part]
        if most is not None and len(listed) > most:
            raise errors.invalid([f"{name}: Expected at most {most} items"])
        return listed

    def moment(self, name: str) -> int | None:
        """Return a parameter that is a time in UTC, in whole seconds; 400 for a fraction."""
        text = self.request.one(name)
        if text is None:
            return None
        seconds = parse_rfc3339(text)
        if seconds is None:
            words = "Expected a time in the format YYYY-MM-DDTHH:MM:SSZ"
            raise errors.invalid([f"{name}: {words}"])
        return seconds

    @cached_property
    def limit(self) -> int:
        """The page size asked for; 400 beyond the largest."""
        limit = self.number("limit")
        if limit is None:
            return _PAGE
        if not 1 <= limit <= MAX_PAGE:
            raise errors.invalid([f"limit: Expected a number between 1 and {MAX_PAGE}"])
        return limit

    def cursor(self, kind: str, *places: str) -> Json | None:
        """Return what `page_answer` put into the cursor sent; 400 for one of another kind.

        `kind` is its `field`, `places` are its other keys, each with a number.
        """
        text = self.request.one("cursor")
        if text is None:
            return None
        try:
            value = orjson.loads(base64.urlsafe_b64decode(text + "=="))
        except (binascii.Error, orjson.JSONDecodeError, ValueError):
            value = None
        fits = isinstance(value, dict) and value.pop("field", None) == kind
        if not fits or set(value) != set(places) or not all(type(n) is int for n in value.values()):
            raise errors.invalid(["cursor: Invalid cursor"])
        return dict(value)


def answer(data: Anything) -> Answer:
    """Answer with one thing."""
    return Answer.of(200, {"success": True, "data": data})


def page_answer(data: Anything, following: Json | None) -> Answer:
    """Answer with a page, and a cursor that holds where the next one begins."""
    text = None
    if following is not None:
        text = base64.urlsafe_b64encode(orjson.dumps(following)).decode().rstrip("=")
    return Answer.of(200, {"success": True, "data": data, "additional_data": {"next_cursor": text}})


def offset_page(call: Call, everything: Sequence[Json]) -> Answer:
    """Answer with a page of a short list."""
    cursor = call.cursor("offset", "value")
    start = cursor["value"] if cursor else 0
    end = start + call.limit
    following = {"field": "offset", "value": end} if end < len(everything) else None
    return page_answer(everything[start:end], following)


def is_number(text: str) -> bool:
    """Say whether a text is a whole number of a sensible length."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
