"""A simulated CRM whose answers are spoilt on their way out; what it did stays done.

with spoilt_crm("hubspot", seed=7) as crm:
    crm.arm(first=1, count=2)       # the second and third answer from now on
    ...
    crm.disarm()
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from crmsync.sandbox import server
from crmsync.sandbox.control import PREFIX
from crmsync.sandbox.http import Answer, Connection, Request
from tests import sandboxes
from tests.chaos.mutations import Draft, continued, spoil
from tests.sandboxes import WatchedControl

MOST_CALLS = 400
"""Of one operation of a connector; more is a loop that does not end."""
KEEPS_ORDER = {"salesforce", "zoho"}
"""CRMs that name no record in the result of a write: it is told by its place alone."""
SETTINGS: dict[str, dict[str, Any]] = {
    "hubspot": {"search_lag_seconds": 0.0, "search_lag_jitter_seconds": 0.0},
    "pipedrive": {"search_lag_seconds": 0.0},
    "salesforce": {"tier": "sandbox", "external_id_fields": []},
    "zoho": {"tier": "ultimate"},
}
MORE: dict[str, dict[str, Any]] = {
    "hubspot": {"paging": {"next": {"after": "100", "link": "?after=100"}}},
    "pipedrive": {
        "additional_data": {
            "next_cursor": "eyJhIjoxfQ",
            "pagination": {"more_items_in_collection": True, "next_start": 100},
        }
    },
    "salesforce": {"done": False, "nextRecordsUrl": "/services/data/v59.0/query/01g-2000"},
    "zoho": {"info": {"more_records": True, "next_page_token": "t", "per_page": 200, "count": 1}},
}
"""What each says of a page that is not the last one."""


@dataclass(slots=True)
class Spoiler:
    """Which of the answers that go out are spoilt, and how they were."""

    chance: random.Random
    keeps_order: bool
    more: Mapping[str, Any]
    """What this CRM says in an answer that is not the last page."""
    first: int = 0
    count: int = 0
    is_stuck: bool = False
    """Whether each address answers all the time what it answered first, and that there is more."""
    calls: int = 0
    """Since it was armed."""
    spoilt: int = 0
    """Ever."""
    hurts: Counter[str] = field(default_factory=Counter)
    last: list[Draft] = field(default_factory=list)
    """Since it was armed."""

    _stuck: dict[str, Draft] = field(default_factory=dict)

    def arm(self, first: int, count: int, *, is_stuck: bool = False) -> None:
        """Spoil `count` answers from now on, once `first` have passed."""
        self.first, self.count, self.calls, self.is_stuck = first, count, 0, is_stuck
        self.last.clear()
        self._stuck.clear()

    def disarm(self) -> None:
        """Let every answer pass."""
        self.arm(0, 0)

    def take(self, request: Request, answer: Answer) -> Draft | None:
        """Return what goes out in place of an answer; None for the answer itself."""
        place, self.calls = self.calls, self.calls + 1
        if self.calls > MOST_CALLS:
            return Draft(503, "", {}, b"", self.chance, self.keeps_order)  # ends any loop
        if not self.first <= place < self.first + self.count:
            return None
        draft = self._unmoving(request, answer) if self.is_stuck else self._hurt(answer)
        self.spoilt += 1
        self.hurts.update(draft.hurts)
        self.last.append(draft)
        return draft

    def _hurt(self, answer: Answer) -> Draft:
        return spoil(answer, self.chance, keeps_order=self.keeps_order)

    def _unmoving(self, request: Request, answer: Answer) -> Draft:
        draft = self._stuck.get(request.path)
        if draft is None or request.method != "GET":
            draft = continued(answer, self.more, self.chance, keeps_order=self.keeps_order)
            self._stuck[request.path] = draft
        return draft


class SpoiltConnection(Connection):
    """One TCP connection over which answers come spoilt."""

    spoiler: Spoiler

    def _start(self, request: Request) -> None:
        self._request = request
        super()._start(request)

    def send(self, answer: Answer, body_bytes: int | None = None) -> int:
        draft = (
            None
            if self._request.path.startswith(PREFIX)
            else self.spoiler.take(self._request, answer)
        )
        if draft is None or self._transport is None:
            return super().send(answer, body_bytes)
        data = draft.bytes()
        self._transport.write(data)
        self.hang_up("close")
        return len(data)


@dataclass(frozen=True, slots=True)
class SpoiltCrm:
    """One that is listening."""

    name: str
    control: WatchedControl
    spoiler: Spoiler


@contextmanager
def spoilt_crm(name: str, seed: int) -> Iterator[SpoiltCrm]:
    """Serve one while the block runs; it spoils nothing before it is armed."""
    chance = random.Random(f"{seed} {name}")  # noqa: S311 - repeatable on purpose
    spoiler = Spoiler(chance, name in KEEPS_ORDER, MORE[name])
    kind = type("Spoilt", (SpoiltConnection,), {"spoiler": spoiler})
    with (
        mock.patch.object(server, "Connection", kind),
        sandboxes.running(name, limits=False, **SETTINGS[name]) as sandbox,
    ):
        yield SpoiltCrm(name, sandbox.control, spoiler)
        # What follows from an answer that is not the CRM's own need not be as described.
        sandbox.control.overlook()
