"""What can go wrong between a client and a CRM, as data, and which requests meet it.

`FAULTS` is the table: whether the CRM gets the request, and what the client gets of the answer.
`Weather` chooses for each request: what was asked for by `script`, else by a seeded chance. The
same seed gives the same choices in the same order; which request is the third is the workers'
affair, so that two storms of one seed resemble each other and are not the same.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from crmsync.sandbox.http import Request


class Reaches(StrEnum):
    """Whether the CRM gets the request."""

    YES = "at once"
    LATE = "after the client was sent away"
    NO = "never"


class Gets(StrEnum):
    """What the client gets."""

    ANSWER = "the CRM's answer"
    DRIP = "the CRM's answer, a few bytes at a time"
    HALF = "half of the CRM's answer, then the end"
    PAGE = "a page of HTML under 200"
    STATUS = "another status"
    RESET = "a connection that is reset"
    CLOSE = "a connection that is closed"
    HALF_CLOSE = "a connection that says no more and still listens"
    SILENCE = "nothing, until it gives up"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with one request."""

    name: str
    reaches: Reaches
    gets: Gets
    status: int = 200
    waits: bool = False
    """Whether the request is held up first, for up to `Pace.delay_seconds`."""


FAULTS = (
    Fault("delay", Reaches.YES, Gets.ANSWER, waits=True),
    Fault("drip", Reaches.YES, Gets.DRIP),
    Fault("truncate", Reaches.YES, Gets.HALF),
    Fault("silence", Reaches.YES, Gets.SILENCE),
    Fault("silence before", Reaches.NO, Gets.SILENCE),
    Fault("drop", Reaches.YES, Gets.CLOSE),
    Fault("drop before", Reaches.NO, Gets.CLOSE),
    Fault("reset", Reaches.YES, Gets.RESET),
    Fault("reset before", Reaches.NO, Gets.RESET),
    Fault("half-close", Reaches.YES, Gets.HALF_CLOSE),
    Fault("late", Reaches.LATE, Gets.RESET),
    Fault("HTML", Reaches.YES, Gets.PAGE),
    Fault("HTML before", Reaches.NO, Gets.PAGE),
    Fault("500", Reaches.YES, Gets.STATUS, 500),
    Fault("502", Reaches.YES, Gets.STATUS, 502),
    Fault("503", Reaches.YES, Gets.STATUS, 503),
    Fault("500 before", Reaches.NO, Gets.STATUS, 500),
    Fault("502 before", Reaches.NO, Gets.STATUS, 502),
    Fault("503 before", Reaches.NO, Gets.STATUS, 503),
    Fault("429 before", Reaches.NO, Gets.STATUS, 429),
)
"""All kinds. A 429 is never put over what was done: it says that nothing was, and is believed."""
BY_NAME = {fault.name: fault for fault in FAULTS}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what goes wrong takes, in seconds."""

    delay_seconds: float = 3.0
    """The longest delay: some are over before the client gives up, some are not."""
    late_seconds: float = 2.5
    """Well within the settle time, which is what the promise rests on."""
    drip_seconds: float = 0.1
    """Between two pieces: an answer takes longer than the client's deadline."""
    drip_bytes: int = 8


@dataclass(slots=True)
class _Script:
    """A fault on order."""

    fault: Fault
    method: str
    path: re.Pattern[str]
    body: re.Pattern[bytes]
    times: int


@dataclass(slots=True)
class Weather:
    """Chooses what goes wrong with which request, and counts it."""

    chance: random.Random
    share: float = 0.0
    """Of the requests that go wrong; 0 is fine weather. May be changed at any time."""
    kinds: Sequence[Fault] = FAULTS
    requests: int = 0
    met: Counter[str] = field(default_factory=Counter)
    """How many requests met which fault."""
    _scripts: list[_Script] = field(default_factory=list)

    def script(
        self, fault: str, *, method: str = "", path: str = "", body: str = "", times: int = 1
    ) -> None:
        """Let the next requests that fit meet a fault: those of one record by what is in its body.

        `path` and `body` are regular expressions that are searched for.
        """
        found = re.compile(body.encode())
        self._scripts.append(_Script(BY_NAME[fault], method, re.compile(path), found, times))

    def fault_for(self, request: Request) -> Fault | None:
        """Return what goes wrong with a request, or None."""
        self.requests += 1
        fault = self._scripted(request) or self._by_chance()
        if fault is not None:
            self.met[fault.name] += 1
        return fault

    def _scripted(self, request: Request) -> Fault | None:
        for script in self._scripts:
            if (
                script.times > 0
                and script.method in {"", request.method}
                and script.path.search(request.path)
                and script.body.search(request.body)
            ):
                script.times -= 1
                return script.fault
        return None

    def _by_chance(self) -> Fault | None:
        # Both are drawn each time, so that another share leaves the order of kinds as it was.
        drawn, kind = self.chance.random(), self.chance.choice(self.kinds)
        return kind if drawn < self.share else None
