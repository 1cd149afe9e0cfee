"""People whose names keep changing, sent over the API as a client sends that must lose nothing.

What was refused with 503, or not answered, is sent again, the same, until it is accepted. Anybody's
changes are sent by one sender, one after the other, so that the last one accepted is the newest.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import requests

from tests.served_api import Api

SENDERS = 4
CALLS = 10
"""Changes that are sent together."""
RETRY_SECONDS = 0.3
PATIENCE_SECONDS = 120.0
"""Within which a call is accepted, whatever is restarted meanwhile."""


@dataclass(slots=True)
class Town:
    """So many people with so many changes, in as many seconds."""

    api: Api
    people: int
    changes: int
    seconds: float
    seed: int
    accepted: dict[str, str] = field(default_factory=dict)
    """The last name of each person that was accepted last, by first name."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often each status was answered, or nothing was."""
    _given_up: threading.Event = field(default_factory=threading.Event)

    def live(self) -> None:
        """Send all changes; return when every one is accepted."""
        with ThreadPoolExecutor(SENDERS) as pool:
            try:
                list(pool.map(self._send_all, range(SENDERS)))
            finally:
                self._given_up.set()

    def _send_all(self, sender: int) -> None:
        began = time.monotonic()
        planned = list(self._plan(sender))
        for number, people in enumerate(planned):
            early = began + self.seconds * number / len(planned) - time.monotonic()
            if self._given_up.wait(max(0.0, early)):
                return
            last_name = f"V{sender}x{number}"
            self._send({"batch": [_identify(n, last_name) for n in people]})
            self.accepted.update({f"Ann{n}": last_name for n in people})

    def _plan(self, sender: int) -> Iterator[Sequence[int]]:
        """Give the people of each call: all of them once, then anybody."""
        own = range(sender, self.people, SENDERS)
        chance = random.Random(f"{self.seed}-town-{sender}")  # noqa: S311 - repeatable on purpose
        calls = max(1, self.changes // SENDERS // CALLS)
        first = [own[start : start + CALLS] for start in range(0, len(own), CALLS)]
        yield from first
        for _ in range(calls - len(first)):
            yield chance.sample(own, min(CALLS, len(own)))

    def _send(self, body: dict[str, Any]) -> None:
        """Send one call until it is accepted."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self._answer(body) != HTTPStatus.OK:
            if self._given_up.wait(RETRY_SECONDS):
                return
            assert time.monotonic() < give_up_at, f"never accepted: {dict(self.answers)}"

    def _answer(self, body: dict[str, Any]) -> int | None:
        try:
            answer = self.api.post("/v1/batch", body)
        except requests.RequestException as lost:
            self.answers[type(lost).__name__] += 1
            return None
        self.answers[str(answer.status_code)] += 1
        assert answer.status_code != HTTPStatus.OK or answer.json()["success"], answer.text
        status: int = answer.status_code
        return status


def _identify(n: int, last_name: str) -> dict[str, Any]:
    traits = {"first_name": f"Ann{n}", "last_name": last_name, "email": f"ann{n}@acme.example"}
    return {
        "type": "identify",
        "messageId": f"{n}-{last_name}",
        "userId": f"u{n}",
        "timestamp": datetime.now(UTC).isoformat(),
        "traits": traits,
    }
