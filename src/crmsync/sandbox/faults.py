"""Faults on order: which requests go wrong, how, and how often.

A fault is data, given over the control API. The first one on the board that matches a request and
is due takes it; several scripted answers for one route are several faults with `times: 1`.
"""

from __future__ import annotations

import asyncio
import fnmatch
import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError

from crmsync.sandbox.http import HTML, JSON, Answer, HangUp, Request
from crmsync.sandbox.settings import SettingsError, describe

Kind = Literal["answer", "status", "drop", "late", "hold", "delay", "drip", "truncate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, with which requests."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Kind
    """`answer`: a scripted answer. `status`: the CRM's own answer under another status.
    `drop`: no answer, the connection ends. `late`: it ends at once, the request takes effect
    `seconds` later. `hold`: waits until released. `delay`: waits `seconds`. `drip`: the body comes
    `piece_bytes` at a time, every `seconds`. `truncate`: the body ends after `piece_bytes`."""
    when: Literal["before", "after"] = "before"
    """Whether an `answer`, `drop`, `hold` or `delay` comes before the CRM has carried out the
    request (which, for `answer` and `drop`, it then never does) or after it has."""

    method: str | None = None
    path: str = "*"
    """Shell pattern over the whole path without query; `*` also matches slashes."""
    body: str | None = None
    """Regular expression, searched in the text of the body."""

    skip: int = 0
    """Let so many matching requests pass first."""
    every: int = 1
    """Then take every Nth."""
    times: int | None = None
    """Stop after so many."""
    probability: float = 1.0
    """Of those due, take this share."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    """Body of an `answer`. Without `json` and `text` the CRM's own body for that status is sent."""
    text: str | None = None
    """Body of an `answer`, sent as HTML unless `headers` has a Content-Type."""
    how: HangUp = "reset"
    """How `drop`, `late` and `truncate` end the connection."""
    seconds: float = 0.0
    piece_bytes: int = 1

    def scripted(self) -> Answer | None:
        """Return the answer to send, or None where the CRM is to word it."""
        headers = dict(self.headers)
        if self.text is not None:
            return Answer(
                self.status, self.text.encode(), headers.pop("Content-Type", HTML), headers
            )
        if self.json is not None:
            body = orjson.dumps(self.json)
            return Answer(self.status, body, headers.pop("Content-Type", JSON), headers)
        return None


@dataclass(slots=True, eq=False)
class Posted:
    """A fault on the board, with what has become of it so far."""

    id: int
    fault: Fault
    pattern: re.Pattern[str]
    body: re.Pattern[str] | None
    matched: int = 0
    fired: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, request: Request) -> bool:
        """Say whether the request is of the kind this fault takes."""
        if self.fault.method not in (None, request.method):
            return False
        if not self.pattern.match(request.path):
            return False
        return self.body is None or bool(self.body.search(request.body.decode("utf-8", "replace")))

    def due(self, chance: random.Random) -> bool:
        """Count one match and say whether this one is to go wrong."""
        self.matched += 1
        fault = self.fault
        if self.matched <= fault.skip or (self.matched - fault.skip) % fault.every:
            return False
        if fault.times is not None and self.fired >= fault.times:
            return False
        if fault.probability < 1.0 and chance.random() >= fault.probability:
            return False
        self.fired += 1
        return True

    def report(self) -> dict[str, Any]:
        """Return the fault and its counts as JSON."""
        return {
            "id": self.id,
            "matched": self.matched,
            "fired": self.fired,
            "fault": asdict(self.fault),
        }


class FaultBoard:
    """The faults in force."""

    def __init__(self, chance: random.Random) -> None:
        """Use `chance` for faults with a probability."""
        self._chance = chance
        self._posted: list[Posted] = []
        self._last_id = 0

    def post(self, values: Mapping[str, Any]) -> Posted:
        """Add a fault; `SettingsError` says what is wrong with it."""
        try:
            fault = _FAULT.validate_python(dict(values))
            body = re.compile(fault.body) if fault.body is not None else None
        except ValidationError as error:
            raise SettingsError(describe(error)) from None
        except re.error as error:
            raise SettingsError(f"body: not a regular expression: {error}") from None
        if fault.every < 1:
            raise SettingsError("every: must be 1 or more")
        self._last_id += 1
        pattern = re.compile(fnmatch.translate(fault.path))
        posted = Posted(self._last_id, fault, pattern, body)
        self._posted.append(posted)
        return posted

    def take(self, request: Request) -> Posted | None:
        """Return the fault that takes this request, if one does."""
        for posted in self._posted:
            if posted.matches(request) and posted.due(self._chance):
                return posted
        return None

    def find(self, fault_id: int) -> Posted | None:
        """Return one fault."""
        return next((posted for posted in self._posted if posted.id == fault_id), None)

    def remove(self, fault_id: int | None = None) -> None:
        """Take down one fault, or all; what they hold is released."""
        for posted in self._posted:
            if fault_id in (None, posted.id):
                posted.released.set()
        self._posted = [p for p in self._posted if fault_id is not None and p.id != fault_id]

    def report(self) -> list[dict[str, Any]]:
        """Return every fault and its counts as JSON."""
        return [posted.report() for posted in self._posted]


_FAULT: TypeAdapter[Fault] = TypeAdapter(Fault)
