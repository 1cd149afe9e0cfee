"""One call on its way through the API, and the ways all calls read their parameters and bodies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from crmsync.sandbox.http import Answer, Json, Request
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.records import Records
from crmsync.sandbox.zoho.wire import epoch

MAX_PAGE = 200

NOTHING = 204
NOT_MODIFIED = 304


@dataclass(frozen=True)
class Call:
    """A request that has been let in, and what its path says."""

    org: Org
    request: Request
    path: dict[str, str]
    """The parts of the path that vary, by name."""
    scopes: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module in the path."""
        return self.path["module"]

    @cached_property
    def records(self) -> Records:
        """The records of that module; 400 for none such."""
        return self.org.records(self.module)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object sent; 400 for anything else."""
        try:
            value = self.request.json()
        except orjson.JSONDecodeError:
            raise errors.not_json() from None
        if not isinstance(value, dict):
            raise errors.not_json()
        return value

    def listed(self, member: str, most: int) -> list[dict[str, Any]]:
        """Return the objects sent under a member; 400 where there are none, or too many."""
        value = self.body.get(member)
        path = f"$.{member}"
        if value is None or value == []:
            raise errors.missing_member(member, path)
        if not isinstance(value, list):
            raise errors.wrong_type("jsonarray", member, path)
        if len(value) > most:
            raise errors.limit_exceeded(most, api_name=member, json_path=path)
        for place, one in enumerate(value):
            if not isinstance(one, dict):
                raise errors.wrong_type("jsonobject", member, f"{path}[{place}]")
        return value

    # --- parameters ---------------------------------------------------------------------------

    def number(self, name: str, default: int, most: int | None = None) -> int:
        """Return a whole number from 1; 400 for another value."""
        text = self.request.one(name)
        if text is None:
            return default
        value = int(text) if text.isascii() and text.isdigit() else 0
        if value < 1 or (most is not None and value > most):
            raise errors.invalid_parameter(name)
        return value

    def names(self, name: str) -> list[str]:
        """Return the values of a parameter that are joined by commas."""
        text = self.request.one(name) or ""
        return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

    def time_header(self, name: str) -> int | None:
        """Return the moment in a header, in seconds since 1970; 400 where it is not ISO 8601."""
        text = self.request.headers.get(name.lower())
        if text is None:
            return None
        moment = epoch(text, self.org.zone)
        if moment is None:
            raise errors.invalid_parameter(name)
        return moment


def listing(data: list[Json], info: Json, *, unmodified: bool = False) -> Answer:
    """Answer with a list, or without a body where it is empty."""
    if not data:
        return Answer(NOT_MODIFIED if unmodified else NOTHING)
    return Answer.of(200, {"data": data, "info": info})
